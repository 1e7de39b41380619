// The simulated disk, told as stories.
#include "faultfs/sim_file_system.h"
#include "tests/faultfs/every_choice.h"
#include "tests/support/property.h"

#include <algorithm>
#include <set>

namespace powercut::testing {
namespace {

using namespace faultfs;

// A disk with a file that is durable, name and all: eight atoms of 'o'.
struct Disk {
  explicit Disk(std::string_view model) : Disk(preset(model).value()) {}
  explicit Disk(const PersistenceModel& model) : files(disk) {
    disk.format(model);
    file = std::move(files.open("file", OpenMode::kCreate)).value();
    write(0, 8 * 512, 'o');
    REQUIRE(file->sync(SyncKind::kFull).has_value());
    REQUIRE(files.sync_directory("").has_value());
  }
  void write(std::uint64_t offset, std::size_t count, char letter) {
    REQUIRE(write_full(*file, offset, as_bytes(std::string(count, letter))).has_value());
  }
  // Another file, of one atom, name and all durable.
  std::unique_ptr<File> add(std::string_view name, char letter) {
    auto added = std::move(files.open(name, OpenMode::kCreate)).value();
    REQUIRE(write_full(*added, 0, as_bytes(std::string(512, letter))).has_value());
    REQUIRE(added->sync(SyncKind::kFull).has_value());
    REQUIRE(files.sync_directory("").has_value());
    return added;
  }

