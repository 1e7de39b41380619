// Each fault hits the operation that it names, once, and the simulated disk keeps what such a disk would keep.
#include "faultfs/faulty_file_system.h"
#include "faultfs/exhaustive_choices.h"
#include "tests/support/property.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace powercut::testing {
namespace {

using namespace faultfs;

struct FaultyDisk {
  explicit FaultyDisk(const std::vector<Fault>& faults, const PersistenceModel& model = {}) : model_used(model) {
    disk.format(model_used);
    simulated.emplace(disk);
    files.emplace(*simulated, disk, faults, false);
    file = std::move(files->open("f", OpenMode::kCreate)).value();
    REQUIRE(file->sync(SyncKind::kFull).has_value());
    REQUIRE(files->sync_directory("").has_value());
  }

  Result<void> write(std::uint64_t atom, char letter) {
    const std::string bytes(512, letter);
    return write_full(*file, atom * 512, as_bytes(bytes));
  }
  std::string read(std::uint64_t atom) {
    std::array<byte, 512> bytes{};
    const auto got = read_full(*file, atom * 512, bytes);
    if (got.has_error()) return std::string(to_string(got.error().code()));
    return {static_cast<char>(bytes[0])};
  }

  // What the atoms may hold after a crash now, each as a letter ('.' for anything else).
  std::set<std::string> after_crash(std::uint64_t atoms) {
    std::set<std::string> all;
    ExhaustiveChoices choices;
    choices.start(ExhaustiveChoices::Base::kFirst);
    SimDisk booted;
    while (choices.next()) {
      booted.boot(disk, choices);
      SimFileSystem after(booted);
      std::string found;
      const auto opened = after.open("f", OpenMode::kRead);
      for (std::uint64_t atom = 0; opened.has_value() && atom < atoms; ++atom) {
        std::array<byte, 512> bytes{};
        const std::size_t got = read_full(*opened.value(), atom * 512, bytes).value();
        const char letter = static_cast<char>(bytes[0]);
        found += got == 512 && bytes[0] == bytes[511] && letter >= 'a' && letter <= 'z' ? letter : '.';
      }
      all.insert(found);
    }
    return all;
  }

  PersistenceModel model_used;
  SimDisk disk;
  std::optional<SimFileSystem> simulated;
  std::optional<FaultyFileSystem> files;
  std::unique_ptr<File> file;
};

PersistenceModel without_garbage() {
  PersistenceModel model;
  model.unwritten_garbage = false;
  return model;
}

}  // namespace

TEST_CASE("an error hits the operation that it names, and those after it as often as it says") {
  FaultyDisk faulty({{FaultKind::kWriteError, false, 1, 2}});
  CHECK(faulty.write(0, 'a').has_value());
  CHECK_FALSE(faulty.files->fired());
  CHECK(faulty.write(1, 'b').error().code() == ErrorCode::kIo);
  CHECK(faulty.write(1, 'b').error().code() == ErrorCode::kIo);
  CHECK(faulty.files->fired());
  CHECK_FALSE(faulty.files->active());
  CHECK(faulty.write(1, 'b').has_value());
  CHECK(faulty.files->eligible(FaultKind::kWriteError) == 4);
  CHECK(faulty.read(1) == "b");
}

