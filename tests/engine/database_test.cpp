// Sessions, transactions, savepoints, constraints and tables, with the power on.
#include "tests/support/faulty_files.h"
#include "tests/support/ledger_database.h"
#include "tests/support/open_ledger.h"

namespace powercut::testing {
namespace {

using namespace engine;

const TableSchema kAccounts{"accounts", {{"balance", ColumnType::kInteger, true, false, 0}}};
const TableSchema kUsers{"users", {{"name", ColumnType::kText, true, true, {}}}};

std::string name_row(std::string_view name) {
  std::string row;
  encode_row({name}, row);
  return row;
}

// "a=1 b=2", or the error's code.
std::string contents(Session& session, std::string_view table) {
  std::string text;
  const auto done = session.scan(table, {}, {}, [&](std::string_view key, std::string_view row) {
    text += (text.empty() ? "" : " ") + std::string(key) + "=" + std::to_string(integer_column(row, 0).value_or(-1));
    return true;
  });
  return done.has_value() ? text : std::string(to_string(done.error().code()));
}

ErrorCode code(const Result<void>& result) {
  REQUIRE(result.has_error());
  return result.error().code();
}

}  // namespace

TEST_CASE("a committed transaction is there after a reopening, a rolled back one is not") {
  LedgerOnDisk on_disk;
  {
    auto database = on_disk.open();
    auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table(kAccounts).has_value());
    REQUIRE(session->begin().has_value());
    REQUIRE(session->insert("accounts", "a", number_row(1)).has_value());
    REQUIRE(session->insert("accounts", "b", number_row(2)).has_value());
    REQUIRE(session->commit().has_value());
    REQUIRE(session->begin().has_value());
    REQUIRE(session->update("accounts", "a", number_row(9)).has_value());
    REQUIRE(session->erase("accounts", "b").has_value());
    REQUIRE(session->rollback().has_value());
    CHECK(contents(*session, "accounts") == "a=1 b=2");
  }
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  CHECK(contents(*session, "accounts") == "a=1 b=2");
  CHECK(database->tables().value() == std::vector<std::string>{"accounts"});
}

TEST_CASE("savepoints nest, stay after a rollback to them, and vanish when released") {
  LedgerOnDisk on_disk;
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table(kAccounts).has_value());
  REQUIRE(session->begin().has_value());
  REQUIRE(session->insert("accounts", "a", number_row(1)).has_value());
  REQUIRE(session->savepoint("s").has_value());
  REQUIRE(session->insert("accounts", "b", number_row(2)).has_value());
  REQUIRE(session->savepoint("t").has_value());
  REQUIRE(session->insert("accounts", "c", number_row(3)).has_value());
  REQUIRE(session->rollback_to("t").has_value());
  CHECK(contents(*session, "accounts") == "a=1 b=2");
  REQUIRE(session->insert("accounts", "d", number_row(4)).has_value());
  REQUIRE(session->rollback_to("s").has_value());
  CHECK(contents(*session, "accounts") == "a=1");
  CHECK(code(session->rollback_to("t")) == ErrorCode::kNotFound);
  REQUIRE(session->insert("accounts", "e", number_row(5)).has_value());
  REQUIRE(session->release("s").has_value());
  CHECK(code(session->rollback_to("s")) == ErrorCode::kNotFound);
  REQUIRE(session->commit().has_value());
  CHECK(contents(*session, "accounts") == "a=1 e=5");
}

TEST_CASE("a statement that a constraint refuses has no effect, and the transaction goes on") {
  LedgerOnDisk on_disk;
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table(kAccounts).has_value());
  REQUIRE(session->create_table(kUsers).has_value());
  REQUIRE(session->begin().has_value());
  REQUIRE(session->insert("accounts", "a", number_row(1)).has_value());
  CHECK(code(session->update("accounts", "a", number_row(-1))) == ErrorCode::kConstraint);
  CHECK(code(session->insert("accounts", "a", number_row(2))) == ErrorCode::kAlreadyExists);
  CHECK(code(session->update("accounts", "z", number_row(2))) == ErrorCode::kNotFound);
  CHECK(code(session->erase("accounts", "z")) == ErrorCode::kNotFound);
  CHECK(code(session->insert("none", "a", number_row(2))) == ErrorCode::kNotFound);
  CHECK(code(session->insert("accounts", "b", "not a row")) == ErrorCode::kInvalidArgument);
  CHECK(code(session->insert("accounts", std::string(600, 'k'), number_row(2))) == ErrorCode::kInvalidArgument);
  REQUIRE(session->insert("users", "1", name_row("ann")).has_value());
  CHECK(code(session->insert("users", "2", name_row("ann"))) == ErrorCode::kConstraint);
  REQUIRE(session->update("users", "1", name_row("bob")).has_value());
  REQUIRE(session->insert("users", "2", name_row("ann")).has_value());
  REQUIRE(session->erase("users", "2").has_value());
  REQUIRE(session->put("users", "3", name_row("ann")).has_value());
  REQUIRE(session->commit().has_value());
  CHECK(contents(*session, "accounts") == "a=1");
}

