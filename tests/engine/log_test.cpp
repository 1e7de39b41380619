// The writer of the log: where records go, what is durable when, and what a power cut leaves of it, again and again.
#include "engine/ledger/log.h"

#include "faultfs/hash.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/trace.h"
#include "faultfs/tracing_file_system.h"
#include "tests/support/failing_sync.h"
#include "tests/support/open_log.h"
#include "tests/support/property.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using namespace ledger;
using faultfs::OpenMode;
using faultfs::Operation;
using faultfs::OperationKind;
using faultfs::SimDisk;
using faultfs::SimFileSystem;

struct OnDisk {
  OnDisk() : files(disk), writer(files) { writer.create(); }

  std::vector<std::string> rows() {
    OpenLog reader(files);
    std::vector<std::string> rows;
    for (const LogEntry& entry : reader.open()) rows.push_back(entry.row);
    return rows;
  }

  SimDisk disk;
  SimFileSystem files;
  OpenLog writer;
};

struct Counts final : faultfs::TraceSink {
  void on_operation(const Operation& operation) override { seen.push_back(operation.kind); }
  std::size_t count(OperationKind kind) const { return static_cast<std::size_t>(std::count(seen.begin(), seen.end(), kind)); }

  std::vector<OperationKind> seen;
};

}  // namespace

TEST_CASE("a segment is named by its number in hexadecimal, and nothing else is a segment") {
  CHECK(segment_name(1) == "log-00000001");
  CHECK(segment_name(0xfedcba98) == "log-fedcba98");
  CHECK(segment_of_name("log-0000001f") == 31);
  for (const char* const other :
       {"log-0000001F", "log-000001f", "log-0000000001f", "log-0000001g", "log-00000000", "LOG-00000001", ""}) {
    CHECK(segment_of_name(other) == 0);
  }
}

TEST_CASE("a segment header has these bytes, and is good for its place only") {
  std::array<byte, 32> header{};
  encode_segment_header(header, 0x1122334455667788, 9, kSegment);
  CHECK(as_text(std::span(header).first(8)) == "PLOGSemg");
  CHECK(load<std::uint64_t>(&header[8]) == 0x1122334455667788);
  CHECK(load<std::uint64_t>(&header[16]) == 9);
  CHECK(load<std::uint32_t>(&header[24]) == kSegment);
  CHECK(load<std::uint32_t>(&header[28]) == crc32c(~0U, std::span<const byte>(header).first(28)));
  CHECK(check_segment_header(header, 0x1122334455667788, 9, kSegment).empty());
  CHECK_FALSE(check_segment_header(header, 0x1122334455667789, 9, kSegment).empty());
  CHECK_FALSE(check_segment_header(header, 0x1122334455667788, 8, kSegment).empty());
  CHECK_FALSE(check_segment_header(header, 0x1122334455667788, 9, 2 * kSegment).empty());
  for (std::size_t at = 0; at < header.size(); ++at) {
    auto damaged = header;
    damaged[at] ^= byte{1};
    CHECK_FALSE(check_segment_header(damaged, 0x1122334455667788, 9, kSegment).empty());
  }
}

