// What the running engine does when the disk fails: for each n the n-th operation of a kind fails, once or from then on,
// and at every answer, and after every kind of end, the database is what its user was told.
#include "engine/row.h"
#include "faultfs/choices.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/forgetful_file_system.h"
#include "tests/support/ledger_database.h"
#include "tests/support/property.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using engine::ColumnType;
using Rows = std::map<std::string, std::string>;
using Tables = std::map<std::string, Rows>;

const std::vector<engine::Option> kSmall{{"frames", "8"}, {"segment", "16384"}};

engine::TableSchema schema_of(const std::string& table) {
  return {table, {{"number", ColumnType::kInteger}, {"name", ColumnType::kText, false, true, {}}, {"text", ColumnType::kText}}};
}

enum class StepKind : unsigned char {
  kCreate,
  kDrop,
  kPut,
  kErase,
  kBegin,
  kCommit,
  kRollback,
  kSavepoint,
  kRollbackTo,
  kCheckpoint
};

struct Step {
  StepKind kind = StepKind::kPut;
  std::string table;
  std::string key;
  std::string row;
};

// Tables that grow over several pages and log segments, shrink, and go; transactions that commit, roll back, do half of it,
// and have a checkpoint in their midst.
std::vector<Step> steps_of(std::uint64_t seed) {
  Random random(seed);
  std::vector<Step> steps;
  const auto write = [&](const std::string& table, std::uint32_t of_10_erase) {
    Step step;
    step.kind = random.below(10) < of_10_erase ? StepKind::kErase : StepKind::kPut;
    step.table = table;
    const std::uint32_t number = random.below(70);
    step.key = std::string(number % 3 == 0 ? 200 : 0, 'k') + std::to_string(number);
    const std::string name = std::to_string(number) + " of " + table;
    const std::string text(random.below(600), static_cast<char>('a' + random.below(26)));
    engine::encode_row({std::int64_t{random.below(1000)}, std::string_view(name), std::string_view(text)}, step.row);
    steps.push_back(step);
  };
  const auto simple = [&](StepKind kind, const std::string& table = {}) { steps.push_back({kind, table, {}, {}}); };
  const auto transaction = [&](std::uint32_t writes, std::uint32_t of_10_erase, StepKind end, bool checkpoint) {
    simple(StepKind::kBegin);
    for (std::uint32_t at = 0; at < writes; ++at) {
      if (at == writes / 3) simple(StepKind::kSavepoint);
      if (at == writes / 2 && checkpoint) simple(StepKind::kCheckpoint);
      if (at == 2 * writes / 3) simple(StepKind::kRollbackTo);
      write("a", of_10_erase);
    }
    simple(end);
  };
  simple(StepKind::kCreate, "a");
  for (int at = 0; at < 4; ++at) write("a", 0);
  transaction(60, 1, StepKind::kCommit, false);
  transaction(30, 5, StepKind::kRollback, true);
  simple(StepKind::kCreate, "b");
  for (int at = 0; at < 12; ++at) write("b", 1);
  simple(StepKind::kCheckpoint);
  transaction(50, 8, StepKind::kRollback, false);
  simple(StepKind::kBegin);
  simple(StepKind::kDrop, "b");
  simple(StepKind::kCreate, "b");
  simple(StepKind::kRollback);
  transaction(50, 8, StepKind::kCommit, true);
  transaction(60, 1, StepKind::kRollback, true);
  simple(StepKind::kDrop, "b");
  simple(StepKind::kCheckpoint);
  for (int at = 0; at < 6; ++at) write("a", 2);
  return steps;
}

Result<Tables> contents(engine::Database& database, engine::Session& session) {
  POWERCUT_TRY(const auto names, database.tables());
  Tables found;
  for (const std::string& name : names) {
    Rows& rows = found[name];
    POWERCUT_TRYV(session.scan(name, {}, {}, [&](std::string_view key, std::string_view row) {
      rows.emplace(key, row);
      return true;
    }));
  }
  return found;
}

// Of everything that may be lost, all is.
struct AllLost final : faultfs::Choices {
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& /*label*/) override { return n - 1; }
};

// What the user knows of the database.
struct Promise {
  Tables committed;
  std::optional<Tables> in_doubt;  // what it is instead if a commit that was answered with an error was one

