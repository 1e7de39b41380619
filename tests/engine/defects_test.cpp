// The planted bugs that power failures at random moments do not show: each is shown here by the coincidence or the fault
// that it takes, and that without it all is well.
#include "engine/ledger/log.h"
#include "engine/row.h"
#include "faultfs/sim_file_system.h"
#include "recovery/ledger_engine.h"
#include "tests/support/faulty_files.h"
#include "tests/support/property.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::testing {
namespace {

using namespace ledger;
using faultfs::OpenMode;

constexpr std::uint32_t kSegment = kLeastSegmentBytes;
// A row record is this much longer than its row (the key is empty).
constexpr std::size_t kRowOverhead = kRecordHeaderBytes + 18;

// Of everything that a power failure may take, it takes all.
struct Oldest final : faultfs::Choices {
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& /*label*/) override { return n - 1; }
};

// A control file and a log, with a planted bug.
struct BuggyLog {
  explicit BuggyLog(bool Defects::*defect, bool on) : simulated(disk), files(simulated), control(files, "db", defects) {
    defects.*defect = on;
    REQUIRE(files.make_directory("db").has_value());
    REQUIRE(files.sync_directory("").has_value());
    control.prepare({0, 4711, kSegment, 1, Lsn::kNone, Lsn::kNone});
    log.emplace(files, "db", control, defects, memory);
    REQUIRE(log->create().has_value());
    REQUIRE(control.create().has_value());
  }

  Lsn append(const std::string& row) {
    std::string record;
    encode_row_change(record, TxnId{1}, Lsn::kNone, {RowAction::kInsert, PageId{2}, PageId{2}, 0, {}, {}, row});
    return log->append(record).value();
  }
  Lsn append(RecordType type, Lsn previous) {
    std::string record;
    encode_plain(record, type, TxnId{1}, previous);
    return log->append(record).value();
  }

  // The process begins anew, after the power failed or not, and goes on where the log ends.
  void restart(Lsn from) {
    const std::vector<RecordType> read = records(files, from);
    REQUIRE(control.read().value());
    log.emplace(files, "db", control, defects, memory);
    log->open_at(end);
  }

  // The records that a reader finds.
  std::vector<RecordType> records(faultfs::FileSystem& of, Lsn from) {
    LogReader::Buffer buffer;
    LogReader reader(of, "db", defects, buffer);
    reader.start(control.record(), from);
    std::vector<RecordType> found;
    LogRecord record;
    while (reader.next(record).value()) found.push_back(record.header.type);
    end = reader.position();
    return found;
  }

  std::string bytes(Lsn at, std::size_t count) {
    auto file = std::move(simulated.open("db/log-00000001", OpenMode::kRead)).value();
    std::string read(count, '\0');
    REQUIRE(read_full(*file, raw(at) % kSegment, {reinterpret_cast<byte*>(read.data()), count}).value() == count);
    return read;
  }
  void overwrite(Lsn at, std::string_view with) {
    auto file = std::move(simulated.open("db/log-00000001", OpenMode::kReadWrite)).value();
    REQUIRE(write_full(*file, raw(at) % kSegment, as_bytes(with)).has_value());
  }

  Defects defects;
  faultfs::SimDisk disk;
  faultfs::SimFileSystem simulated;
  FaultyFiles files;
  Control control;
  Log::Memory memory;
  std::optional<Log> log;
  Lsn end = Lsn::kNone;
};

}  // namespace

TEST_CASE("checksum-without-place: what a recycled segment held before passes for new") {
  for (const bool on : {false, true}) {
    BuggyLog buggy(&Defects::checksum_without_place, on);
    std::size_t stale = 0;
    for (int round = 0; round < 60; ++round) {
      // All of one length, so that every old record in a recycled segment lies where a new one could.
      const Lsn place = buggy.append(std::string(900, 'r'));
      REQUIRE(buggy.log->flush(place).has_value());
      buggy.log->release_before(place);
      stale += buggy.records(buggy.files, place).size() - 1;
    }
    CHECK((stale > 0) == on);
  }
}

TEST_CASE("epoch-unchecked, epoch-not-bumped: what was lost with the record before it comes back behind another") {
  for (bool Defects::*const defect : {&Defects::epoch_unchecked, &Defects::epoch_not_bumped}) {
    for (const bool on : {false, true}) {
      BuggyLog buggy(defect, on);
      const Lsn first = buggy.append("lost");
      REQUIRE(buggy.log->flush(buggy.append("stale")).has_value());
      buggy.overwrite(first, std::string(kRecordHeaderBytes, '\0'));
      buggy.restart(first);
      REQUIRE(buggy.append("new!") == first);
      REQUIRE(buggy.log->flush(first).has_value());
      CHECK(buggy.records(buggy.files, first).size() == (on ? 2 : 1));
    }
  }
}

TEST_CASE("torn-tail-kept: a lost commit is completed by the record that replaces it") {
  for (const bool on : {false, true}) {
    BuggyLog buggy(&Defects::torn_tail_kept, on);
    // The commit's header lies in two atoms: checksum to type in one, transaction and predecessor in the other.
    const Lsn start = Log::first_lsn(kSegment);
    const Lsn row = buggy.append(std::string(1024 - 16 - kSegmentHeaderBytes - kRowOverhead, 'r'));
    const Lsn commit = buggy.append(RecordType::kCommit, row);
    REQUIRE(raw(commit) % 512 == 512 - 16);
    REQUIRE(buggy.log->flush(commit).has_value());
    // Power failure: the second atom was lost, the transaction is rolled back.
    buggy.overwrite(commit + 16, std::string(16, '\0'));
    buggy.restart(start);
    REQUIRE(buggy.end == commit);
    REQUIRE(buggy.append(RecordType::kRolledBack, row) == commit);
    const std::string before = buggy.bytes(commit, 16);
    REQUIRE(buggy.log->flush(commit).has_value());
    REQUIRE(buggy.records(buggy.files, start) == std::vector{RecordType::kRow, RecordType::kRolledBack});
    // Power failure during that flush: the first atom was lost.
    buggy.overwrite(commit, before);
    const auto found = buggy.records(buggy.files, start);
    CHECK(found == (on ? std::vector{RecordType::kRow, RecordType::kCommit} : std::vector{RecordType::kRow}));
  }
}

}  // namespace powercut::testing
