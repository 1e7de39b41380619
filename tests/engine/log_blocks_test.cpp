// A log that is written in whole blocks, as direct I/O wants it: it holds the same bytes as one that is not.
#include "engine/ledger/log.h"

#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/trace.h"
#include "faultfs/tracing_file_system.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/open_log.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using namespace ledger;
using faultfs::Operation;
using faultfs::OperationKind;

struct Writes final : faultfs::TraceSink {
  void on_operation(const Operation& operation) override {
    if (operation.kind == OperationKind::kWrite) seen.push_back(operation);
  }
  std::vector<Operation> seen;
};

// A log on a disk of its own, whose writes are noted.
struct BlockLog {
  explicit BlockLog(std::uint32_t log_block) : block(log_block) {
    reopen();
    log->create();
  }

  void reopen() { log = std::make_unique<OpenLog>(traced, block); }

  std::vector<std::string> rows() {
    OpenLog reader(files);
    std::vector<std::string> rows;
    for (const LogEntry& entry : reader.open()) rows.push_back(entry.row);
    return rows;
  }

  std::string segment(std::uint64_t number) {
    const auto file = std::move(files.open("db/" + segment_name(number), faultfs::OpenMode::kRead)).value();
    std::string bytes(kSegment, '\0');
    RC_ASSERT(read_full(*file, 0, {reinterpret_cast<byte*>(bytes.data()), bytes.size()}).value() == kSegment);
    return bytes;
  }

  // Of a flush or of the end of a segment; not those that make a segment or go on after an earlier incarnation.
  bool writes_are_whole() const {
    return std::all_of(writes.seen.begin(), writes.seen.end(), [&](const Operation& write) {
      const bool makes_segment = write.offset == 0 && write.length == kSegmentHeaderBytes + kRecordHeaderBytes;
      return makes_segment || (write.offset % block == 0 && write.length % block == 0);
    });
  }

  std::uint32_t block;
  faultfs::SimDisk disk;
  faultfs::SimFileSystem files{disk};
  FaultyFileSystem faulty{files};
  Writes writes;
  faultfs::TracingFileSystem traced{faulty, writes};
  std::unique_ptr<OpenLog> log;
};

std::string drawn_row(Random& random) {
  // Some end a block exactly.
  const std::array<std::uint32_t, 5> most{100, 100, 600, 6000, 512 - kRowOverhead};
  const std::uint32_t draw = random.below(5);
  std::string row(draw == 4 ? most[4] : random.below(most[draw]), '\0');
  for (char& c : row) c = static_cast<char>(random.next() >> 56U);
  return row;
}

constexpr std::array kBlocks{512U, 4096U};

}  // namespace

TEST_CASE("in whole blocks or not, the log holds the same bytes, and every record is found after a reopen anywhere") {
  property("blocks", [](std::uint64_t seed) {
    Random random(seed);
    BlockLog plain(1);
    BlockLog blocks(kBlocks[random.below(2)]);
    blocks.writes.seen.clear();
    std::vector<std::string> flushed;
    std::vector<std::string> appended;
    for (std::uint32_t steps = 1 + random.below(30); steps > 0; --steps) {
      const std::uint32_t step = random.below(8);
      if (step == 0) {
        // What is not flushed is lost.
        RC_ASSERT(blocks.writes_are_whole());
        for (BlockLog* const each : {&plain, &blocks}) each->reopen();
        RC_ASSERT(plain.log->open().size() == blocks.log->open().size());
        RC_ASSERT(plain.log->log->end() == blocks.log->log->end());
        appended = plain.rows();
        RC_ASSERT(appended.size() >= flushed.size());
        for (BlockLog* const each : {&plain, &blocks}) RC_ASSERT(each->log->append("first of its life").has_value());
        appended.emplace_back("first of its life");
        blocks.writes.seen.clear();
      } else if (step < 6) {
        const std::string row = drawn_row(random);
        const auto place = plain.log->append(row);
        RC_ASSERT(place.has_value());
        RC_ASSERT(blocks.log->append(row).value() == place.value());
        appended.push_back(row);
      } else if (!appended.empty()) {
        const auto last = static_cast<Lsn>(raw(plain.log->log->end()) - 1);
        for (BlockLog* const each : {&plain, &blocks}) RC_ASSERT(each->log->log->flush(last).has_value());
        flushed = appended;
        RC_ASSERT(blocks.rows() == flushed);
        for (std::uint64_t segment = raw(last) / kSegment; segment > 0; --segment) {
          RC_ASSERT(plain.segment(segment) == blocks.segment(segment));
        }
      }
      RC_ASSERT(blocks.writes_are_whole());
    }
  });
}