  bool kept_by(const Tables& found) const { return found == committed || (in_doubt && found == *in_doubt); }
};

// Opens the database on a disk on which nothing fails, and checks it; it must then take and keep a new transaction.
void check_reopened(engine::Engine& engine, faultfs::FileSystem& files, const Promise& promise) {
  for (int again = 0; again < 2; ++again) {
    auto opened = engine.open(files, "db");
    if (opened.has_error()) FAIL(opened.error().message());
    auto session = std::move(opened.value()->new_session()).value();
    auto found = contents(*opened.value(), *session);
    if (found.has_error()) FAIL(found.error().message());
    found.value().erase("again");
    REQUIRE(promise.kept_by(found.value()));
    if (again == 0) {
      const auto made = session->create_table(schema_of("again"));
      if (made.has_error()) FAIL(made.error().message());
    } else {
      REQUIRE(opened.value()->tables().value().size() == found.value().size() + 1);
    }
  }
}

void check_power_cuts(engine::Engine& engine, const faultfs::SimDisk& disk, const Promise& promise, std::uint64_t seed) {
  AllLost all_lost;
  faultfs::RecordedChoices all_kept({});
  std::vector<faultfs::Choices*> all{&all_lost, &all_kept};
  std::array<faultfs::RandomChoices, 2> random{faultfs::RandomChoices(seed), faultfs::RandomChoices(~seed)};
  for (auto& choices : random) all.push_back(&choices);
  for (faultfs::Choices* const choices : all) {
    faultfs::SimDisk after;
    after.boot(disk, *choices);
    faultfs::SimFileSystem files(after);
    check_reopened(engine, files, promise);
  }
}

// Whether the disk fails, and how long: that operation, that and what follows for some steps, or to the end.
enum class Lasts : unsigned char { kOnce, kAWhile, kForEver };

// One run of the steps with a fault, and what must hold of it.
class Run {
 public:
  Run(const std::vector<Step>& steps, const Fault& fault, Lasts lasts) : steps_(steps), fault_(fault), lasts_(lasts) {
    fault_.lasting = lasts != Lasts::kOnce;
  }

  // False if the fault never hit.
  bool run() {
    faulty_.break_with(fault_);
    auto opened = on_disk_.engine->open(faulty_, "db");
    if (opened.has_error()) {
      expect_fault(opened.error());
      // Nobody was told that there is a database.
      faulty_.mend();
      opened = on_disk_.engine->open(faulty_, "db");
      if (opened.has_error()) FAIL(opened.error().message());
    }
    database_ = std::move(opened).value();
    session_ = std::move(database_->new_session()).value();
    std::size_t since = 0;
    bool looked = false;
    for (const Step& step : steps_) {
      do_step(step);
      if (stopped_) break;
      check_alive();
      if (faulty_.hits() == 0) continue;
      if (!looked) check_power_cuts(*on_disk_.engine, on_disk_.disk, promise_, fault_.at);
      looked = true;
      if (lasts_ == Lasts::kAWhile && ++since == 9) faulty_.mend();
    }
    const bool hit = faulty_.hits() > 0;
    if (!stopped_ && hit) after_the_fault();
    check_power_cuts(*on_disk_.engine, on_disk_.disk, promise_, fault_.at);
    if (fault_.at % 2 == 0) faulty_.mend();
    session_.reset();
    database_.reset();
    faulty_.mend();
    check_power_cuts(*on_disk_.engine, on_disk_.disk, promise_, fault_.at + 1);
    check_reopened(*on_disk_.engine, on_disk_.files, promise_);
    return hit;
  }

  bool stopped() const { return stopped_; }

 private:
  void expect_fault(const Error& error) {
    INFO(error.message());
    REQUIRE(faulty_.hits() > 0);
    if (error.code() == ErrorCode::kStopped) {
      // A full disk stops it only at a sync, an unreadable page or a name that cannot be found never.
      REQUIRE((fault_.kind == FaultKind::kSync || (fault_.kind == FaultKind::kWrite && fault_.code == ErrorCode::kIo)));
      return;
    }
    REQUIRE(error.code() == fault_.code);
  }

