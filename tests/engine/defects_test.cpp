// The planted bugs that power failures at random moments do not show: each is shown here by the coincidence or the fault
// that it takes, and that without it all is well.
#include "engine/ledger/log.h"
#include "engine/row.h"
#include "faultfs/sim_file_system.h"
#include "recovery/ledger_engine.h"
#include "tests/support/faulty_files.h"
#include "tests/support/property.h"
#include "tests/support/row_record.h"

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
    log.emplace(files, "db", control, options, memory);
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
    log.emplace(files, "db", control, options, memory);
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

  Options options;

  Defects& defects = options.defects;
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

TEST_CASE("log-sync-retried: a failed sync is forgotten") {
  for (const bool on : {false, true}) {
    BuggyLog buggy(&Defects::log_sync_retried, on);
    const Lsn place = buggy.append("row");
    buggy.files.faults.once(FaultyCall::kSync, "log-", ErrorCode::kIo);
    CHECK(buggy.log->flush(place).has_value() == on);
    CHECK(buggy.log->failure().has_value() != on);
  }
}

TEST_CASE("full-disk-skipped: the log goes on behind half a record, and ends there when it is read") {
  for (const bool on : {false, true}) {
    BuggyLog buggy(&Defects::full_disk_skipped, on);
    const Lsn half = buggy.append(std::string(900, 'h'));
    buggy.files.faults.once(FaultyCall::kWrite, "log-", ErrorCode::kNoSpace);
    REQUIRE(buggy.log->flush(half).has_error());
    // There is space again.
    REQUIRE(buggy.log->flush(buggy.append("acknowledged")).has_value());
    CHECK(buggy.records(buggy.files, half).size() == (on ? 0 : 2));
  }
}

TEST_CASE("recovered-log-unsynced: what a killed process left in the page cache is built upon") {
  for (const bool on : {false, true}) {
    BuggyLog buggy(&Defects::recovered_log_unsynced, on);
    const Lsn place = buggy.append("row");
    buggy.files.faults.once(FaultyCall::kSync, "log-", ErrorCode::kIo);
    REQUIRE(buggy.log->flush(place).has_error());
    buggy.restart(place);
    // As before a page is written that the record describes.
    REQUIRE(buggy.log->flush(place).has_value());
    Oldest oldest;
    faultfs::SimDisk after;
    after.boot(buggy.disk, oldest);
    faultfs::SimFileSystem files_after(after);
    CHECK(buggy.records(files_after, place).size() == (on ? 0 : 1));
  }
}

namespace {

// A database with one row of a text that is easy to find in its file.
struct BuggyDatabase {
  BuggyDatabase(std::string_view defect, bool on, const std::vector<engine::Option>& options = {})
      : simulated(disk), files(simulated), kind(recovery::make_ledger_kind()) {
    std::vector<std::string> defects;
    if (on) defects.emplace_back(defect);
    engine = std::move(kind->make(options, defects)).value();
    REQUIRE(open().has_value());
    REQUIRE(session->create_table({"table", {{"text", engine::ColumnType::kText, true, false, {}}}}).has_value());
    REQUIRE(put(std::string(500, 'o')).has_value());
  }

  Result<void> open() {
    session.reset();
    database.reset();
    POWERCUT_TRY(database, engine->open(files, "db"));
    POWERCUT_TRY(session, database->new_session());
    return success();
  }

  Result<void> put(std::string_view text) {
    std::string row;
    engine::encode_row({text}, row);
    return session->put("table", "key", row);
  }

  // The row's text; else the word for what there is.
  std::string get() {
    std::string row;
    const auto found = session->get("table", "key", row);
    if (found.has_error()) return std::string(to_string(found.error().code()));
    return found.value() ? std::string(engine::text_column(row, 0).value()) : "no row";
  }

  faultfs::SimDisk disk;
  faultfs::SimFileSystem simulated;
  FaultyFiles files;
  std::unique_ptr<engine::EngineKind> kind;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<engine::Database> database;
  std::unique_ptr<engine::Session> session;
};

}  // namespace

TEST_CASE("recycle-before-undo: a long transaction cannot be rolled back") {
  for (const bool on : {false, true}) {
    BuggyDatabase buggy("recycle-before-undo", on, {{"segment", std::to_string(kSegment)}});
    REQUIRE(buggy.session->begin().has_value());
    for (int round = 0; round < 6; ++round) {
      for (char letter = 'a'; letter < 'z'; ++letter) REQUIRE(buggy.put(std::string(500, letter)).has_value());
      REQUIRE(buggy.database->checkpoint().has_value());
    }
    CHECK(buggy.session->rollback().has_value() != on);
    if (!on) CHECK(buggy.get() == std::string(500, 'o'));
  }
}