TEST_CASE("nothing is written before a flush, and one flush of any record is one write and one sync for all") {
  OnDisk on_disk;
  Counts counts;
  faultfs::TracingFileSystem traced(on_disk.files, counts);
  OpenLog log(traced);
  log.open();
  const Lsn first = log.append("one").value();
  const Lsn second = log.append("two").value();
  counts.seen.clear();
  const Lsn third = log.append("three").value();
  CHECK(counts.seen.empty());
  REQUIRE(log.log->flush(first).has_value());
  CHECK(counts.seen == std::vector{OperationKind::kWrite, OperationKind::kSync});
  REQUIRE(log.log->flush(second).has_value());
  REQUIRE(log.log->flush(third).has_value());
  CHECK(counts.seen.size() == 2);
  CHECK(on_disk.rows() == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("opening a log and reading it writes nothing and looks at no directory") {
  OnDisk on_disk;
  const Lsn place = on_disk.writer.append("row").value();
  REQUIRE(on_disk.writer.log->flush(place).has_value());
  Counts counts;
  faultfs::TracingFileSystem traced(on_disk.files, counts);
  {
    OpenLog log(traced);
    CHECK(log.open().size() == 1);
    std::string copy;
    CHECK(log.log->read(place, copy).has_value());
  }
  CHECK(counts.count(OperationKind::kOpen) + counts.count(OperationKind::kRead) == counts.seen.size());
}

TEST_CASE("an incarnation is counted once, durably, before its first record") {
  OnDisk on_disk;
  Counts counts;
  faultfs::TracingFileSystem traced(on_disk.files, counts);
  OpenLog log(traced);
  log.open();
  CHECK(log.control.record().epoch == 1);
  REQUIRE(log.append("row").has_value());
  CHECK(log.control.record().epoch == 2);
  Control control(on_disk.files, "db", log.defects);
  REQUIRE(control.read().value());
  CHECK(control.record().epoch == 2);
  counts.seen.clear();
  REQUIRE(log.append("row").has_value());
  CHECK(log.control.record().epoch == 2);
  CHECK(counts.seen.empty());
}

TEST_CASE("the log goes on after a record that fills its segment, or leaves it too short for a pad, or just long enough") {
  for (const std::size_t left :
       {std::size_t{0}, kRecordHeaderBytes - 1, kRecordHeaderBytes, kRecordHeaderBytes + 1, std::size_t{100}}) {
    CAPTURE(left);
    for (const bool reopened : {false, true}) {
      CAPTURE(reopened);
      OnDisk on_disk;
      const Lsn first = on_disk.writer.append_leaving(left);
      REQUIRE(on_disk.writer.log->flush(first).has_value());
      CHECK(raw(on_disk.writer.log->end()) == 2 * kSegment - left);
      OpenLog after(on_disk.files);
      OpenLog& log = reopened ? after : on_disk.writer;
      if (reopened) {
        CHECK(after.open().size() == 1);
        CHECK(raw(after.log->end()) == 2 * kSegment - left);
      }
      const Lsn second = log.append(std::string(200, 's')).value();
      CHECK(raw(second) == 2 * kSegment + kSegmentHeaderBytes);
      REQUIRE(log.log->flush(second).has_value());
      CHECK(on_disk.rows().size() == 2);
    }
  }
}

TEST_CASE("a log that ends with a pad, or with a segment nobody used, goes on in a new one of the same number") {
  for (const bool with_segment : {false, true}) {
    CAPTURE(with_segment);
    OnDisk on_disk;
    const Lsn first = on_disk.writer.append_leaving(100);
    REQUIRE(on_disk.writer.log->flush(first).has_value());
    // Not flushed: the segment before is, with its pad, and the new one is ready.
    REQUIRE(on_disk.writer.append(std::string(300, 'u')).has_value());
    if (!with_segment) REQUIRE(on_disk.files.remove("db/log-00000002").has_value());
    OpenLog log(on_disk.files);
    CHECK(log.open().size() == 1);
    CHECK(raw(log.log->end()) == 2 * kSegment);
    const Lsn second = log.append("new").value();
    CHECK(raw(second) == 2 * kSegment + kSegmentHeaderBytes);
    REQUIRE(log.log->flush(second).has_value());
    CHECK(on_disk.rows().size() == 2);
  }
}

TEST_CASE("a leftover file with the name of the next segment is not taken for it") {
  OnDisk on_disk;
  const Lsn first = on_disk.writer.append_leaving(10);
  REQUIRE(on_disk.writer.log->flush(first).has_value());
  // A power cut while segment 1 was made segment 2: its name is new, its bytes are old.
  auto old = std::move(on_disk.files.open("db/log-00000001", OpenMode::kRead)).value();
  std::string bytes(kSegment, '\0');
  REQUIRE(read_full(*old, 0, {reinterpret_cast<byte*>(bytes.data()), bytes.size()}).value() == kSegment);
  const auto leave = [&](std::size_t size) {
    auto file = std::move(on_disk.files.open("db/log-00000002", OpenMode::kCreate)).value();
    REQUIRE(file->resize(0).has_value());
    REQUIRE(write_full(*file, 0, as_bytes(bytes).first(size)).has_value());
  };
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kSegmentHeaderBytes - 1, kSegmentHeaderBytes, std::size_t{kSegment}}) {
    CAPTURE(size);
    leave(size);
    CHECK(on_disk.rows().size() == 1);
  }
  // Nor with a good header before the old bytes.
  encode_segment_header({reinterpret_cast<byte*>(bytes.data()), kSegmentHeaderBytes}, kDatabaseId, 2, kSegment);
  leave(kSegment);
  CHECK(on_disk.rows().size() == 1);

  OpenLog log(on_disk.files);
  log.open();
  const Lsn second = log.append("new").value();
  REQUIRE(log.log->flush(second).has_value());
  CHECK(on_disk.rows().back() == "new");
}