  void do_step(const Step& step) {
    CAPTURE(static_cast<int>(step.kind));
    const bool there = now_.contains(step.table);
    Tables after = now_;
    switch (step.kind) {
      case StepKind::kCreate:
        after.try_emplace(step.table);
        return statement(session_->create_table(schema_of(step.table)), after, there ? ErrorCode::kAlreadyExists : kFine);
      case StepKind::kDrop:
        after.erase(step.table);
        return statement(session_->drop_table(step.table), after, there ? kFine : ErrorCode::kNotFound);
      case StepKind::kPut:
        if (there) after[step.table][step.key] = step.row;
        return statement(session_->put(step.table, step.key, step.row), after, there ? kFine : ErrorCode::kNotFound);
      case StepKind::kErase: {
        const bool row_there = there && after[step.table].erase(step.key) == 1;
        return statement(session_->erase(step.table, step.key), after, row_there ? kFine : ErrorCode::kNotFound);
      }
      case StepKind::kBegin: {
        const auto begun = session_->begin();
        in_transaction_ = begun.has_value();
        savepoint_.reset();
        if (begun.has_error()) failed(begun.error());
        return;
      }
      case StepKind::kCommit:
        return commit();
      case StepKind::kRollback:
        return rollback();
      case StepKind::kSavepoint:
        if (in_transaction_ && session_->savepoint("s").has_value()) savepoint_ = now_;
        return;
      case StepKind::kRollbackTo: {
        if (!in_transaction_ || !savepoint_) return;
        const auto done = session_->rollback_to("s");
        if (done.has_error()) return failed(done.error());
        now_ = *savepoint_;
        return;
      }
      case StepKind::kCheckpoint: {
        const auto done = database_->checkpoint();
        if (done.has_error()) failed(done.error());
        return;
      }
    }
  }

  static constexpr ErrorCode kFine = ErrorCode::kUnsupported;

  void failed(const Error& error) {
    expect_fault(error);
    if (error.code() == ErrorCode::kStopped) stopped_ = true;
  }

  void statement(const Result<void>& answer, const Tables& after, ErrorCode expected) {
    if (answer.has_value()) {
      REQUIRE(expected == kFine);
      now_ = after;
      if (!in_transaction_) settle(now_);
      return;
    }
    if (answer.error().code() == expected) return;
    failed(answer.error());
    if (!in_transaction_ && expected == kFine) promise_.in_doubt = after;
    // Every other such transaction is given up, the others go on.
    if (in_transaction_ && !stopped_ && fault_.at % 2 == 0) rollback();
  }

  void settle(const Tables& committed) {
    promise_.committed = committed;
    promise_.in_doubt.reset();
  }

  void commit() {
    if (!in_transaction_) return;
    const auto done = session_->commit();
    if (done.has_value()) {
      in_transaction_ = false;
      return settle(now_);
    }
    promise_.in_doubt = now_;
    failed(done.error());
    if (!stopped_) rollback();
  }

  void rollback() {
    if (!in_transaction_) return;
    in_transaction_ = false;
    now_ = promise_.committed;
    const auto done = session_->rollback();
    if (done.has_value()) return;
    failed(done.error());
    // Undo has its space: only a disk that refuses what it had promised is in its way.
    REQUIRE(fault_.kind != FaultKind::kGrow);
  }

  // Whatever failed, what can be read is right: nothing is half done.
  void check_alive() {
    const auto found = contents(*database_, *session_);
    if (found.has_error()) return failed(found.error());
    REQUIRE(found.value() == now_);
    if (!in_transaction_) settle(now_);
  }

  // The engine was not stopped: it goes on without being opened again.
  void after_the_fault() {
    faulty_.mend();
    if (in_transaction_) {
      in_transaction_ = false;
      now_ = promise_.committed;
      const auto done = session_->rollback();
      if (done.has_error()) FAIL(done.error().message());
    }
    const auto found = contents(*database_, *session_);
    if (found.has_error()) FAIL(found.error().message());
    REQUIRE(found.value() == promise_.committed);
    promise_.in_doubt.reset();
    const auto made = session_->create_table(schema_of("after"));
    if (made.has_error()) FAIL(made.error().message());
    promise_.committed["after"];
    REQUIRE(database_->checkpoint().has_value());
  }

  const std::vector<Step>& steps_;
  Fault fault_;
  Lasts lasts_;
  LedgerOnDisk on_disk_{kSmall};
  FaultyFileSystem faulty_{on_disk_.files};
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
  Promise promise_;
  Tables now_;
  std::optional<Tables> savepoint_;
  bool in_transaction_ = false;
  bool stopped_ = false;
};