TEST_CASE("data-sync-retried: a checkpoint is recorded after a failed sync of the data file") {
  for (const bool on : {false, true}) {
    BuggyDatabase buggy("data-sync-retried", on);
    buggy.files.faults.once(FaultyCall::kSync, "data", ErrorCode::kIo);
    CHECK(buggy.database->checkpoint().has_value() == on);
  }
}

TEST_CASE("page-write-error-ignored: a page that was not written is taken for clean") {
  for (const bool on : {false, true}) {
    BuggyDatabase buggy("page-write-error-ignored", on);
    REQUIRE(buggy.database->close().has_value());
    REQUIRE(buggy.open().has_value());
    REQUIRE(buggy.put(std::string(500, 'n')).has_value());
    buggy.files.faults.error = [](FaultyCall call, std::string_view name) -> std::optional<ErrorCode> {
      if (call == FaultyCall::kWrite && name == "data") return ErrorCode::kIo;
      return std::nullopt;
    };
    CHECK(buggy.database->close().has_value() == on);
    buggy.files.faults.error = nullptr;
    REQUIRE(buggy.open().has_value());
    CHECK((buggy.get() == std::string(500, 'n')) != on);
  }
}

TEST_CASE("page-written-short: the rest of a page that was written in part is lost") {
  for (const bool on : {false, true}) {
    BuggyDatabase buggy("page-written-short", on);
    buggy.files.faults.writes_take_half = true;
    REQUIRE(buggy.database->close().has_value());
    CHECK((buggy.open().has_value() && buggy.get() == std::string(500, 'o')) != on);
  }
}

TEST_CASE("read-error-ends-log: what cannot be read is taken not to be there") {
  for (const bool on : {false, true}) {
    BuggyDatabase buggy("read-error-ends-log", on);
    std::size_t reads = 0;
    // The segment's header and the first record can be read.
    buggy.files.faults.error = [&reads](FaultyCall call, std::string_view name) -> std::optional<ErrorCode> {
      if (call == FaultyCall::kRead && name.starts_with("log-") && ++reads > 2) return ErrorCode::kIo;
      return std::nullopt;
    };
    CHECK(buggy.open().has_value() == on);
    if (on) CHECK(buggy.get() != std::string(500, 'o'));
  }
}

TEST_CASE("unreadable-is-new: a database that cannot be opened is made anew") {
  for (const bool on : {false, true}) {
    BuggyDatabase buggy("unreadable-is-new", on);
    buggy.files.faults.once(FaultyCall::kOpen, "control", ErrorCode::kIo);
    CHECK(buggy.open().has_value() == on);
    REQUIRE(buggy.open().has_value());
    CHECK(buggy.get() == (on ? "not found" : std::string(500, 'o')));
  }
}

TEST_CASE("page-checksum-unchecked: a byte that rotted is read as if it were right") {
  for (const bool on : {false, true}) {
    BuggyDatabase buggy("page-checksum-unchecked", on);
    REQUIRE(buggy.database->close().has_value());
    auto file = std::move(buggy.simulated.open("db/data", OpenMode::kReadWrite)).value();
    std::string bytes(file->size().value(), '\0');
    REQUIRE(read_full(*file, 0, {reinterpret_cast<byte*>(bytes.data()), bytes.size()}).has_value());
    REQUIRE(write_full(*file, bytes.find(std::string(500, 'o')) + 7, as_bytes("p")).has_value());
    REQUIRE(buggy.open().has_value());
    CHECK(buggy.get() == (on ? std::string(7, 'o') + 'p' + std::string(492, 'o') : "corrupt"));
  }
}

TEST_CASE("what random power failures do not show is in these lists, and shown above") {
  // Stale bytes in just the right place, or a transaction longer than a segment and two checkpoints: random search may
  // take more than 20,000 crash states to meet them.
  std::set<std::string_view> coincidences{"epoch-unchecked", "epoch-not-bumped", "torn-tail-kept", "recycle-before-undo"};
  // Nothing fails and nothing rots under `powercut run`.
  std::set<std::string_view> faults{"log-sync-retried",   "data-sync-retried",      "full-disk-skipped",
                                    "page-written-short", "read-error-ends-log",    "page-write-error-ignored",
                                    "unreadable-is-new",  "recovered-log-unsynced", "page-checksum-unchecked",
                                    "log-read-once",      "page-place-unchecked",   "newer-page-accepted"};
  for (const engine::Defect& defect : recovery::make_ledger_kind()->defects()) {
    INFO(defect.name);
    CHECK(coincidences.erase(defect.name) == (defect.needs == engine::Needs::kCoincidence ? 1 : 0));
    CHECK(faults.erase(defect.name) == (defect.needs == engine::Needs::kFault ? 1 : 0));
  }
  CHECK(coincidences.empty());
  CHECK(faults.empty());
}

}  // namespace powercut::testing