TEST_CASE("a failed sync shows the new bytes, and the next one succeeds and saves nothing") {
  FaultyDisk faulty({{FaultKind::kFailedSync, false, 3, 1}}, without_garbage());
  REQUIRE(faulty.write(0, 'a').has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  REQUIRE(faulty.write(0, 'b').has_value());
  CHECK(faulty.file->sync(SyncKind::kFull).error().code() == ErrorCode::kIo);
  CHECK(faulty.read(0) == "b");
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  CHECK(faulty.after_crash(1) == std::set<std::string>{"a", "b"});
  // What is written again is written.
  REQUIRE(faulty.write(0, 'c').has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  CHECK(faulty.after_crash(1) == std::set<std::string>{"c"});
}

TEST_CASE("after a failed sync btrfs shows the old bytes") {
  PersistenceModel model = without_garbage();
  model.failed_sync_shows_old = true;
  FaultyDisk faulty({{FaultKind::kFailedSync, false, 3, 1}}, model);
  REQUIRE(faulty.write(0, 'a').has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  REQUIRE(faulty.write(0, 'b').has_value());
  CHECK(faulty.file->sync(SyncKind::kFull).has_error());
  CHECK(faulty.read(0) == "a");
  CHECK(faulty.after_crash(1) == std::set<std::string>{"a"});
}

TEST_CASE("a failed sync may be told at the next") {
  PersistenceModel model = without_garbage();
  model.failed_sync_reported_next = true;
  FaultyDisk faulty({{FaultKind::kFailedSync, false, 2, 1}}, model);
  REQUIRE(faulty.write(0, 'a').has_value());
  CHECK(faulty.file->sync(SyncKind::kFull).has_value());
  CHECK(faulty.after_crash(1) == std::set<std::string>{"a", "."});
  CHECK(faulty.file->sync(SyncKind::kFull).error().code() == ErrorCode::kIo);
}

TEST_CASE("a full disk refuses what needs space until steps have ended") {
  FaultyDisk faulty({{FaultKind::kFullDisk, false, 1, 2}});
  // Operation 0 made the file.
  CHECK(faulty.write(0, 'a').error().code() == ErrorCode::kNoSpace);
  CHECK(faulty.file->allocate(0, 4096).error().code() == ErrorCode::kNoSpace);
  CHECK(faulty.file->resize(4096).error().code() == ErrorCode::kNoSpace);
  CHECK(faulty.files->open("g", OpenMode::kCreate).error().code() == ErrorCode::kNoSpace);
  CHECK(faulty.files->make_directory("d").error().code() == ErrorCode::kNoSpace);
  CHECK(faulty.file->resize(0).has_value());
  CHECK(faulty.file->sync(SyncKind::kFull).has_value());
  faulty.files->step_ended();
  CHECK(faulty.files->active());
  CHECK(faulty.write(0, 'a').has_error());
  faulty.files->step_ended();
  CHECK_FALSE(faulty.files->active());
  CHECK(faulty.write(0, 'a').has_value());
}

TEST_CASE("short reads and writes move a part, never nothing") {
  FaultyDisk faulty({{FaultKind::kShortWrite, false, 0, 1}, {FaultKind::kShortRead, false, 0, 1}});
  const std::string bytes(512, 'a');
  CHECK(faulty.file->write(0, as_bytes(bytes)).value() == 256);
  CHECK(faulty.file->write(256, as_bytes(bytes)).value() == 512);
  std::array<byte, 512> read{};
  CHECK(faulty.file->read(0, read).value() == 256);
  CHECK(faulty.file->read(0, read).value() == 512);
}

TEST_CASE("a sync that lies leaves everything pending, and a later one saves it") {
  FaultyDisk faulty({{FaultKind::kLyingSync, false, 2, 1}}, without_garbage());
  REQUIRE(faulty.write(0, 'a').has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  CHECK(faulty.after_crash(1) == std::set<std::string>{"a", "."});
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  CHECK(faulty.after_crash(1) == std::set<std::string>{"a"});
}

TEST_CASE("a write that is lost shows until the power fails") {
  FaultyDisk faulty({{FaultKind::kLostWrite, false, 1, 1}}, without_garbage());
  REQUIRE(faulty.write(0, 'a').has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  REQUIRE(faulty.write(0, 'b').has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  CHECK(faulty.read(0) == "b");
  CHECK(faulty.after_crash(1) == std::set<std::string>{"a", "b"});
}

TEST_CASE("a write that goes astray hits its neighbour, which nobody sees until the power fails") {
  FaultyDisk faulty({{FaultKind::kMisdirectedWrite, false, 9, 1}}, without_garbage());
  for (std::uint64_t atom = 0; atom < 9; ++atom) REQUIRE(faulty.write(atom, static_cast<char>('a' + atom)).has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  REQUIRE(faulty.write(8, 'z').has_value());
  REQUIRE(faulty.file->sync(SyncKind::kFull).has_value());
  CHECK(faulty.read(8) == "z");
  CHECK(faulty.read(0) == "a");
  const auto found = faulty.after_crash(9);
  CHECK(found.contains("zbcdefghi"));
  for (const std::string& state : found) CHECK(state.substr(1, 7) == "bcdefgh");
}

TEST_CASE("a sector that cannot be read, and a bit that rots, stay so until they are written again") {
  FaultyDisk faulty({{FaultKind::kSectorError, false, 1, 1}, {FaultKind::kBitRot, false, 3, 1}});
  REQUIRE(faulty.write(0, 'a').has_value());
  REQUIRE(faulty.write(1, 'b').has_value());
  CHECK(faulty.read(0) == "a");
  CHECK(faulty.read(0) == "I/O error");
  CHECK(faulty.read(0) == "I/O error");
  REQUIRE(faulty.write(0, 'a').has_value());
  std::array<byte, 512> bytes{};
  const auto rotten = [&] {
    const std::size_t got = read_full(*faulty.file, 512, bytes).value();
    return got - static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), static_cast<byte>('b')));
  };
  CHECK(rotten() == 1);
  CHECK(rotten() == 1);
  REQUIRE(faulty.write(1, 'b').has_value());
  CHECK(rotten() == 0);
}

}  // namespace powercut::testing