// Fails every operation of a kind in turn, until the steps run through: of every `stride` one, unless the tests are to be
// deep. Returns how many faults stopped the engine.
std::uint64_t fail_each(Fault fault, std::uint64_t stride) {
  if (std::getenv("POWERCUT_DEEP") != nullptr) stride = 1;
  std::uint64_t stopped = 0;
  const auto steps = steps_of(1);
  for (const Lasts lasts : {Lasts::kOnce, Lasts::kAWhile, Lasts::kForEver}) {
    CAPTURE(static_cast<int>(lasts));
    // The beginning, while all pages fit the pool.
    const std::vector<Step> first(steps.begin(), steps.begin() + 8);
    for (fault.at = 0;; ++fault.at) {
      CAPTURE(fault.at);
      Run run(first, fault, lasts);
      if (!run.run()) break;
      stopped += run.stopped() ? 1 : 0;
    }
    for (fault.at = static_cast<std::uint64_t>(lasts) % stride;; fault.at += stride) {
      CAPTURE(fault.at);
      Run run(steps, fault, lasts);
      if (!run.run()) break;
      stopped += run.stopped() ? 1 : 0;
    }
    REQUIRE(fault.at > 3 * stride);
  }
  return stopped;
}

// Does steps in transactions of their own, or of several, without looking at answers other than errors. False if one failed
// for a reason that is not in the statement.
bool do_blindly(engine::Database& database, engine::Session& session, const std::vector<Step>& steps, Promise& promise) {
  Tables now = promise.committed;
  std::optional<Tables> savepoint;
  bool in_transaction = false;
  for (const Step& step : steps) {
    Tables after = now;
    Result<void> done = success();
    switch (step.kind) {
      case StepKind::kCreate:
        after.try_emplace(step.table);
        done = session.create_table(schema_of(step.table));
        break;
      case StepKind::kDrop:
        after.erase(step.table);
        done = session.drop_table(step.table);
        break;
      case StepKind::kPut:
        if (after.contains(step.table)) after[step.table][step.key] = step.row;
        done = session.put(step.table, step.key, step.row);
        break;
      case StepKind::kErase:
        if (after.contains(step.table)) after[step.table].erase(step.key);
        done = session.erase(step.table, step.key);
        break;
      case StepKind::kBegin:
        done = session.begin();
        in_transaction = true;
        break;
      case StepKind::kCommit:
        done = session.commit();
        in_transaction = false;
        break;
      case StepKind::kRollback:
        done = session.rollback();
        in_transaction = false;
        after = promise.committed;
        break;
      case StepKind::kSavepoint:
        done = session.savepoint("s");
        savepoint = now;
        break;
      case StepKind::kRollbackTo:
        done = session.rollback_to("s");
        after = *savepoint;
        break;
      case StepKind::kCheckpoint:
        done = database.checkpoint();
        break;
    }
    if (done.has_error() && done.error().code() != ErrorCode::kNotFound && done.error().code() != ErrorCode::kAlreadyExists) {
      if (!in_transaction) promise.in_doubt = after;
      return false;
    }
    now = after;
    if (in_transaction) continue;
    promise.committed = now;
    promise.in_doubt.reset();
  }
  return true;
}

// The files of a database, by name.
using Files = std::map<std::string, std::string>;

Files read_files(faultfs::FileSystem& from) {
  Files files;
  const auto entries = from.list("db");
  for (const auto& entry : entries.value()) {
    auto file = std::move(from.open("db/" + entry.name, faultfs::OpenMode::kRead)).value();
    std::string& bytes = files[entry.name];
    bytes.resize(file->size().value());
    REQUIRE(read_full(*file, 0, {reinterpret_cast<byte*>(bytes.data()), bytes.size()}).value() == bytes.size());
  }
  return files;
}

void write_files(faultfs::FileSystem& to, const Files& files) {
  REQUIRE(to.make_directory("db").has_value());
  REQUIRE(to.sync_directory("").has_value());
  for (const auto& [name, bytes] : files) {
    auto file = std::move(to.open("db/" + name, faultfs::OpenMode::kCreate)).value();
    REQUIRE(write_full(*file, 0, as_bytes(bytes)).has_value());
    REQUIRE(file->sync(faultfs::SyncKind::kFull).has_value());
  }
  REQUIRE(to.sync_directory("db").has_value());
}

