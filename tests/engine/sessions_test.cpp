// Sessions of one database side by side: what a statement has read when it had to wait, and commits that share a sync.
#include "faultfs/choices.h"
#include "tests/support/failing_sync.h"
#include "tests/support/faulty_files.h"
#include "tests/support/ledger_database.h"
#include "tests/support/open_ledger.h"

#include <map>
#include <string>

namespace powercut::testing {
namespace {

using namespace engine;
using Rows = std::map<std::string, std::int64_t>;

// A fiber goes on until it waits, or until its turn is over: then all who can go on do so first.
class InTurn final : public faultfs::Choices {
  std::uint32_t choose(std::uint32_t /*n*/, const faultfs::ChoiceLabel& label) override { return label.name == "a turn" ? 1 : 0; }
};

Rows rows_of(Session& session) {
  Rows rows;
  REQUIRE(session
              .scan("test", {}, {},
                    [&](std::string_view key, std::string_view row) {
                      rows[std::string(key)] = *integer_column(row, 0);
                      return true;
                    })
              .has_value());
  return rows;
}

// What an UPDATE that finds nothing to change has seen, and what its transaction reads afterwards: it waits for the first
// row, and behind it waits somebody who changes that row and the second.
std::pair<Rows, Rows> seen_and_read_again(Isolation level) {
  LedgerOnDisk ledger;
  faultfs::Scheduler scheduler;
  const auto database = std::move(ledger.engine->open(ledger.files, "db", {nullptr, &scheduler})).value();
  std::pair<Rows, Rows> seen;
  scheduler.spawn("first", [&] {
    const auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table({"test", {{"value"}}}).has_value());
    REQUIRE(session->insert("test", "1", number_row(10)).has_value());
    REQUIRE(session->insert("test", "2", number_row(20)).has_value());
    std::string row;
    REQUIRE(session->begin().has_value());
    REQUIRE(session->get("test", "1", row, RowLock::kUpdate).has_value());
    scheduler.yield("a turn");
    REQUIRE(session->commit().has_value());
  });
  scheduler.spawn("editor", [&] {
    const auto session = std::move(database->new_session()).value();
    REQUIRE(session->begin(level).has_value());
    const auto edited = session->edit("test", {}, {}, [&](std::string_view key, std::string_view row, std::string&) {
      seen.first[std::string(key)] = *integer_column(row, 0);
      return RowEdit::kKeep;
    });
    REQUIRE(edited.has_value());
    scheduler.yield("a turn");
    seen.second = rows_of(*session);
    REQUIRE(session->commit().has_value());
  });
  scheduler.spawn("writer", [&] {
    const auto session = std::move(database->new_session()).value();
    REQUIRE(session->begin(level).has_value());
    REQUIRE(session->put("test", "1", number_row(50)).has_value());
    REQUIRE(session->put("test", "2", number_row(60)).has_value());
    REQUIRE(session->commit().has_value());
    CHECK(rows_of(*session) == Rows{{"1", 50}, {"2", 60}});
  });
  InTurn turns;
  REQUIRE(scheduler.run(turns).has_value());
  return seen;
}

}  // namespace

TEST_CASE("a row that an update has looked at and kept stays what it is at repeatable read, whoever waits for it") {
  for (const Isolation level : {Isolation::kRepeatableRead, Isolation::kSerializable}) {
    const auto [seen, again] = seen_and_read_again(level);
    CHECK(seen == again);
    CHECK((seen == Rows{{"1", 10}, {"2", 20}} || seen == Rows{{"1", 50}, {"2", 60}}));
  }
  const auto [seen, again] = seen_and_read_again(Isolation::kReadCommitted);
  CHECK(again == Rows{{"1", 50}, {"2", 60}});
}

TEST_CASE("a single read gives way in a deadlock to a transaction that has changed as little, and its session goes on") {
  LedgerOnDisk ledger;
  faultfs::Scheduler scheduler;
  const auto database = std::move(ledger.engine->open(ledger.files, "db", {nullptr, &scheduler})).value();
  const TableSchema schema{"test", {{"value"}}};
  scheduler.spawn("transaction", [&] {
    const auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table(schema).has_value());
    REQUIRE(session->insert("test", "1", number_row(10)).has_value());
    REQUIRE(session->begin().has_value());
    // It locks the row, and changes nothing.
    CHECK(session->insert("test", "1", number_row(11)).error().code() == ErrorCode::kAlreadyExists);
    scheduler.yield("a turn");
    CHECK(session->alter_table("test", schema).has_value());
    CHECK(session->commit().has_value());
  });
  scheduler.spawn("reader", [&] {
    const auto session = std::move(database->new_session()).value();
    std::string row;
    const auto read = session->get("test", "1", row);
    REQUIRE(read.has_error());
    CHECK(read.error().code() == ErrorCode::kDeadlock);
    CHECK(read.error().context().find("; a single read was chosen as it is the youngest") != std::string::npos);
    CHECK(session->get("test", "1", row).has_value());
  });
  InTurn turns;
  REQUIRE(scheduler.run(turns).has_value());
}