  SimDisk disk;
  SimFileSystem files;
  std::unique_ptr<File> file;
};

// A letter for each atom of a file: '.' for zeros, '?' for garbage. "-" if the file is not there.
std::string contents(SimDisk& disk, std::string_view name) {
  SimFileSystem files(disk);
  auto opened = files.open(name, OpenMode::kRead);
  if (opened.has_error()) return "-";
  std::string bytes(opened.value()->size().value(), ' ');
  bytes.resize(read_full(*opened.value(), 0, {reinterpret_cast<byte*>(bytes.data()), bytes.size()}).value());
  std::string letters;
  for (std::size_t at = 0; at < bytes.size(); at += 512) {
    const std::string_view atom = std::string_view(bytes).substr(at, 512);
    letters += atom.find_first_not_of(atom[0]) != std::string_view::npos ? '?' : atom[0] == '\0' ? '.' : atom[0];
  }
  return letters;
}

// Boots with the picks and reads a file.
std::string after_crash(const SimDisk& disk, std::vector<std::uint32_t> picks, std::string_view name = "file") {
  RecordedChoices choices(std::move(picks));
  SimDisk booted;
  booted.boot(disk, choices);
  return contents(booted, name);
}

// All that may be read after a crash: the contents of the files, with spaces between.
using States = std::set<std::string>;
States all_after_crash(const SimDisk& disk, const std::vector<std::string>& names = {"file"}) {
  States seen;
  EveryChoice choices;
  do {
    choices.rewind();
    SimDisk booted;
    booted.boot(disk, choices);
    std::string text;
    for (const std::string& name : names) text += (&name == &names.front() ? "" : " ") + contents(booted, name);
    seen.insert(text);
  } while (choices.advance());
  return seen;
}

}  // namespace

TEST_CASE("a page of eight sectors may be torn anywhere") {
  Disk d("posix");
  d.write(0, 8 * 512, 'n');
  CHECK(after_crash(d.disk, {}) == "nnnnnnnn");
  CHECK(after_crash(d.disk, {1, 1, 1, 1, 1, 1, 1, 1}) == "oooooooo");
  CHECK(after_crash(d.disk, {0, 1, 0, 0, 1, 1, 0, 1}) == "nonnoono");
}

TEST_CASE("a synced write is not lost, whatever comes after it") {
  Disk d("posix");
  d.write(0, 512, 'n');
  REQUIRE(d.file->sync(SyncKind::kData).has_value());
  d.write(512, 512, 'x');
  CHECK(after_crash(d.disk, {1, 1, 1, 1}) == "nooooooo");
}

TEST_CASE("any of several unsynced versions of a sector may survive") {
  Disk d("posix");
  for (const char letter : {'1', '2', '3'}) d.write(0, 512, letter);
  CHECK(after_crash(d.disk, {0}).front() == '3');
  CHECK(after_crash(d.disk, {1}).front() == '2');
  CHECK(after_crash(d.disk, {2}).front() == '1');
  CHECK(after_crash(d.disk, {3}).front() == 'o');
}

TEST_CASE("a new file whose directory was not synced may be gone, contents and all") {
  Disk d("posix");
  auto fresh = std::move(d.files.open("fresh", OpenMode::kCreate)).value();
  REQUIRE(write_full(*fresh, 0, as_bytes("hello")).has_value());
  REQUIRE(fresh->sync(SyncKind::kFull).has_value());
  CHECK(after_crash(d.disk, {0}, "fresh") != "-");
  CHECK(after_crash(d.disk, {1}, "fresh") == "-");
  REQUIRE(d.files.sync_directory("").has_value());
  CHECK(after_crash(d.disk, {1}, "fresh") != "-");
}

TEST_CASE("on ext4 a sync of one file makes earlier names of others durable; POSIX promises nothing of the kind") {
  for (const std::string_view model : {"ext4-ordered", "posix"}) {
    Disk d(model);
    REQUIRE(d.files.open("other", OpenMode::kCreate).has_value());
    d.write(0, 512, 'n');
    REQUIRE(d.file->sync(SyncKind::kFull).has_value());
    CHECK((after_crash(d.disk, {1}, "other") == "-") == (model == "posix"));
  }
}

TEST_CASE("on ext4 a size does not survive without the data that it exposes; in POSIX it may, over garbage") {
  Disk ext4("ext4-ordered");
  ext4.write(8 * 512, 512, 'n');
  CHECK(after_crash(ext4.disk, {0, 1}) == "oooooooon");
  CHECK(after_crash(ext4.disk, {1}) == "oooooooo");
  Disk posix("posix");
  posix.write(8 * 512, 512, 'n');
  CHECK(after_crash(posix.disk, {0, 1}) == "oooooooo.");
  CHECK(after_crash(posix.disk, {0, 2}) != "oooooooo.");
}

TEST_CASE("a rename may leave both names or none, or on a journal one of them") {
  const auto names_after = [](std::string_view model) {
    Disk d(model);
    REQUIRE(d.files.rename("file", "moved").has_value());
    std::set<std::string> seen;
    for (std::uint32_t first = 0; first < 2; ++first) {
      for (std::uint32_t second = 0; second < 2; ++second) {
        RecordedChoices choices({first, second});
        SimDisk booted;
        booted.boot(d.disk, choices);
        SimFileSystem files(booted);
        std::string names;
        const auto entries = files.list("").value();
        for (const auto& entry : entries) names += entry.name + " ";
        seen.insert(names);
      }
    }
    return seen;
  };
  CHECK(names_after("posix") == std::set<std::string>{"", "file ", "moved ", "file moved "});
  CHECK(names_after("ext4-ordered") == std::set<std::string>{"file ", "moved "});
}

TEST_CASE("where nothing is reordered, a crash leaves a prefix of what was done") {
  Disk d("prefix");
  for (std::uint64_t at = 0; at < 3; ++at) d.write(at * 512, 512, static_cast<char>('1' + at));
  std::set<std::string> seen;
  for (std::uint32_t a = 0; a < 2; ++a) {
    for (std::uint32_t b = 0; b < 2; ++b) {
      for (std::uint32_t c = 0; c < 2; ++c) seen.insert(after_crash(d.disk, {a, b, c}).substr(0, 3));
    }
  }
  CHECK(seen == std::set<std::string>{"ooo", "1oo", "12o", "123"});
}

TEST_CASE("the crash hook is called before a sync takes effect") {
  Disk d("posix");
  std::vector<std::string> seen;
  d.disk.set_crash_hook([&] { seen.push_back(after_crash(d.disk, {1})); });
  d.write(0, 512, 'n');
  REQUIRE(d.file->sync(SyncKind::kData).has_value());
  REQUIRE(d.file->sync(SyncKind::kData).has_value());
  CHECK(seen == std::vector<std::string>{"oooooooo", "nooooooo"});
}

TEST_CASE("a crash during recovery is a crash of the booted disk") {
  Disk d("posix");
  d.write(0, 1024, 'n');
  RecordedChoices first({1});
  SimDisk booted;
  booted.boot(d.disk, first);
  SimFileSystem files(booted);
  auto file = std::move(files.open("file", OpenMode::kReadWrite)).value();
  std::vector<byte> sector(512);
  REQUIRE(file->read(0, sector).value() == 512);  // resolved: the old one survived the first crash
  REQUIRE(write_full(*file, 0, as_bytes(std::string(512, 'r'))).has_value());
  CHECK(after_crash(booted, {0, 0}).substr(0, 2) == "rn");
  CHECK(after_crash(booted, {1, 0}).substr(0, 2) == "on");  // never "nn": that was decided
  CHECK(after_crash(booted, {1, 1}).substr(0, 2) == "oo");  // the second sector was still open
}

TEST_CASE("what lay beyond the surviving size does not come back when the file grows") {
  Disk d("posix");
  d.write(8 * 512, 512, 'x');
  RecordedChoices lost_size({1});
  SimDisk booted;
  booted.boot(d.disk, lost_size);
  SimFileSystem files(booted);
  auto file = std::move(files.open("file", OpenMode::kReadWrite)).value();
  REQUIRE(file->size().value() == 8 * 512);
  REQUIRE(file->resize(9 * 512).has_value());
  std::vector<byte> sector(512, byte{1});
  REQUIRE(file->read(8 * 512, sector).value() == 512);
  CHECK(sector == std::vector<byte>(512, byte{0}));
}

TEST_CASE("where nothing is reordered, names have their place too, whatever the order of metadata") {
  PersistenceModel model = preset("prefix").value();
  model.metadata_order = MetadataOrder::kAny;
  Disk d(model);
  d.write(0, 512, 'n');
  REQUIRE(d.files.open("later", OpenMode::kCreate).has_value());
  CHECK(all_after_crash(d.disk, {"file", "later"}) == States{"oooooooo -", "nooooooo -", "nooooooo "});
}

TEST_CASE("a sync that takes all metadata along does so without a journal") {
  PersistenceModel model = preset("posix").value();
  model.fsync_makes_all_metadata_durable = true;
  Disk d(model);
  auto other = d.add("other", 'x');
  REQUIRE(d.files.open("fresh", OpenMode::kCreate).has_value());
  REQUIRE(d.file->resize(4 * 512).has_value());
  REQUIRE(other->sync(SyncKind::kFull).has_value());
  CHECK(all_after_crash(d.disk, {"file", "fresh"}) == States{"oooo "});
}

TEST_CASE("a sync that takes all metadata along takes no later data") {
  PersistenceModel model = preset("prefix").value();
  model.fsync_makes_all_metadata_durable = true;
  Disk d(model);
  auto other = std::move(d.files.open("other", OpenMode::kCreate)).value();
  d.write(0, 512, 'n');
  REQUIRE(other->sync(SyncKind::kFull).has_value());
  CHECK(all_after_crash(d.disk, {"file", "other"}) == States{"oooooooo ", "nooooooo "});
}

TEST_CASE("a sync makes a new name durable on a journal that it does not write out") {
  PersistenceModel model = preset("ext4-ordered").value();
  model.fsync_makes_all_metadata_durable = false;
  Disk d(model);
  auto fresh = std::move(d.files.open("fresh", OpenMode::kCreate)).value();
  REQUIRE(d.files.open("later", OpenMode::kCreate).has_value());
  REQUIRE(fresh->sync(SyncKind::kFull).has_value());
  CHECK(all_after_crash(d.disk, {"fresh", "later"}) == States{" -", " "});
}

TEST_CASE("whole writes keep the order of issue within a file") {
  PersistenceModel model = preset("posix").value();
  model.data_order = DataOrder::kFile;
  model.write_is_atom = true;
  Disk d(model);
  for (std::uint64_t at = 0; at < 3; ++at) d.write(at * 1024, 1024, static_cast<char>('1' + at));
  CHECK(all_after_crash(d.disk) == States{"oooooooo", "11oooooo", "1122oooo", "112233oo"});
}

TEST_CASE("what a growing write overwrites in place is not ordered before the size") {
  Disk d("ext4-ordered");
  d.write(7 * 512, 1024, 'n');
  CHECK(all_after_crash(d.disk) == States{"oooooooo", "ooooooon", "ooooooonn", "oooooooon"});
}

TEST_CASE("a split rename over a file writes the data out before the first of its steps") {
  PersistenceModel model = preset("posix").value();
  model.rename_flushes_data = true;
  Disk d(model);
  auto fresh = d.add("fresh", 'x');
  REQUIRE(write_full(*fresh, 0, as_bytes(std::string(512, 'n'))).has_value());
  REQUIRE(d.files.rename("fresh", "file").has_value());
  CHECK(all_after_crash(d.disk, {"file", "fresh"}) == States{"oooooooo x", "oooooooo n", "oooooooo -", "- n", "- -", "n n", "n -"});
}

TEST_CASE("of two renames that each write the data out, the second may survive alone") {
  PersistenceModel model = preset("posix").value();
  model.rename_flushes_data = true;
  model.rename_is_split = false;
  Disk d(model);
  auto moved = d.add("1", 'x');
  d.add("2", '2');
  d.add("3", '3');
  REQUIRE(write_full(*moved, 0, as_bytes(std::string(512, 'n'))).has_value());
  REQUIRE(d.files.rename("1", "2").has_value());
  REQUIRE(d.files.rename("2", "3").has_value());
  CHECK(all_after_crash(d.disk, {"1", "2", "3"}) == States{"x 2 3", "n 2 3", "- n 3", "n - n", "- - n"});
}

TEST_CASE("a lost write may leave garbage, whatever survived of the older ones") {
  PersistenceModel model = preset("posix").value();
  model.data_order = DataOrder::kFile;
  model.in_flight_garbage = true;
  Disk d(model);
  REQUIRE(d.file->resize(1024).has_value());
  REQUIRE(d.file->sync(SyncKind::kFull).has_value());
  d.write(0, 512, '1');
  d.write(512, 512, '2');
  d.write(0, 512, '3');
  CHECK(all_after_crash(d.disk) == States{"oo", "?o", "o?", "??", "1o", "1?", "12", "?2", "32"});
}

TEST_CASE("an atom that a truncation cuts off is not one that is being written") {
  PersistenceModel model = preset("posix").value();
  model.in_flight_garbage = true;
  Disk d(model);
  REQUIRE(d.file->resize(4 * 512).has_value());
  CHECK(all_after_crash(d.disk) == States{"oooooooo", "oooo"});
}

TEST_CASE("what was cut off is garbage or zeros when it comes inside the size again, until that is durable") {
  Disk d("posix");
  REQUIRE(d.file->resize(6 * 512).has_value());
  REQUIRE(d.file->sync(SyncKind::kFull).has_value());
  REQUIRE(d.file->resize(7 * 512).has_value());
  CHECK(all_after_crash(d.disk) == States{"oooooo", "oooooo.", "oooooo?"});
  REQUIRE(d.file->sync(SyncKind::kFull).has_value());
  CHECK(all_after_crash(d.disk) == States{"oooooo."});
  REQUIRE(d.file->resize(6 * 512).has_value());
  REQUIRE(d.file->resize(7 * 512).has_value());
  CHECK(all_after_crash(d.disk) == States{"oooooo.", "oooooo", "oooooo?"});
}

TEST_CASE("a rename that wrote the data out and is durable leaves no garbage") {
  PersistenceModel model = preset("posix").value();
  model.rename_flushes_data = true;
  model.rename_is_split = false;
  Disk d(model);
  auto fresh = d.add("fresh", 'x');
  REQUIRE(fresh->resize(1024).has_value());
  REQUIRE(d.files.rename("fresh", "file").has_value());
  REQUIRE(d.files.sync_directory("").has_value());
  CHECK(all_after_crash(d.disk) == States{"x."});
}

TEST_CASE("a file that was never written and grows after a crash reads as zeros, and is zeros once synced") {
  Disk d("posix");
  auto empty = d.add("empty", 'x');
  REQUIRE(empty->resize(0).has_value());
  REQUIRE(empty->sync(SyncKind::kFull).has_value());
  REQUIRE(d.files.open("new", OpenMode::kCreate).has_value());
  REQUIRE(d.files.sync_directory("").has_value());
  RecordedChoices none({});
  SimDisk booted;
  booted.boot(d.disk, none);
  SimFileSystem files(booted);
  for (const std::string name : {"empty", "new"}) {
    auto file = std::move(files.open(name, OpenMode::kReadWrite)).value();
    REQUIRE(file->resize(512).has_value());
    CHECK(contents(booted, name) == ".");
    CHECK(all_after_crash(booted, {name}) == States{"", ".", "?"});
    REQUIRE(file->sync(SyncKind::kFull).has_value());
    CHECK(all_after_crash(booted, {name}) == States{"."});
  }
}

TEST_CASE("what comes inside a size that an answer about something else made known may be garbage") {
  PersistenceModel model = preset("posix").value();
  model.metadata_order = MetadataOrder::kJournal;
  Disk d(model);
  REQUIRE(d.file->resize(0).has_value());
  REQUIRE(d.files.open("later", OpenMode::kCreate).has_value());
  RecordedChoices later_is_there({0});
  SimDisk booted;
  booted.boot(d.disk, later_is_there);
  SimFileSystem files(booted);
  REQUIRE(files.exists("later").value());
  auto file = std::move(files.open("file", OpenMode::kReadWrite)).value();
  REQUIRE(write_full(*file, 0, as_bytes(std::string(512, 'n'))).has_value());
  CHECK(all_after_crash(booted) == States{"", ".", "?", "n"});
}

TEST_CASE("what lay beyond the surviving size does not come back under a lost write of the same atom") {
  PersistenceModel model = preset("posix").value();
  model.data_order = DataOrder::kFile;
  Disk d(model);
  REQUIRE(d.file->resize(768).has_value());
  REQUIRE(d.file->sync(SyncKind::kFull).has_value());
  d.write(768, 256, 't');
  d.write(0, 512, 'n');
  RecordedChoices write_kept_size_lost({0, 1});
  SimDisk booted;
  booted.boot(d.disk, write_kept_size_lost);
  SimFileSystem files(booted);
  auto file = std::move(files.open("file", OpenMode::kReadWrite)).value();
  std::vector<byte> sector(512);
  REQUIRE(file->read(0, sector).value() == 512);
  REQUIRE(sector[0] == byte{'n'});
  REQUIRE(write_full(*file, 512, as_bytes("w")).has_value());
  REQUIRE(file->size().value() == 768);
  REQUIRE(file->resize(1024).has_value());
  EveryChoice choices;
  do {
    choices.rewind();
    SimDisk again;
    again.boot(booted, choices);
    SimFileSystem files_again(again);
    auto opened = std::move(files_again.open("file", OpenMode::kRead)).value();
    if (opened->size().value() != 1024) continue;
    REQUIRE(opened->read(512, sector).value() == 512);
    CHECK(sector[511] == byte{0});
  } while (choices.advance());
}

TEST_CASE("the simulated file system refuses what a real one would") {
  Disk d("posix");
  CHECK(d.files.open("none", OpenMode::kRead).error().code() == ErrorCode::kNotFound);
  CHECK(d.files.open("file", OpenMode::kCreateNew).error().code() == ErrorCode::kAlreadyExists);
  CHECK(d.files.open("file/inside", OpenMode::kCreate).error().code() == ErrorCode::kInvalidArgument);
  CHECK(d.files.open("none/inside", OpenMode::kCreate).error().code() == ErrorCode::kNotFound);
  CHECK(d.files.open("../out", OpenMode::kCreate).error().code() == ErrorCode::kInvalidArgument);
  CHECK(d.files.remove("none").error().code() == ErrorCode::kNotFound);
  REQUIRE(d.files.make_directory("dir").has_value());
  CHECK(d.files.make_directory("dir").error().code() == ErrorCode::kAlreadyExists);
  CHECK(d.files.remove("dir").error().code() == ErrorCode::kInvalidArgument);
  REQUIRE(d.files.rename("file", "dir/file").has_value());
  CHECK(d.files.remove_directory("dir").error().code() == ErrorCode::kInvalidArgument);
  REQUIRE(d.files.remove("dir/file").has_value());
  REQUIRE(d.files.remove_directory("dir").has_value());
  CHECK(d.files.list("").value().empty());
  CHECK(d.file->size().value() == 8 * 512);  // still open: the file lives on without a name
}

TEST_CASE("formatting leaves an empty disk") {
  Disk d("posix");
  d.disk.format(preset("prefix").value());
  SimFileSystem files(d.disk);
  CHECK(files.list("").value().empty());
  CHECK(d.disk.operations() == 0);
  CHECK(d.disk.pending_chains() == 0);
}

}  // namespace powercut::testing