// A database whose process died in the midst of a transaction, some of it in the data file.
struct Killed {
  explicit Killed(std::uint64_t seed) {
    LedgerOnDisk on_disk(kSmall);
    auto database = on_disk.open();
    auto session = std::move(database->new_session()).value();
    std::vector<Step> steps = steps_of(seed);
    REQUIRE(do_blindly(*database, *session, steps, promise));
    steps = {steps.begin() + 5, steps.begin() + 60};
    REQUIRE(steps.front().kind == StepKind::kBegin);
    const Promise before = promise;
    REQUIRE(do_blindly(*database, *session, steps, promise));
    promise = before;
    files = read_files(on_disk.files);
  }

  Files files;
  Promise promise;
};

}  // namespace

TEST_CASE("a read that fails makes its statement fail and nothing else, and works again when the fault is over") {
  CHECK(fail_each({FaultKind::kRead, 0, false, ErrorCode::kIo, {}}, 31) == 0);
}

TEST_CASE("a write that fails makes its statement fail, and stops the engine if it is the log's") {
  for (const auto done : {Fault::Done::kNothing, Fault::Done::kHalf, Fault::Done::kAll}) {
    CHECK(fail_each({FaultKind::kWrite, 0, false, ErrorCode::kIo, done}, 13) > 0);
  }
}

TEST_CASE("a sync that fails stops the engine, whatever is synced") {
  CHECK(fail_each({FaultKind::kSync, 0, false, ErrorCode::kIo, {}}, 5) > 0);
  CHECK(fail_each({FaultKind::kSync, 0, false, ErrorCode::kNoSpace, {}}, 5) > 0);
}

TEST_CASE("a full disk makes statements fail and can be rolled back from, and the open engine goes on when there is space") {
  CHECK(fail_each({FaultKind::kGrow, 0, false, ErrorCode::kNoSpace, {}}, 1) == 0);
}

TEST_CASE("a disk that is full even where space was promised makes statements fail, and the open engine goes on later") {
  for (const auto done : {Fault::Done::kNothing, Fault::Done::kHalf, Fault::Done::kAll}) {
    CHECK(fail_each({FaultKind::kWrite, 0, false, ErrorCode::kNoSpace, done}, 13) == 0);
  }
}

TEST_CASE("a file that cannot be opened, renamed or removed makes a statement fail, and the open engine goes on") {
  for (const auto done : {Fault::Done::kNothing, Fault::Done::kAll}) {
    CHECK(fail_each({FaultKind::kName, 0, false, ErrorCode::kIo, done}, 11) == 0);
    CHECK(fail_each({FaultKind::kName, 0, false, ErrorCode::kNoSpace, done}, 11) == 0);
  }
}

TEST_CASE("a load that fills the disk is rolled back while the disk is full, and what was there can be read") {
  std::string row;
  engine::encode_row({std::int64_t{1}, {}, std::string_view(std::string(700, 'x'))}, row);
  for (std::uint64_t at = 0;; ++at) {
    CAPTURE(at);
    LedgerOnDisk on_disk(kSmall);
    FaultyFileSystem faulty(on_disk.files);
    auto database = std::move(on_disk.engine->open(faulty, "db")).value();
    auto session = std::move(database->new_session()).value();
    Promise promise;
    for (const char* const table : {"old", "new"}) REQUIRE(session->create_table(schema_of(table)).has_value());
    promise.committed["new"];
    for (int key = 0; key < 30; ++key) {
      REQUIRE(session->insert("old", std::to_string(key), row).has_value());
      promise.committed["old"][std::to_string(key)] = row;
    }
    faulty.break_with({FaultKind::kGrow, at, true, ErrorCode::kNoSpace, {}});
    REQUIRE(session->begin().has_value());
    int key = 0;
    while (key < 400 && session->insert("new", std::to_string(key), row).has_value()) ++key;
    if (key == 400) break;
    // With pages that have been changed, and a checkpoint that makes their images necessary again.
    if (at % 2 == 0) {
      const auto done = database->checkpoint();
      if (done.has_error()) REQUIRE(done.error().code() == ErrorCode::kNoSpace);
    }
    REQUIRE(contents(*database, *session).value()["new"].size() == static_cast<std::size_t>(key));
    const auto done = session->rollback();
    if (done.has_error()) FAIL(done.error().message());
    REQUIRE(contents(*database, *session).value() == promise.committed);
    check_power_cuts(*on_disk.engine, on_disk.disk, promise, at);
    faulty.mend();
    REQUIRE(session->insert("new", "now", row).has_value());
  }
}