TEST_CASE("segments that are not needed are used again, and the many that will not be needed soon go two at a time") {
  OnDisk on_disk;
  const auto fill_segment = [&] {
    on_disk.writer.append_leaving(0);
    REQUIRE(on_disk.writer.append("first of the next").has_value());
  };
  const auto segments = [&] {
    const auto entries = on_disk.files.list("db").value();
    return std::count_if(entries.begin(), entries.end(), [](const auto& entry) { return segment_of_name(entry.name) != 0; });
  };
  for (int segment = 0; segment < 30; ++segment) fill_segment();
  CHECK(segments() == 31);
  on_disk.writer.log->release_before(on_disk.writer.log->end());
  // Of 30 one is used at once, and 16 stay for the time up to the next checkpoint.
  fill_segment();
  CHECK(segments() == 29);
  for (int segment = 0; segment < 10; ++segment) fill_segment();
  CHECK(segments() == 22);
  // From checkpoint to checkpoint of the usual distance none is made and, once the rest is gone, none removed.
  std::ptrdiff_t kept = 0;
  for (int checkpoint = 0; checkpoint < 5; ++checkpoint) {
    on_disk.writer.log->release_before(on_disk.writer.log->end());
    for (int segment = 0; segment < 16; ++segment) {
      fill_segment();
      if (checkpoint > 2) CHECK(segments() == kept);
    }
    kept = segments();
  }
  CHECK(kept == 18);
}

TEST_CASE("a record that no segment can hold is refused, and the log goes on") {
  OnDisk on_disk;
  CHECK(on_disk.writer.append(std::string(kSegment, 'x')).error().code() == ErrorCode::kInvalidArgument);
  CHECK_FALSE(on_disk.writer.log->failure());
  const Lsn largest = on_disk.writer.append(std::string(kSegment - kSegmentHeaderBytes - kRowOverhead, 'x')).value();
  REQUIRE(on_disk.writer.log->flush(largest).has_value());
  CHECK(on_disk.rows().size() == 1);
}

TEST_CASE("a failed sync stops the log for ever, and it says why") {
  SimDisk disk;
  SimFileSystem simulated(disk);
  FailingSync files(simulated);
  OpenLog log(files);
  log.create();
  SECTION("of a flush") {
    const Lsn place = log.append("row").value();
    files.failing = true;
    CHECK(log.log->flush(place).error().code() == ErrorCode::kStopped);
  }
  SECTION("of a new segment") {
    REQUIRE(log.log->flush(log.append_leaving(10)).has_value());
    files.failing = true;
    CHECK(log.append("row").error().code() == ErrorCode::kStopped);
  }
  SECTION("of a new incarnation") {
    log.log.emplace(files, "db", log.control, log.options, log.memory);
    log.open();
    files.failing = true;
    CHECK(log.append("row").error().code() == ErrorCode::kStopped);
  }
  files.failing = false;
  CHECK(log.log->failure());
  CHECK(log.log->flush(log.log->end()).error().code() == ErrorCode::kStopped);
  const auto refused = log.append("row");
  CHECK(refused.error().code() == ErrorCode::kStopped);
  CHECK(refused.error().context().find("the sync fails") != std::string::npos);
}

TEST_CASE("what a killed process wrote and did not sync is durable before anything is built on it") {
  SimDisk disk;
  SimFileSystem simulated(disk);
  FailingSync files(simulated);
  {
    OpenLog killed(files);
    killed.create();
    const Lsn place = killed.append_leaving(0);
    files.failing = true;
    REQUIRE(killed.log->flush(place).has_error());
    files.failing = false;
  }
  OpenLog log(files);
  REQUIRE(log.open().size() == 1);
  const Lsn place = log.append("built on it").value();
  REQUIRE(log.log->flush(place).has_value());

  // Of everything that may be lost, all is.
  struct Oldest final : faultfs::Choices {
    std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& /*label*/) override { return n - 1; }
  } oldest;
  SimDisk after;
  after.boot(disk, oldest);
  SimFileSystem files_after(after);
  OpenLog found(files_after);
  CHECK(found.open().size() == 2);
}

TEST_CASE("a flush of what recovery read makes it durable, before a page that it describes is written") {
  SimDisk disk;
  SimFileSystem simulated(disk);
  FailingSync files(simulated);
  Lsn place{};
  {
    OpenLog killed(files);
    killed.create();
    place = killed.append("read by recovery").value();
    files.failing = true;
    REQUIRE(killed.log->flush(place).has_error());
    files.failing = false;
  }
  OpenLog log(files);
  REQUIRE(log.open().size() == 1);
  REQUIRE(log.log->flush(place).has_value());

  struct Oldest final : faultfs::Choices {
    std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& /*label*/) override { return n - 1; }
  } oldest;
  SimDisk after;
  after.boot(disk, oldest);
  SimFileSystem files_after(after);
  OpenLog found(files_after);
  CHECK(found.open().size() == 1);
}

