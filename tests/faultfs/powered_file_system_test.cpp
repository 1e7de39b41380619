#include "faultfs/powered_file_system.h"

#include "faultfs/sim_file_system.h"

#include <catch2/catch.hpp>

#include <array>

namespace powercut::faultfs {
namespace {

constexpr std::array<byte, 3> kBytes{byte{1}, byte{2}, byte{3}};

using Moment = PoweredFileSystem::Moment;

}  // namespace

TEST_CASE("the power fails before or after the sync that was named, and nothing happens from then on") {
  for (const Moment moment : {Moment::kBeforeSync, Moment::kAfterSync}) {
    SimDisk disk;
    SimFileSystem base(disk);
    PoweredFileSystem files(base);
    auto file = files.open("a", OpenMode::kCreate).value();
    REQUIRE(file->sync(SyncKind::kFull).has_value());
    files.fail_at(moment, 2);
    REQUIRE(files.sync_directory("").has_value());
    REQUIRE(file->write(0, kBytes).has_value());
    CHECK_FALSE(files.has_failed());
    REQUIRE(disk.pending_chains() > 0);
    CHECK(file->sync(SyncKind::kFull).has_error());
    CHECK(files.has_failed());
    CHECK((disk.pending_chains() == 0) == (moment == Moment::kAfterSync));
    CHECK(files.syncs() == (moment == Moment::kAfterSync ? 2 : 1));

    const std::uint32_t operations = disk.operations();
    std::array<byte, 3> read{};
    CHECK(file->read(0, read).error().code() == ErrorCode::kIo);
    CHECK(file->write(0, kBytes).has_error());
    CHECK(file->resize(0).has_error());
    CHECK(files.open("b", OpenMode::kCreate).has_error());
    CHECK(files.rename("a", "b").has_error());
    CHECK(files.remove("a").has_error());
    CHECK(files.make_directory("c").has_error());
    CHECK(files.list("").has_error());
    CHECK(disk.operations() == operations);
  }
}

TEST_CASE("the power fails when it is told to") {
  SimDisk disk;
  SimFileSystem base(disk);
  PoweredFileSystem files(base);
  files.fail_now();
  CHECK(files.has_failed());
  CHECK(files.exists("a").has_error());
}

}  // namespace powercut::faultfs