TEST_CASE("a write that finds the disk full is put back, and another try writes all of it again") {
  std::uint64_t hits = 0;
  property("full disks", [&](std::uint64_t seed) {
    Random random(seed);
    BlockLog blocks(std::array{1U, 512U, 4096U}[random.below(3)]);
    std::vector<std::string> rows;
    const auto append = [&] {
      rows.push_back(drawn_row(random));
      const auto place = blocks.log->append(rows.back());
      RC_ASSERT(place.has_value());
      return place.value();
    };
    for (std::uint32_t rounds = 1 + random.below(4); rounds > 0; --rounds) {
      if (random.below(3) == 0) {
        RC_ASSERT(blocks.log->log->flush(append()).has_value());
        blocks.reopen();
        RC_ASSERT(blocks.log->open().size() == rows.size());
      }
      Lsn place = append();
      for (std::uint32_t tries = 1 + random.below(3); tries > 0; --tries) {
        const auto done = std::array{Fault::Done::kNothing, Fault::Done::kHalf, Fault::Done::kAll}[random.below(3)];
        blocks.faulty.break_with({FaultKind::kWrite, 0, true, ErrorCode::kNoSpace, done});
        const auto flushed = blocks.log->log->flush(place);
        RC_ASSERT(flushed.has_error());
        RC_ASSERT(flushed.error().code() == ErrorCode::kNoSpace);
        hits += blocks.faulty.hits();
        blocks.faulty.mend();
        RC_ASSERT(!blocks.log->log->failure());
        std::string copy;
        const auto record = blocks.log->log->read(place, copy);
        RC_ASSERT(record.has_value());
        RC_ASSERT(decode_row(record.value().header.type, record.value().body).value().change.after == rows.back());
        if (random.below(2) == 0) place = append();
      }
      RC_ASSERT(blocks.log->log->flush(place).has_value());
      RC_ASSERT(blocks.rows() == rows);
    }
  });
  CHECK(hits > 50);
}

TEST_CASE("a segment that is written in blocks ends with a pad, in a write that ends where the segment does") {
  for (const std::uint32_t block : kBlocks) {
    CAPTURE(block);
    BlockLog blocks(block);
    const Lsn first = blocks.log->append_leaving(100);
    REQUIRE(blocks.log->log->flush(first).has_value());
    blocks.writes.seen.clear();
    const Lsn second = blocks.log->append(std::string(200, 's')).value();
    CHECK(raw(second) == 2 * kSegment + kSegmentHeaderBytes);
    REQUIRE(blocks.log->log->flush(second).has_value());
    const auto pad = std::find_if(blocks.writes.seen.begin(), blocks.writes.seen.end(),
                                  [](const Operation& write) { return write.path == "db/log-00000001"; });
    REQUIRE(pad != blocks.writes.seen.end());
    CHECK(pad->offset == kSegment - block);
    CHECK(pad->length == block);
    const std::string segment = blocks.segment(1);
    const RecordHeader header = decode_header(as_bytes(segment).subspan(kSegment - 100));
    CHECK(header.type == RecordType::kPad);
    CHECK(header.length == 100);
    CHECK(blocks.rows().size() == 2);
  }
}

TEST_CASE("a segment whose last write finds the disk full is left at another try") {
  for (const std::uint32_t block : {1U, 512U, 4096U}) {
    for (const auto done : {Fault::Done::kNothing, Fault::Done::kHalf, Fault::Done::kAll}) {
      CAPTURE(block, done);
      BlockLog blocks(block);
      REQUIRE(blocks.log->log->flush(blocks.log->append_leaving(100)).has_value());
      // The first write makes the next segment.
      blocks.faulty.break_with({FaultKind::kWrite, 1, true, ErrorCode::kNoSpace, done});
      CHECK(blocks.log->append(std::string(200, 's')).error().code() == ErrorCode::kNoSpace);
      CHECK(blocks.faulty.hits() == 1);
      blocks.faulty.mend();
      const Lsn second = blocks.log->append(std::string(200, 't')).value();
      REQUIRE(blocks.log->log->flush(second).has_value());
      const std::string segment = blocks.segment(1);
      CHECK(decode_header(as_bytes(segment).subspan(kSegment - 100)).type == RecordType::kPad);
      const std::vector<std::string> rows = blocks.rows();
      REQUIRE(rows.size() == 2);
      CHECK(rows[1] == std::string(200, 't'));
    }
  }
}

TEST_CASE("a flush writes only the blocks that are new or have grown") {
  for (const std::uint32_t block : kBlocks) {
    CAPTURE(block);
    BlockLog blocks(block);
    REQUIRE(blocks.log->log->flush(blocks.log->append(std::string(2 * block, 'f')).value()).has_value());
    blocks.writes.seen.clear();
    const std::uint64_t begin = raw(blocks.log->log->end()) % kSegment;
    REQUIRE(blocks.log->log->flush(blocks.log->append("small").value()).has_value());
    REQUIRE(blocks.writes.seen.size() == 1);
    CHECK(blocks.writes.seen[0].offset == begin / block * block);
    CHECK(blocks.writes.seen[0].length == block);
  }
}

}  // namespace powercut::testing