namespace {

// What a log must hold: everything up to `durable`, and of what comes after it a prefix.
struct Model {
  std::vector<LogEntry> entries;
  std::size_t durable = 0;
  Lsn redo = Lsn::kNone;  // of the last control record that is durable
};

struct Life {
  faultfs::PersistenceModel persistence;
  Random& random;
  std::uint32_t log_block = 1;
  std::uint32_t deaths = 0;
};

// Opens the log of a disk, checks it against the model, and uses it; at one of its syncs the power fails, and it starts
// again on what is left.
void live(Life& life, SimDisk& disk, Model model, std::uint32_t more_deaths) {
  SimFileSystem files(disk);
  OpenLog log(files, life.log_block);
  const std::vector<LogEntry> found = log.open();

  const Lsn redo = log.control.record().redo;
  RC_ASSERT(redo >= model.redo);
  std::size_t first = 0;
  while (first < model.entries.size() && model.entries[first].lsn < redo) ++first;
  RC_ASSERT(found.size() <= model.entries.size() - first);
  RC_ASSERT(first + found.size() >= model.durable);
  for (std::size_t at = 0; at < found.size(); ++at) {
    RC_ASSERT(found[at].lsn == model.entries[first + at].lsn);
    RC_ASSERT(found[at].row == model.entries[first + at].row);
  }
  model.entries.resize(first + found.size());
  model.durable = std::min(model.durable, model.entries.size());
  model.redo = redo;

  Random& random = life.random;
  const std::size_t large = random.below(2) == 0 ? 700 : 7000;
  const std::uint32_t death = random.below(12);
  std::uint32_t syncs = 0;
  disk.set_crash_hook([&] {
    if (more_deaths == 0 || syncs++ != death) return;
    ++life.deaths;
    faultfs::RandomChoices choices(random.next());
    SimDisk after;
    after.boot(disk, choices);
    live(life, after, model, more_deaths - 1);
  });
  for (std::uint32_t steps = 5 + random.below(40); steps > 0; --steps) {
    const std::uint32_t step = random.below(8);
    if (step < 5) {
      // Few lengths, so that the records of one incarnation begin and end where those of another did.
      const std::array<std::size_t, 6> lengths{0, 512 - kRowOverhead, 700, 700, large, large};
      std::string row(lengths[random.below(6)], '\0');
      Random content(random.next());
      for (char& c : row) c = static_cast<char>(content.next() >> 56U);
      const auto place = log.append(row);
      RC_ASSERT(place.has_value());
      model.entries.push_back({place.value(), row});
    } else if (!model.entries.empty()) {
      const Lsn last = model.entries.back().lsn;
      RC_ASSERT(log.log->flush(last).has_value());
      model.durable = model.entries.size();
      if (step == 7) {
        // A checkpoint: redo starts later, and what is before it is not needed.
        std::size_t at = model.entries.size() - 1;
        for (std::uint32_t back = random.below(6); back > 0 && at > 0 && model.entries[at - 1].lsn >= model.redo; --back) --at;
        RC_ASSERT(log.control.checkpointed(last, model.entries[at].lsn).has_value());
        model.redo = model.entries[at].lsn;
        log.log->release_before(model.redo);
      }
    }
  }
  disk.set_crash_hook(nullptr);
  // Each record that may be needed can still be read back.
  std::string copy;
  for (const LogEntry& entry : model.entries) {
    if (entry.lsn < model.redo) continue;
    const auto record = log.log->read(entry.lsn, copy);
    RC_ASSERT(record.has_value());
    RC_ASSERT(decode_row(record.value().header.type, record.value().body).value().change.after == entry.row);
  }
}

}  // namespace

TEST_CASE("power cut after power cut, a log is a prefix of what was appended that has all that was flushed") {
  std::uint32_t deaths = 0;
  property(
      "log under power cuts",
      [&](std::uint64_t seed) {
        Random random(seed);
        Life life{faultfs::preset(std::array{"posix", "ext4-ordered", "prefix"}[random.below(3)]).value(), random};
        if (random.below(2) == 0) life.persistence.atom_bytes = 4096;
        life.log_block = std::array{1U, 512U, 4096U}[random.below(3)];
        SimDisk disk;
        disk.format(life.persistence);
        SimFileSystem files(disk);
        OpenLog(files).create();
        live(life, disk, {}, 3);
        deaths += life.deaths;
      },
      10);
  CHECK(deaths > 300);
}

}  // namespace powercut::testing
