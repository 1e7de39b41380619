// The control file: what is on disk, and what a power cut or damage leaves of it.
#include "engine/ledger/control.h"
#include "faultfs/hash.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/property.h"

#include <array>
#include <optional>

namespace powercut::testing {
namespace {

using namespace ledger;
using faultfs::OpenMode;
using faultfs::RandomChoices;
using faultfs::SimDisk;
using faultfs::SimFileSystem;

ControlRecord first_record() {
  ControlRecord record;
  record.database_id = 0x1122334455667788;
  record.segment_bytes = kLeastSegmentBytes;
  return record;
}

bool same(const ControlRecord& a, const ControlRecord& b) {
  return a.sequence == b.sequence && a.database_id == b.database_id && a.segment_bytes == b.segment_bytes && a.epoch == b.epoch &&
         a.checkpoint == b.checkpoint && a.redo == b.redo;
}

// The weakest disk there is: what was in flight may be garbage, too.
faultfs::PersistenceModel weakest() {
  faultfs::PersistenceModel model;
  model.in_flight_garbage = true;
  return model;
}

// Changes the record as checkpoints and new incarnations do.
void change(Control& control, Random& random) {
  if (random.below(3) == 0) {
    RC_ASSERT(control.next_epoch().has_value());
  } else {
    const Lsn redo{raw(control.record().redo) + random.below(50000)};
    RC_ASSERT(control.checkpointed(redo + random.below(50000), redo).has_value());
  }
}

}  // namespace

TEST_CASE("without a control file there is no database") {
  SimDisk disk;
  SimFileSystem files(disk);
  const Defects defects;
  Control control(files, "db", defects);
  REQUIRE(files.make_directory("db").has_value());
  CHECK_FALSE(control.read().value());
  auto file = std::move(files.open("db/control.tmp", OpenMode::kCreate)).value();
  CHECK_FALSE(control.read().value());
  file = std::move(files.open("db/control", OpenMode::kCreate)).value();
  CHECK(control.read().error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("a control record has these bytes") {
  SimDisk disk;
  SimFileSystem files(disk);
  const Defects defects;
  REQUIRE(files.make_directory("db").has_value());
  Control control(files, "db", defects);
  control.prepare(first_record());
  REQUIRE(control.create().has_value());
  REQUIRE(control.next_epoch().has_value());
  REQUIRE(control.checkpointed(Lsn{0x0102030405}, Lsn{0x0a0b0c0d0e}).has_value());
  REQUIRE(control.checkpointed(Lsn{0x0102030406}, Lsn{0x0a0b0c0d0f}).has_value());

  auto file = std::move(files.open("db/control", OpenMode::kRead)).value();
  CHECK(file->size().value() == 8192);
  std::array<byte, 64> slot{};
  REQUIRE(read_full(*file, 4096, slot).value() == slot.size());  // the record of an odd sequence number is in the second slot
  CHECK(as_text(std::span(slot).first(8)) == "LPContrl");
  CHECK(load<std::uint32_t>(&slot[8]) == 3);                    // format version
  CHECK(load<std::uint32_t>(&slot[12]) == kLeastSegmentBytes);  // segment bytes
  CHECK(load<std::uint64_t>(&slot[16]) == 3);                   // sequence
  CHECK(load<std::uint64_t>(&slot[24]) == 0x1122334455667788);  // database id
  CHECK(load<std::uint64_t>(&slot[32]) == 0x0102030406);        // checkpoint
  CHECK(load<std::uint64_t>(&slot[40]) == 0x0a0b0c0d0f);        // redo
  CHECK(load<std::uint32_t>(&slot[48]) == 2);                   // epoch
  CHECK(load<std::uint64_t>(&slot[52]) == 0);                   // zeros
  CHECK(load<std::uint32_t>(&slot[60]) == crc32c(~0U, std::span<const byte>(slot).first(60)));
  REQUIRE(read_full(*file, 0, slot).value() == slot.size());
  CHECK(load<std::uint64_t>(&slot[16]) == 2);
}

TEST_CASE("a database of another format version is not damaged, but not for this engine") {
  SimDisk disk;
  SimFileSystem files(disk);
  const Defects defects;
  REQUIRE(files.make_directory("db").has_value());
  Control control(files, "db", defects);
  control.prepare(first_record());
  REQUIRE(control.create().has_value());
  auto file = std::move(files.open("db/control", OpenMode::kReadWrite)).value();
  std::array<byte, kControlRecordBytes> slot{};
  REQUIRE(read_full(*file, 0, slot).value() == slot.size());
  const auto write_version = [&](std::uint32_t version, std::uint64_t offset) {
    store(&slot[8], version);
    store(&slot[60], crc32c(~0U, std::span<const byte>(slot).first(60)));
    REQUIRE(write_full(*file, offset, slot).has_value());
  };
  for (const std::uint32_t version : {1U, 2U, 4U}) {
    write_version(version, 0);
    const auto read = control.read();
    REQUIRE(read.has_error());
    CHECK(read.error().code() == ErrorCode::kUnsupported);
    CHECK(read.error().message() ==
          "unsupported: db/control: a database of format version " + std::to_string(version) + "; this engine reads version 3");
    // Not a version, but damage.
    REQUIRE(write_full(*file, 8, std::array<byte, 1>{byte{9}}).has_value());
    CHECK(control.read().error().code() == ErrorCode::kCorrupt);
  }
  write_version(1, 0);
  write_version(kFormatVersion, kControlSlotBytes);
  CHECK(control.read().value());
}

TEST_CASE("a power cut while the control file is made leaves the whole of it or none") {
  property("control creation", [](std::uint64_t seed) {
    SimDisk disk;
    disk.format(weakest());
    SimFileSystem files(disk);
    const Defects defects;
    RC_ASSERT(files.make_directory("db").has_value());
    RC_ASSERT(files.sync_directory("").has_value());
    Control control(files, "db", defects);
    control.prepare(first_record());
    disk.set_crash_hook([&] {
      RandomChoices choices(seed);
      SimDisk after;
      after.boot(disk, choices);
      SimFileSystem files_after(after);
      Control found(files_after, "db", defects);
      const auto exists = found.read();
      RC_ASSERT(exists.has_value());
      if (exists.value()) RC_ASSERT(same(found.record(), first_record()));
    });
    RC_ASSERT(control.create().has_value());
    disk.set_crash_hook(nullptr);
    RandomChoices choices(seed);
    SimDisk after;
    after.boot(disk, choices);
    SimFileSystem files_after(after);
    Control found(files_after, "db", defects);
    RC_ASSERT(found.read().value());
    RC_ASSERT(same(found.record(), first_record()));
  });
}

TEST_CASE("a power cut leaves the control record that was last durable, or the next") {
  property("control updates", [](std::uint64_t seed) {
    Random random(seed);
    SimDisk disk;
    disk.format(weakest());
    SimFileSystem files(disk);
    const Defects defects;
    RC_ASSERT(files.make_directory("db").has_value());
    RC_ASSERT(files.sync_directory("").has_value());
    Control control(files, "db", defects);
    control.prepare(first_record());
    RC_ASSERT(control.create().has_value());
    std::uint32_t crashes = 0;
    disk.set_crash_hook([&] {
      ++crashes;
      RandomChoices choices(random.next());
      SimDisk after;
      after.boot(disk, choices);
      SimFileSystem files_after(after);
      Control found(files_after, "db", defects);
      RC_ASSERT(found.read().value());
      const ControlRecord durable = control.record();
      if (found.record().sequence == durable.sequence) {
        RC_ASSERT(same(found.record(), durable));
      } else {
        RC_ASSERT(found.record().sequence == durable.sequence + 1);
      }
      // What was found can be changed, and is then found.
      change(found, random);
      Control again(files_after, "db", defects);
      RC_ASSERT(again.read().value());
      RC_ASSERT(same(again.record(), found.record()));
    });
    const std::uint32_t changes = 1 + random.below(8);
    for (std::uint32_t done = 0; done < changes; ++done) change(control, random);
    RC_ASSERT(crashes == changes);
  });
}

TEST_CASE("a damaged control file gives a record that was written, or says that it is corrupt") {
  property("damaged control files", [](std::uint64_t seed) {
    Random random(seed);
    SimDisk disk;
    SimFileSystem files(disk);
    const Defects defects;
    RC_ASSERT(files.make_directory("db").has_value());
    Control control(files, "db", defects);
    control.prepare(first_record());
    RC_ASSERT(control.create().has_value());
    std::vector<ControlRecord> written{control.record()};
    for (std::uint32_t changes = random.below(5); changes > 0; --changes) {
      change(control, random);
      written.push_back(control.record());
    }
    auto file = std::move(files.open("db/control", OpenMode::kReadWrite)).value();
    for (std::uint32_t wild = 1 + random.below(4); wild > 0; --wild) {
      const std::string bytes(1 + random.below(16), static_cast<char>(random.below(256)));
      const std::uint64_t slot = random.below(2) * kControlSlotBytes;
      RC_ASSERT(write_full(*file, slot + random.below(64), as_bytes(bytes)).has_value());
    }
    if (random.below(8) == 0) RC_ASSERT(file->resize(random.below(8192)).has_value());
    Control found(files, "db", defects);
    const auto read = found.read();
    if (read.has_error()) {
      RC_ASSERT(read.error().code() == ErrorCode::kCorrupt);
      RC_ASSERT(read.error().context().find("db/control") != std::string::npos);
      return;
    }
    bool known = false;
    for (const ControlRecord& record : written) known = known || same(record, found.record());
    RC_ASSERT(known);
  });
}

}  // namespace powercut::testing
