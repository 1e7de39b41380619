// The log as it is written and as it is read, over arbitrary damage.
#include "engine/ledger/log_reader.h"
#include "engine/ledger/log.h"
#include "faultfs/posix_file_system.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/piece_files.h"
#include "tests/support/property.h"
#include "tests/support/row_record.h"
#include "tests/support/temporary_directory.h"

#include <array>
#include <optional>

namespace powercut::testing {
namespace {

using namespace ledger;
using faultfs::OpenMode;

// A control file and a log on a simulated disk.
struct LogOnDisk {
  explicit LogOnDisk(std::uint32_t segment_bytes = kLeastSegmentBytes) : files(disk), control(files, "db", defects) {
    REQUIRE(files.make_directory("db").has_value());
    control.prepare({0, 4711, segment_bytes, 1, Lsn::kNone, Lsn::kNone});
    log.emplace(files, "db", control, options, memory);
    REQUIRE(log->create().has_value());
    REQUIRE(control.create().has_value());
  }

  Lsn append(TxnId txn, const std::string& row) {
    std::string record;
    encode_row_change(record, txn, Lsn::kNone, {RowAction::kInsert, PageId{2}, PageId{2}, 0, "key", {}, row});
    return log->append(record).value();
  }

  // The rows that a reader finds.
  std::vector<std::string> rows() {
    LogReader::Buffer buffer;
    LogReader reader(files, "db", defects, buffer);
    reader.start(control.record(), Log::first_lsn(kLeastSegmentBytes));
    std::vector<std::string> found;
    LogRecord record;
    while (reader.next(record).value()) {
      const auto row = decode_row(record.header.type, record.body);
      if (row.has_value()) found.emplace_back(row.value().change.after);
    }
    end = reader.position();
    return found;
  }

  Options options;

  Defects& defects = options.defects;
  faultfs::SimDisk disk;
  faultfs::SimFileSystem files;
  Control control;
  Log::Memory memory;
  std::optional<Log> log;
  Lsn end = Lsn::kNone;
};

std::vector<std::string> draw_rows(Random& random, std::uint32_t most) {
  std::vector<std::string> rows;
  for (std::uint32_t count = random.below(most); count > 0; --count) {
    rows.emplace_back(random.below(random.below(3) == 0 ? 5000 : 100), static_cast<char>('a' + random.below(26)));
  }
  return rows;
}

// What a reader finds and where it ends.
struct Found {
  std::vector<std::string> rows;
  Lsn end = Lsn::kNone;
  std::size_t memory = 0;  // that it took

  friend bool operator==(const Found& a, const Found& b) { return a.rows == b.rows && a.end == b.end; }
};

Found read_log(faultfs::FileSystem& files, const ControlRecord& control) {
  const Defects defects;
  LogReader::Buffer buffer;
  LogReader reader(files, "db", defects, buffer);
  reader.start(control, Log::first_lsn(control.segment_bytes));
  Found found;
  LogRecord record;
  while (reader.next(record).value()) {
    const auto row = decode_row(record.header.type, record.body);
    if (row.has_value()) found.rows.emplace_back(row.value().change.after);
  }
  REQUIRE(reader.check_end().has_value());
  found.end = reader.position();
  found.memory = buffer.capacity();
  return found;
}

// A log in a real directory, whose segments are large and hardly written.
struct LogInDirectory {
  explicit LogInDirectory(std::uint32_t segment_bytes)
      : files(std::move(faultfs::PosixFileSystem::open(directory.path())).value()), control(*files, "db", defects) {
    REQUIRE(files->make_directory("db").has_value());
    control.prepare({0, 4711, segment_bytes, 1, Lsn::kNone, Lsn::kNone});
    log.emplace(*files, "db", control, options, memory);
    REQUIRE(log->create().has_value());
  }