TEST_CASE("tables come and go with their transaction, and their pages are used again") {
  LedgerOnDisk on_disk;
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table(kAccounts).has_value());
  REQUIRE(session->insert("accounts", "a", number_row(1)).has_value());
  CHECK(code(session->create_table(kAccounts)) == ErrorCode::kAlreadyExists);

  REQUIRE(session->begin().has_value());
  REQUIRE(session->drop_table("accounts").has_value());
  CHECK(contents(*session, "accounts") == "not found");
  REQUIRE(session->create_table(kAccounts).has_value());
  CHECK(contents(*session, "accounts").empty());
  REQUIRE(session->rollback().has_value());
  CHECK(contents(*session, "accounts") == "a=1");

  const auto pages = [&] {
    REQUIRE(database->checkpoint().has_value());
    REQUIRE(database->checkpoint().has_value());
    return on_disk.files.open("db/data", faultfs::OpenMode::kRead).value()->size().value();
  };
  for (int row = 0; row < 200; ++row) REQUIRE(session->put("accounts", std::to_string(row), number_row(row)).has_value());
  REQUIRE(session->drop_table("accounts").has_value());
  const auto before = pages();
  for (int round = 0; round < 5; ++round) {
    REQUIRE(session->create_table(kAccounts).has_value());
    for (int row = 0; row < 200; ++row) REQUIRE(session->put("accounts", std::to_string(row), number_row(row)).has_value());
    REQUIRE(session->drop_table("accounts").has_value());
  }
  CHECK(pages() == before);
}

TEST_CASE("a table with the number of one whose pages could only be freed in part keeps its rows") {
  LedgerOnDisk on_disk;
  FaultyFiles files(on_disk.files);
  OpenLedger opened(on_disk, files);
  ledger::Core& core = *opened.core;
  const auto session = opened.new_session();
  const std::string row = name_row(std::string(900, 'x'));
  const auto put_all = [&](const std::string& table) {
    for (char key = 'a'; key < 'm'; ++key) REQUIRE(session->put(table, std::string(1, key), row).has_value());
  };
  REQUIRE(session->create_table({"old", {{"name", ColumnType::kText}}}).has_value());
  put_all("old");
  // Every leaf is known as one of this tree.
  put_all("old");
  std::vector<ledger::PageId> pages;
  REQUIRE(ledger::BTree(*core.store, core.known_tables.back()->root).list_pages(pages).has_value());
  REQUIRE(pages.size() > 3);

  // The disk is full, and so is the log but for what the transaction needs and one page that is freed.
  REQUIRE(session->begin().has_value());
  REQUIRE(session->drop_table("old").has_value());
  files.faults.error = [](FaultyCall call, std::string_view name) -> std::optional<ErrorCode> {
    if (call == FaultyCall::kOpen && name.starts_with("log-")) return ErrorCode::kNoSpace;
    return std::nullopt;
  };
  ledger::Log::Reserve taken;
  while (core.log.reserve(1, taken).has_value()) {
  }
  REQUIRE(session->commit().has_value());
  while (core.unused_pages.size() == pages.size() && taken.bytes > 0) {
    ledger::Log::Reserve given{1};
    --taken.bytes;
    core.log.release(given);
    core.free_unused_pages();
  }
  REQUIRE(core.unused_pages.size() == pages.size() - 1);
  core.log.release(taken);
  files.faults.error = nullptr;

  REQUIRE(session->begin().has_value());
  REQUIRE(session->create_table({"new", {{"name", ColumnType::kText}}}).has_value());
  put_all("new");
  REQUIRE(session->commit().has_value());
  CHECK(core.unused_pages.empty());
  std::string found;
  REQUIRE(session
              ->scan("new", {}, {},
                     [&](std::string_view key, std::string_view) {
                       found += key;
                       return true;
                     })
              .has_value());
  CHECK(found == "abcdefghijkl");
}

TEST_CASE("a session that goes away takes its open transaction back") {
  LedgerOnDisk on_disk;
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table(kAccounts).has_value());
  {
    auto other = std::move(database->new_session()).value();
    REQUIRE(other->begin().has_value());
    REQUIRE(other->insert("accounts", "a", number_row(1)).has_value());
    CHECK(code(session->put("accounts", "a", number_row(2))) == ErrorCode::kDeadlock);
  }
  CHECK(contents(*session, "accounts").empty());
  REQUIRE(session->insert("accounts", "b", number_row(2)).has_value());
  CHECK(contents(*session, "accounts") == "b=2");
  REQUIRE(database->close().has_value());
}

TEST_CASE("wrong use of a transaction is an error, not a surprise") {
  LedgerOnDisk on_disk;
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  CHECK(code(session->commit()) == ErrorCode::kInvalidArgument);
  CHECK(code(session->rollback()) == ErrorCode::kInvalidArgument);
  CHECK(code(session->savepoint("s")) == ErrorCode::kInvalidArgument);
  REQUIRE(session->begin().has_value());
  CHECK(code(session->begin()) == ErrorCode::kInvalidArgument);
  CHECK(code(database->close()) == ErrorCode::kInvalidArgument);
  REQUIRE(session->commit().has_value());
}

TEST_CASE("options and defects that do not exist are refused with what there is") {
  const auto kind = recovery::make_ledger_kind();
  const std::vector<Option> unknown{{"cache", "1"}};
  const std::vector<Option> wrong{{"frames", "7"}};
  const std::vector<std::string> defect{"no-such"};
  CHECK(kind->make(unknown, {}).error().context() ==
        "ledger has no option 'cache'; there are: frames segment check-log-end log-block zero-segments page-batch early-release");
  CHECK(kind->make(wrong, {}).error().context() == "engine option frames: '7' is not a number from 8 to 1048576");
  CHECK(kind->make({}, defect).error().context().find("ack-before-sync") != std::string::npos);
}

}  // namespace powercut::testing