TEST_CASE("pages that were made have their space in the file before they are written") {
  LedgerOnDisk on_disk(std::vector<engine::Option>{{"frames", "64"}, {"segment", "1048576"}});
  FaultyFileSystem faulty(on_disk.files);
  auto database = std::move(on_disk.engine->open(faulty, "db")).value();
  auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table(schema_of("t")).has_value());
  std::string row;
  engine::encode_row({std::int64_t{1}, {}, std::string_view(std::string(700, 'x'))}, row);
  REQUIRE(session->begin().has_value());
  for (int key = 0; key < 200; ++key) REQUIRE(session->insert("t", std::to_string(key), row).has_value());
  faulty.break_with({FaultKind::kGrow, 0, true, ErrorCode::kNoSpace, {}});
  REQUIRE(session->commit().has_value());
  REQUIRE(database->close().has_value());
  CHECK(faulty.hits() == 0);
}

TEST_CASE("recovery on a disk that fails gives an error, and recovers all when it is tried again") {
  const Killed killed(2);
  const auto try_each = [&](Fault fault, std::uint64_t stride) {
    if (std::getenv("POWERCUT_DEEP") != nullptr) stride = 1;
    for (const bool lasting : {false, true}) {
      fault.lasting = lasting;
      for (fault.at = 0;; fault.at += stride) {
        CAPTURE(static_cast<int>(fault.kind), static_cast<int>(fault.code), lasting, fault.at);
        LedgerOnDisk on_disk(kSmall);
        write_files(on_disk.files, killed.files);
        FaultyFileSystem faulty(on_disk.files);
        faulty.break_with(fault);
        {
          const auto opened = on_disk.engine->open(faulty, "db");
          if (opened.has_error()) {
            INFO(opened.error().message());
            REQUIRE(faulty.hits() > 0);
            REQUIRE((opened.error().code() == fault.code || opened.error().code() == ErrorCode::kStopped));
          } else if (faulty.hits() == 0) {
            break;
          }
        }
        faulty.mend();
        check_power_cuts(*on_disk.engine, on_disk.disk, killed.promise, fault.at);
        check_reopened(*on_disk.engine, faulty, killed.promise);
      }
      REQUIRE(fault.at > 0);
    }
  };
  for (const auto done : {Fault::Done::kNothing, Fault::Done::kHalf, Fault::Done::kAll}) {
    try_each({FaultKind::kWrite, 0, false, ErrorCode::kIo, done}, 3);
    try_each({FaultKind::kWrite, 0, false, ErrorCode::kNoSpace, done}, 3);
  }
  try_each({FaultKind::kRead, 0, false, ErrorCode::kIo, {}}, 13);
  try_each({FaultKind::kSync, 0, false, ErrorCode::kIo, {}}, 1);
  try_each({FaultKind::kName, 0, false, ErrorCode::kIo, {}}, 1);
  try_each({FaultKind::kGrow, 0, false, ErrorCode::kNoSpace, {}}, 1);
}

TEST_CASE("short reads and writes change nothing") {
  const auto steps = steps_of(3);
  Files of_whole;
  for (const std::size_t most : {~std::size_t{0}, std::size_t{4095}, std::size_t{100}, std::size_t{1}}) {
    LedgerOnDisk on_disk(kSmall);
    FaultyFileSystem faulty(on_disk.files);
    faulty.set_most_bytes(most);
    Promise promise;
    for (int life = 0; life < 2; ++life) {
      auto opened = on_disk.engine->open(faulty, "db");
      REQUIRE(opened.has_value());
      auto session = std::move(opened.value()->new_session()).value();
      REQUIRE(contents(*opened.value(), *session).value() == promise.committed);
      if (life == 0) REQUIRE(do_blindly(*opened.value(), *session, steps, promise));
    }
    check_power_cuts(*on_disk.engine, on_disk.disk, promise, most);
    const Files files = read_files(on_disk.files);
    if (of_whole.empty()) of_whole = files;
    REQUIRE(files == of_whole);
  }
}