  TemporaryDirectory directory;
  std::unique_ptr<faultfs::FileSystem> files;
  Options options;
  Defects& defects = options.defects;
  Control control;
  Log::Memory memory;
  std::optional<Log> log;
};

}  // namespace

TEST_CASE("what was appended and flushed is read, over as many segments as it takes") {
  property("log round trip", [](std::uint64_t seed) {
    Random random(seed);
    LogOnDisk on_disk;
    const auto rows = draw_rows(random, 60);
    std::vector<Lsn> places;
    for (const std::string& row : rows) {
      places.push_back(on_disk.append(TxnId{1}, row));
      if (random.below(4) == 0) RC_ASSERT(on_disk.log->flush(places.back()).has_value());
    }
    // Every record can be read back, durable or not.
    for (std::size_t at = 0; at < rows.size(); ++at) {
      std::string copy;
      const auto record = on_disk.log->read(places[at], copy);
      RC_ASSERT(record.has_value());
      RC_ASSERT(decode_row(record.value().header.type, record.value().body).value().change.after == rows[at]);
    }
    if (!places.empty()) RC_ASSERT(on_disk.log->flush(places.back()).has_value());
    RC_ASSERT(on_disk.rows() == rows);
  });
}

TEST_CASE("a log with wild bytes in it is read up to them, and never beyond as if nothing were") {
  property(
      "damaged logs",
      [](std::uint64_t seed) {
        Random random(seed);
        LogOnDisk on_disk;
        const auto rows = draw_rows(random, 40);
        Lsn last{};
        for (const std::string& row : rows) last = on_disk.append(TxnId{1}, row);
        if (!rows.empty()) RC_ASSERT(on_disk.log->flush(last).has_value());
        auto file = std::move(on_disk.files.open("db/log-00000001", OpenMode::kReadWrite)).value();
        for (std::uint32_t wild = 1 + random.below(3); wild > 0; --wild) {
          const std::string bytes(1 + random.below(8), static_cast<char>(random.below(256)));
          RC_ASSERT(write_full(*file, random.below(kLeastSegmentBytes - 8), as_bytes(bytes)).has_value());
        }
        const auto found = on_disk.rows();
        RC_ASSERT(found.size() <= rows.size());
        RC_ASSERT(std::equal(found.begin(), found.end(), rows.begin()));
      },
      3);
}

TEST_CASE("a segment of nothing but arbitrary bytes is an empty log") {
  property("arbitrary segments", [](std::uint64_t seed) {
    Random random(seed);
    LogOnDisk on_disk;
    auto file = std::move(on_disk.files.open("db/log-00000001", OpenMode::kReadWrite)).value();
    std::string bytes(kLeastSegmentBytes - 32, '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    RC_ASSERT(write_full(*file, random.below(2) == 0 ? 0 : 32, as_bytes(bytes)).has_value());
    RC_ASSERT(on_disk.rows().empty());
  });
}

TEST_CASE("records of an earlier incarnation beyond the end do not come back") {
  LogOnDisk on_disk;
  const Lsn first = on_disk.append(TxnId{1}, "lost");
  on_disk.append(TxnId{1}, "stale");
  REQUIRE(on_disk.log->flush(first + 1).has_value());
  REQUIRE(on_disk.rows() == std::vector<std::string>{"lost", "stale"});

  // The power failed, and the first record was lost. Recovery found the end of the log where it was.
  const std::string nothing(32, '\0');
  auto file = std::move(on_disk.files.open("db/log-00000001", OpenMode::kReadWrite)).value();
  REQUIRE(write_full(*file, raw(first) % kLeastSegmentBytes, as_bytes(nothing)).has_value());
  REQUIRE(on_disk.rows().empty());
  on_disk.log.emplace(on_disk.files, "db", on_disk.control, on_disk.options, on_disk.memory);
  on_disk.log->open_at(on_disk.end);

  // A record of the same length goes where the lost one was: what follows is whole, in its place, and old.
  REQUIRE(on_disk.append(TxnId{1}, "new!") == first);
  REQUIRE(on_disk.log->flush(first).has_value());
  CHECK(on_disk.rows() == std::vector<std::string>{"new!"});
}

TEST_CASE("a record that is newer than the control record says that the control file is damaged") {
  LogOnDisk on_disk;
  const ControlRecord older = on_disk.control.record();
  const Lsn first = on_disk.append(TxnId{1}, "old");
  on_disk.log->flush(first).value();
  on_disk.log.emplace(on_disk.files, "db", on_disk.control, on_disk.options, on_disk.memory);
  REQUIRE(on_disk.rows() == std::vector<std::string>{"old"});
  on_disk.log->open_at(on_disk.end);
  const Lsn second = on_disk.append(TxnId{2}, "new");
  REQUIRE(on_disk.log->flush(second).has_value());

  LogReader::Buffer buffer;
  LogReader reader(on_disk.files, "db", on_disk.defects, buffer);
  reader.start(older, first);
  LogRecord record;
  REQUIRE(reader.next(record).value());
  const auto next = reader.next(record);
  REQUIRE(next.has_error());
  CHECK(next.error().code() == ErrorCode::kCorrupt);
  CHECK(next.error().context().find("db/control: ") == 0);
}

TEST_CASE("records that a recycled segment held before are not taken for new ones") {
  LogOnDisk on_disk;
  std::string last;
  for (int round = 0; round < 40; ++round) {
    // All of one length, so that every old record in a recycled segment lies where a new one could.
    last = std::string(900, static_cast<char>('A' + round));
    const Lsn place = on_disk.append(TxnId{1}, last);
    REQUIRE(on_disk.log->flush(place).has_value());
    on_disk.log->release_before(place);
    LogReader::Buffer buffer;
    LogReader reader(on_disk.files, "db", on_disk.defects, buffer);
    reader.start(on_disk.control.record(), place);
    LogRecord record;
    REQUIRE(reader.next(record).value());
    CHECK(decode_row(record.header.type, record.body).value().change.after == last);
    CHECK_FALSE(reader.next(record).value());
  }
  CHECK(raw(on_disk.log->end()) / kLeastSegmentBytes >= 3);
}

TEST_CASE("old segments are recycled once nobody needs them") {
  LogOnDisk on_disk;
  for (int round = 0; round < 40; ++round) {
    const Lsn place = on_disk.append(TxnId{1}, std::string(900, 'x'));
    REQUIRE(on_disk.log->flush(place).has_value());
    on_disk.log->release_before(place);
  }
  const auto entries = on_disk.files.list("db").value();
  std::size_t segments = 0;
  for (const auto& entry : entries) segments += segment_of_name(entry.name) != 0 ? 1 : 0;
  CHECK(segments <= 2);
  CHECK(raw(on_disk.log->end()) / kLeastSegmentBytes >= 3);
}

TEST_CASE("a control record survives a torn write of the next") {
  LogOnDisk on_disk;
  REQUIRE(on_disk.control.checkpointed(Lsn{20000}, Lsn{19000}).has_value());
  REQUIRE(on_disk.control.checkpointed(Lsn{30000}, Lsn{29000}).has_value());
  auto file = std::move(on_disk.files.open("db/control", OpenMode::kReadWrite)).value();
  const std::uint64_t newest = on_disk.control.record().sequence % 2 * kControlSlotBytes;
  REQUIRE(write_full(*file, newest + 20, as_bytes("torn")).has_value());
  Control again(on_disk.files, "db", on_disk.defects);
  REQUIRE(again.read().value());
  CHECK(again.record().checkpoint == Lsn{20000});
  REQUIRE(write_full(*file, kControlSlotBytes - newest + 20, as_bytes("torn")).has_value());
  CHECK(again.read().error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("a log that is larger than the reader's buffer is read alike in pieces of any size") {
  property(
      "pieces",
      [](std::uint64_t seed) {
        Random random(seed);
        constexpr std::uint32_t kSegmentBytes = 1U << 20U;
        LogOnDisk on_disk(kSegmentBytes);
        std::vector<std::string> rows;
        std::uint64_t bytes = 0;
        Lsn last{};
        while (bytes < 3 * kSegmentBytes) {
          rows.emplace_back(random.below(random.below(8) == 0 ? 60000 : 3000), static_cast<char>('a' + random.below(26)));
          bytes += rows.back().size();
          last = on_disk.append(TxnId{1}, rows.back());
        }
        RC_ASSERT(on_disk.log->flush(last).has_value());
        const Found whole = read_log(on_disk.files, on_disk.control.record());
        RC_ASSERT(whole.rows == rows);
        for (const std::size_t piece :
             {std::size_t{512}, std::size_t{4096}, 512 * std::size_t{1 + random.below(2048)}, std::size_t{4} << 20U}) {
          PieceFiles files(on_disk.files, piece, random.next());
          const Found found = read_log(files, on_disk.control.record());
          RC_ASSERT(found == whole);
          RC_ASSERT(found.memory <= piece + LogReader::kBesidePieceBytes + 4096);
        }
      },
      0.05);
}

TEST_CASE("the reader's memory is bounded by a piece and a record, whatever a segment holds and wild bytes say") {
  constexpr std::uint32_t kSegmentBytes = 64U << 20U;
  constexpr std::size_t kPiece = std::size_t{1} << 20U;
  LogInDirectory real(kSegmentBytes);
  std::vector<std::string> rows;
  Lsn last{};
  for (int at = 0; at < 4000; ++at) {
    rows.emplace_back(static_cast<std::size_t>(at) % 2500, 'r');
    std::string record;
    encode_row_change(record, TxnId{1}, Lsn::kNone, {RowAction::kInsert, PageId{2}, PageId{2}, 0, "key", {}, rows.back()});
    last = real.log->append(record).value();
  }
  REQUIRE(real.log->flush(last).has_value());
  const Lsn end = real.log->end();
  auto file = std::move(real.files->open("db/log-00000001", OpenMode::kReadWrite)).value();
  REQUIRE(end - Lsn{kSegmentBytes} > 4 * kPiece);
  for (const auto type : {RecordType::kRow, RecordType::kImages, RecordType::kCheckpointEnd, RecordType::kPad}) {
    std::array<byte, kCheckpointEndBytes> wild{};
    store(wild.data() + 4, std::uint32_t{50U << 20U});  // its length
    store(wild.data() + 8, std::uint32_t{1});
    wild[12] = static_cast<byte>(type);
    REQUIRE(write_full(*file, end - Lsn{kSegmentBytes}, wild).has_value());
    const Found found = read_log(*real.files, real.control.record());
    CHECK(found.rows == rows);
    CHECK(found.end == end);
    CHECK(found.memory <= kPiece + LogReader::kBesidePieceBytes + 4096);
  }
}

TEST_CASE("a checkpoint's END that is longer than every other record is read whole") {
  LogInDirectory real(4U << 20U);
  CheckpointEnd written;
  for (std::uint32_t page = 0; page < 100000; ++page) written.dirty.push_back({PageId{page}, Lsn{page + 1}});
  std::string record;
  encode_checkpoint_end(record, written);
  REQUIRE(record.size() > kMostRecordBytes);
  const Lsn place = real.log->append(record).value();
  REQUIRE(real.log->flush(place).has_value());
  LogReader::Buffer buffer;
  LogReader reader(*real.files, "db", real.defects, buffer);
  reader.start(real.control.record(), place);
  CheckpointEnd read;
  REQUIRE(decode_checkpoint_end(reader.at(place).value().body, read).has_value());
  REQUIRE(read.dirty.size() == written.dirty.size());
  CHECK(read.dirty.back().page == written.dirty.back().page);
  CHECK(read.dirty.back().rec_lsn == written.dirty.back().rec_lsn);
}

}  // namespace powercut::testing
