// During every operation on a file or a name others may run: once before anything has happened, once when it is done.
#include "faultfs/yielding_file_system.h"

#include "faultfs/bytes.h"
#include "faultfs/choices.h"
#include "faultfs/sim_file_system.h"

#include <catch2/catch.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::faultfs {
namespace {

// At the yields that are counted from 0, others go on where the list says so. Where it ends nobody does.
class AtYields final : public Choices {
 public:
  explicit AtYields(std::vector<bool> lets_others) : lets_others_(std::move(lets_others)) {}
  const std::vector<std::string>& yields() const { return yields_; }

 private:
  std::uint32_t choose(std::uint32_t /*n*/, const ChoiceLabel& label) override {
    if (label.name.find("I/O") == std::string_view::npos) return 0;
    yields_.emplace_back(label.name);
    return yields_.size() <= lets_others_.size() && lets_others_[yields_.size() - 1] ? 1 : 0;
  }

  std::vector<bool> lets_others_;
  std::vector<std::string> yields_;
};

struct Disk {
  Disk() {
    REQUIRE(base.make_directory("d").has_value());
    REQUIRE(base.make_directory("empty").has_value());
    file = std::move(base.open("d/file", OpenMode::kCreate)).value();
    REQUIRE(write_full(*file, 0, as_bytes(std::string_view("old"))).has_value());
  }

  std::string contents() {
    std::string text(file->size().value(), '\0');
    REQUIRE(read_full(*file, 0, {reinterpret_cast<byte*>(text.data()), text.size()}).has_value());
    return text;
  }

  SimDisk disk;
  SimFileSystem base{disk};
  std::unique_ptr<File> file;
};

// An operation of a file system, or of a file that is open.
struct Named {
  std::string_view name;
  std::function<bool(FileSystem&, File&)> does;  // whether it succeeded
};

std::vector<Named> operations() {
  return {
      {"open", [](FileSystem& files, File&) { return files.open("d/file", OpenMode::kRead).has_value(); }},
      {"rename", [](FileSystem& files, File&) { return files.rename("d/file", "d/other").has_value(); }},
      {"remove", [](FileSystem& files, File&) { return files.remove("d/file").has_value(); }},
      {"exists", [](FileSystem& files, File&) { return files.exists("d/file").has_value(); }},
      {"make_directory", [](FileSystem& files, File&) { return files.make_directory("e").has_value(); }},
      {"remove_directory", [](FileSystem& files, File&) { return files.remove_directory("empty").has_value(); }},
      {"list", [](FileSystem& files, File&) { return files.list("d").has_value(); }},
      {"sync_directory", [](FileSystem& files, File&) { return files.sync_directory("d").has_value(); }},
      {"read",
       [](FileSystem&, File& file) {
         std::array<byte, 3> into{};
         return file.read(0, into).has_value();
       }},
      {"write", [](FileSystem&, File& file) { return file.write(0, as_bytes(std::string_view("new"))).has_value(); }},
      {"write_many",
       [](FileSystem&, File& file) {
         const std::array buffers{as_bytes(std::string_view("n")), as_bytes(std::string_view("ew"))};
         return file.write_many(0, buffers).has_value();
       }},
      {"sync", [](FileSystem&, File& file) { return file.sync(SyncKind::kFull).has_value(); }},
      {"resize", [](FileSystem&, File& file) { return file.resize(9).has_value(); }},
      {"allocate", [](FileSystem&, File& file) { return file.allocate(0, 9).has_value(); }},
  };
}

}  // namespace

TEST_CASE("a file system that yields says that it lets others run, whatever its base says") {
  Scheduler scheduler;
  Disk disk;
  CHECK_FALSE(disk.base.lets_others_run());
  CHECK(YieldingFileSystem(disk.base, scheduler).lets_others_run());
}

TEST_CASE("every operation asks before and after whether others go on") {
  for (const Named& operation : operations()) {
    INFO(operation.name);
    Scheduler scheduler;
    Disk disk;
    YieldingFileSystem files(disk.base, scheduler);
    const auto file = std::move(files.open("d/file", OpenMode::kReadWrite)).value();
    scheduler.spawn("worker", [&] { CHECK(operation.does(files, *file)); });
    scheduler.spawn("other", [] {});
    AtYields nobody({});
    REQUIRE(scheduler.run(nobody).has_value());
    CHECK(nobody.yields() == std::vector<std::string>{"before I/O", "after I/O"});
  }
}

TEST_CASE("another fiber sees nothing of an operation before it, and all of it after it, while the caller does not go on") {
  for (const bool before : {false, true}) {
    CAPTURE(before);
    Scheduler scheduler;
    Disk disk;
    YieldingFileSystem files(disk.base, scheduler);
    const auto file = std::move(files.open("d/file", OpenMode::kReadWrite)).value();
    bool is_back = false;
    std::string seen;
    scheduler.spawn("worker", [&] {
      CHECK(file->write(0, as_bytes(std::string_view("new"))).value() == 3);
      is_back = true;
    });
    scheduler.spawn("other", [&] {
      CHECK_FALSE(is_back);
      seen = disk.contents();
    });
    AtYields turns(before ? std::vector<bool>{true} : std::vector<bool>{false, true});
    REQUIRE(scheduler.run(turns).has_value());
    CHECK(seen == (before ? "old" : "new"));
    CHECK(disk.contents() == "new");
    CHECK(is_back);
  }
}

TEST_CASE("an error of the base comes through, after others went on") {
  Scheduler scheduler;
  Disk disk;
  YieldingFileSystem files(disk.base, scheduler);
  scheduler.spawn("worker", [&] {
    CHECK(files.open("none", OpenMode::kRead).error().code() == ErrorCode::kNotFound);
    CHECK(files.remove("none").error().code() == ErrorCode::kNotFound);
    CHECK(files.rename("none", "some").error().code() == ErrorCode::kNotFound);
    CHECK(files.list("none").error().code() == disk.base.list("none").error().code());
  });
  scheduler.spawn("other", [] {});
  AtYields nobody({});
  REQUIRE(scheduler.run(nobody).has_value());
  CHECK(nobody.yields().size() == 8);
}

TEST_CASE("outside of fibers a file system that yields is its base") {
  Scheduler scheduler;
  bool has_run = false;
  scheduler.spawn("other", [&] { has_run = true; });
  for (const Named& operation : operations()) {
    INFO(operation.name);
    Disk disk;
    YieldingFileSystem files(disk.base, scheduler);
    const auto file = std::move(files.open("d/file", OpenMode::kReadWrite)).value();
    CHECK(operation.does(files, *file));
    CHECK(file->size().has_value());
    CHECK(file->preferred_read_bytes() == disk.file->preferred_read_bytes());
    CHECK(file->preferred_write_unit() == disk.file->preferred_write_unit());
  }
  CHECK_FALSE(has_run);
  AtYields nobody({});
  REQUIRE(scheduler.run(nobody).has_value());
}

}  // namespace powercut::faultfs