TEST_CASE("a session that goes away in the middle is rolled back, and who waited for it goes on") {
  LedgerOnDisk ledger;
  faultfs::Scheduler scheduler;
  const auto database = std::move(ledger.engine->open(ledger.files, "db", {nullptr, &scheduler})).value();
  scheduler.spawn("leaver", [&] {
    const auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table({"test", {{"value"}}}).has_value());
    REQUIRE(session->insert("test", "1", number_row(10)).has_value());
    REQUIRE(session->begin().has_value());
    REQUIRE(session->put("test", "1", number_row(11)).has_value());
    REQUIRE(session->insert("test", "2", number_row(12)).has_value());
    scheduler.yield("a turn");
    CHECK(scheduler.is_parked(1));
  });
  scheduler.spawn("waiter", [&] {
    const auto session = std::move(database->new_session()).value();
    CHECK(rows_of(*session) == Rows{{"1", 10}});
    REQUIRE(session->insert("test", "2", number_row(22)).has_value());
    CHECK(rows_of(*session) == Rows{{"1", 10}, {"2", 22}});
  });
  InTurn turns;
  REQUIRE(scheduler.run(turns).has_value());
}

TEST_CASE("a commit that the log cannot take any more ends its transaction, and who waits for it is told") {
  for (const bool early : {false, true}) {
    CAPTURE(early);
    LedgerOnDisk on_disk;
    FaultyFiles files(on_disk.files);
    faultfs::Scheduler scheduler;
    ledger::Options options;
    options.early_release = early;
    OpenLedger opened(on_disk, files, options, &scheduler);
    ledger::Core& core = *opened.core;
    const auto writer = opened.new_session();
    const auto waiter = opened.new_session();
    REQUIRE(writer->create_table({"test", {{"value"}}}).has_value());
    scheduler.spawn("writer", [&] {
      REQUIRE(writer->begin().has_value());
      REQUIRE(writer->put("test", "1", number_row(10)).has_value());
      // No record fits the segment any more.
      const std::uint64_t bytes = core.control.record().segment_bytes;
      REQUIRE(core.log.append(std::string(bytes - raw(core.log.end()) % bytes - 1, '\0')).has_value());
      scheduler.yield("a turn");
      CHECK(scheduler.is_parked(1));
      files.faults.once(FaultyCall::kWrite, "log-", ErrorCode::kIo);
      const auto committed = writer->commit();
      REQUIRE(committed.has_error());
      CHECK(committed.error().code() == ErrorCode::kStopped);
    });
    scheduler.spawn("waiter", [&] {
      const auto put = waiter->put("test", "1", number_row(20));
      REQUIRE(put.has_error());
      CHECK(put.error().code() == ErrorCode::kStopped);
    });
    InTurn turns;
    REQUIRE(scheduler.run(turns).has_value());
    CHECK(core.active.empty());
  }
}

namespace {

// Fibers that each commit one row, all of them before the log is written for the first. How many syncs that took, and how
// many were told that it is done.
struct Together {
  std::uint32_t syncs = 0;
  std::uint32_t done = 0;
  std::uint32_t stopped = 0;
};

Together commit_together(std::uint32_t sessions, bool failing) {
  // Whoever is about to write the log lets the others go first.
  class OthersFirst final : public faultfs::Choices {
    std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& label) override {
      return label.name == "before the log is written" && n > 1 ? 1 : 0;
    }
  };
  LedgerOnDisk ledger;
  FailingSync files(ledger.files);
  faultfs::Scheduler scheduler;
  const auto database = std::move(ledger.engine->open(files, "db", {nullptr, &scheduler})).value();
  const auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table({"test", {{"value"}}}).has_value());
  Together together;
  ledger.disk.set_crash_hook([&] { ++together.syncs; });
  files.failing = failing;
  for (std::uint32_t each = 0; each < sessions; ++each) {
    scheduler.spawn("session", [&, each] {
      const auto own = std::move(database->new_session()).value();
      const auto inserted = own->insert("test", std::to_string(each), number_row(each));
      together.done += inserted.has_value() ? 1 : 0;
      together.stopped += inserted.has_error() && inserted.error().code() == ErrorCode::kStopped ? 1 : 0;
    });
  }
  OthersFirst choices;
  REQUIRE(scheduler.run(choices).has_value());
  ledger.disk.set_crash_hook(nullptr);
  return together;
}

}  // namespace

TEST_CASE("transactions that wait for the log share a sync") {
  CHECK(commit_together(1, false).syncs == 1);
  for (const std::uint32_t sessions : {2U, 16U}) {
    const Together together = commit_together(sessions, false);
    CHECK(together.syncs == 1);
    CHECK(together.done == sessions);
  }
}

TEST_CASE("a sync that fails is told to all who wait for it") {
  const Together together = commit_together(16, true);
  CHECK(together.done == 0);
  CHECK(together.stopped == 16);
}

}  // namespace powercut::testing