TEST_CASE("a page that a failed sync of the data file forgot is written again by the next process") {
  faultfs::SimDisk cache;
  faultfs::SimDisk device;
  faultfs::SimFileSystem cache_files(cache);
  faultfs::SimFileSystem device_files(device);
  ForgetfulFileSystem files(cache_files, device_files);
  const auto kind = recovery::make_ledger_kind();
  const auto engine = std::move(kind->make(kSmall, {})).value();
  std::string row;
  engine::encode_row({std::int64_t{1}, {}, std::string_view("x")}, row);
  Promise promise;
  const auto name = [](int table) { return "t" + std::to_string(table); };
  {
    auto database = std::move(engine->open(files, "db")).value();
    auto session = std::move(database->new_session()).value();
    for (int table = 0; table < 20; ++table) {
      REQUIRE(session->create_table(schema_of(name(table))).has_value());
      promise.committed[name(table)];
    }
    REQUIRE(database->checkpoint().has_value());
    for (int table = 0; table < 3; ++table) {
      REQUIRE(session->insert(name(table), "key", row).has_value());
      promise.committed[name(table)]["key"] = row;
    }
    // They stay dirty, and this checkpoint says so; then reading drives them out.
    REQUIRE(database->checkpoint().has_value());
    for (int round = 0; round < 3; ++round) {
      std::string found;
      for (int table = 3; table < 20; ++table) REQUIRE_FALSE(session->get(name(table), "key", found).value());
    }
    files.fail_syncs_from(0);
    CHECK(database->checkpoint().error().code() == ErrorCode::kStopped);
  }
  files.mend();
  {
    auto database = std::move(engine->open(files, "db")).value();
    for (int checkpoint = 0; checkpoint < 3; ++checkpoint) REQUIRE(database->checkpoint().has_value());
  }
  AllLost all_lost;
  faultfs::SimDisk after;
  after.boot(device, all_lost);
  faultfs::SimFileSystem files_after(after);
  check_reopened(*engine, files_after, promise);
}

TEST_CASE("what a failed sync forgot is not relied on by the next process either") {
  const auto steps = steps_of(4);
  std::uint64_t at = 0;
  for (bool failed = true; failed; ++at) {
    CAPTURE(at);
    faultfs::SimDisk cache;
    faultfs::SimDisk device;
    faultfs::SimFileSystem cache_files(cache);
    faultfs::SimFileSystem device_files(device);
    ForgetfulFileSystem files(cache_files, device_files);
    const auto kind = recovery::make_ledger_kind();
    const auto engine = std::move(kind->make(kSmall, {})).value();
    files.fail_syncs_from(at);
    Promise promise;
    for (int life = 0; life < 2; ++life) {
      auto opened = engine->open(files, "db");
      if (opened.has_value()) {
        auto session = std::move(opened.value()->new_session()).value();
        if (life == 1) {
          // What was in doubt is there or not, and that is what everything from now on is built on.
          const auto found = contents(*opened.value(), *session);
          if (found.has_error()) FAIL(found.error().message());
          REQUIRE(promise.kept_by(found.value()));
          promise = {found.value(), {}};
        }
        // The second process does all that the first did, or a little, or nothing that changes pages.
        if (life == 1 && at % 5 < 2) {
          for (int checkpoint = 0; checkpoint < 3; ++checkpoint) REQUIRE(opened.value()->checkpoint().has_value());
        } else {
          const auto last = life == 1 && at % 5 < 4 ? steps.begin() + 3 : steps.end();
          const bool done = do_blindly(*opened.value(), *session, {steps.begin(), last}, promise);
          REQUIRE((done || (life == 0 && files.failed())));
        }
      } else {
        INFO(opened.error().message());
        REQUIRE((life == 0 && files.failed()));
      }
      // The process dies, and the device works again.
      if (life == 0) files.mend();
    }
    failed = files.failed();
    AllLost all_lost;
    faultfs::SimDisk after;
    after.boot(device, all_lost);
    faultfs::SimFileSystem files_after(after);
    check_reopened(*engine, files_after, promise);
  }
  CHECK(at > 50);
}

}  // namespace powercut::testing
