// The adapter with the power on: what an engine must do, and what SQLite for Unix would do with its files.
#include "engine/sqlite/connection.h"
#include "engine/sqlite/sqlite_engine.h"
#include "faultfs/tracing_file_system.h"
#include "tests/support/engine_conformance.h"
#include "tests/support/failing_sync.h"

namespace powercut::testing {
namespace {

using conformance::contents;
using conformance::kAccounts;
using conformance::number;
using conformance::row;
using conformance::said;

std::unique_ptr<engine::Engine> make(const std::vector<engine::Option>& options) {
  return std::move(engine::make_sqlite_kind()->make(options, {})).value();
}

// What was asked of the file system, one line an operation.
class Lines final : public faultfs::TraceSink {
 public:
  void on_operation(const faultfs::Operation& operation) override {
    lines.push_back(std::string(to_string(operation.kind)) + " " + operation.path);
  }
  std::vector<std::string> lines;
};

struct TracedDisk {
  faultfs::SimDisk disk;
  faultfs::SimFileSystem plain{disk};
  Lines trace;
  faultfs::TracingFileSystem files{plain, trace};
};

}  // namespace

TEST_CASE("every mode of SQLite does what is asked of an engine") {
  for (const engine::Mode& mode : engine::make_sqlite_kind()->modes()) {
    INFO(mode.name);
    conforms(*make(mode.options));
  }
}

TEST_CASE("SQLite with small pages, a small cache, no shared memory and no powersafe overwrite does too") {
  for (const auto journal : {"wal", "delete"}) {
    for (const auto page : {"512", "1024"}) {
      conforms(*make({{"journal", journal},
                      {"page-size", page},
                      {"cache-size", "10"},
                      {"wal-autocheckpoint", "4"},
                      {"locking", "exclusive"},
                      {"psow", "no"}}));
    }
  }
}

TEST_CASE("a column of SQLite that references a table holds keys of it, or nothing") {
  const auto engine = make({});
  ConformanceDatabase on(*engine);
  auto& session = on.session();
  const engine::TableSchema orders{"orders", {{"account", engine::ColumnType::kText, false, false, {}, "accounts"}}};
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  REQUIRE(said(session.create_table(orders)) == "fine");
  REQUIRE(said(session.insert("accounts", "a", number(1))) == "fine");
  CHECK(said(session.insert("orders", "1", row({"a"}))) == "fine");
  CHECK(said(session.insert("orders", "2", row({"b"}))) == "constraint violated");
  CHECK(said(session.insert("orders", "3", row({engine::Value()}))) == "fine");
  CHECK(said(session.erase("accounts", "a")) == "constraint violated");
  std::string found;
  REQUIRE(session.get("orders", "1", found).value());
  CHECK(found == row({"a"}));
}

TEST_CASE("a row that is there is not inserted, also if it would break a constraint of SQLite") {
  const auto engine = make({});
  ConformanceDatabase on(*engine);
  REQUIRE(said(on.session().create_table(kAccounts)) == "fine");
  REQUIRE(said(on.session().insert("accounts", "a", number(1))) == "fine");
  CHECK(said(on.session().insert("accounts", "a", number(-1))) == "already exists");
}

TEST_CASE("a scan of SQLite within a scan of the same table disturbs neither") {
  const auto engine = make({});
  ConformanceDatabase on(*engine);
  auto& session = on.session();
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  for (const auto key : {"a", "b"}) REQUIRE(said(session.insert("accounts", key, number(1))) == "fine");
  std::string seen;
  REQUIRE(said(session.scan("accounts", {}, {}, [&](std::string_view key, std::string_view) {
            seen.append(key).append(": ").append(contents(session, "accounts")).append("; ");
            return true;
          })) == "fine");
  CHECK(seen == "a: a=1 b=1; b: a=1 b=1; ");
}

TEST_CASE("a table of SQLite that was made anew with other columns is forgotten when that is taken back") {
  const auto engine = make({});
  ConformanceDatabase on(*engine);
  auto& session = on.session();
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  const engine::TableSchema wider{"accounts", {{"balance"}, {"limit"}}};
  for (const bool whole : {true, false}) {
    REQUIRE(said(session.begin()) == "fine");
    REQUIRE(said(session.savepoint("s")) == "fine");
    REQUIRE(said(session.drop_table("accounts")) == "fine");
    REQUIRE(said(session.create_table(wider)) == "fine");
    CHECK(said(session.put("accounts", "a", row({std::int64_t{1}, std::int64_t{2}}))) == "fine");
    CHECK(said(whole ? session.rollback() : session.rollback_to("s")) == "fine");
    CHECK(said(session.put("accounts", "a", number(1))) == "fine");
    if (!whole) CHECK(said(session.commit()) == "fine");
  }
  CHECK(contents(session, "accounts") == "a=1");
}

TEST_CASE("a database of SQLite that is destroyed asks nothing more of the file system") {
  for (const engine::Mode& mode : engine::make_sqlite_kind()->modes()) {
    for (const auto locking : {"normal", "exclusive"}) {
      INFO(mode.name << " " << locking);
      auto options = mode.options;
      options.push_back({"locking", locking});
      const auto engine = make(options);
      TracedDisk on;
      auto database = std::move(engine->open(on.files, "db")).value();
      auto session = std::move(database->new_session()).value();
      REQUIRE(said(session->create_table(kAccounts)) == "fine");
      REQUIRE(said(session->insert("accounts", "a", number(1))) == "fine");
      session.reset();
      const std::size_t before = on.trace.lines.size();
      database.reset();
      CHECK(on.trace.lines.size() == before);
    }
  }
}

TEST_CASE("names of SQLite's journals become durable when those of SQLite for Unix do") {
  struct Expected {
    std::string_view mode;
    std::vector<std::string> last;  // of what one insert changes
  };
  const std::vector<std::string> journal{"sync db/database-journal", "sync directory db", "sync db/database-journal",
                                         "sync db/database", "remove db/database-journal"};
  auto with_directory = journal;
  with_directory.emplace_back("sync directory db");
  for (const auto& expected : {Expected{"full", journal}, Expected{"extra", with_directory}}) {
    INFO(expected.mode);
    const auto engine = make({{"journal", "delete"}, {"synchronous", std::string(expected.mode)}});
    TracedDisk on;
    const auto database = std::move(engine->open(on.files, "db")).value();
    const auto session = std::move(database->new_session()).value();
    REQUIRE(said(session->create_table(kAccounts)) == "fine");
    on.trace.lines.clear();
    REQUIRE(said(session->insert("accounts", "a", number(1))) == "fine");
    std::vector<std::string> found;
    for (const std::string& line : on.trace.lines) {
      if (line.starts_with("sync") || line.starts_with("remove")) found.push_back(line);
    }
    CHECK(found == expected.last);
  }
}

TEST_CASE("a file without bytes is not there for SQLite, as for Unix") {
  faultfs::SimDisk disk;
  faultfs::SimFileSystem files(disk);
  engine::sqlite::Vfs vfs(files, true);
  sqlite3_vfs* const found = sqlite3_vfs_find(vfs.name());
  REQUIRE(found != nullptr);
  const auto file = std::move(files.open("journal", faultfs::OpenMode::kCreate)).value();
  int there = -1;
  CHECK(found->xAccess(found, "journal", SQLITE_ACCESS_EXISTS, &there) == SQLITE_OK);
  CHECK(there == 0);
  REQUIRE(file->resize(1).has_value());
  CHECK(found->xAccess(found, "journal", SQLITE_ACCESS_EXISTS, &there) == SQLITE_OK);
  CHECK(there == 1);
}

TEST_CASE("a commit of SQLite that failed is taken back, and is there for who opens the database next") {
  const auto engine = make({});
  faultfs::SimDisk disk;
  faultfs::SimFileSystem plain(disk);
  FailingSync files(plain);
  auto database = std::move(engine->open(files, "db")).value();
  auto session = std::move(database->new_session()).value();
  REQUIRE(said(session->create_table(kAccounts)) == "fine");
  REQUIRE(said(session->begin()) == "fine");
  REQUIRE(said(session->insert("accounts", "a", number(1))) == "fine");
  files.failing = true;
  CHECK(said(session->commit()) == "I/O error");
  files.failing = false;
  CHECK(said(session->put("accounts", "b", number(1))) == "stopped");
  CHECK(said(session->rollback()) == "stopped");
  CHECK(contents(*session, "accounts").empty());
  session.reset();
  database.reset();
  database = std::move(engine->open(files, "db")).value();
  session = std::move(database->new_session()).value();
  CHECK(contents(*session, "accounts") == "a=1");
}

TEST_CASE("a statement of SQLite whose journal is too long for memory is taken back from a file that is nowhere") {
  TracedDisk on;
  REQUIRE(on.files.make_directory("db").has_value());
  const auto connection = std::move(engine::sqlite::Connection::open(on.files, "db/database", true)).value();
  REQUIRE(connection
              ->execute("CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT CHECK (n < 1000 OR length(v) = 1000));"
                        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000)"
                        "INSERT INTO t SELECT n, printf('%01000d', 0) FROM c;"
                        "BEGIN; UPDATE t SET v = printf('%01000d', n)")
              .has_value());
  on.trace.lines.clear();
  CHECK(said(connection->execute("UPDATE t SET v = 'short'")) == "constraint violated");
  auto count = std::move(connection->prepare("SELECT count(*) FROM t WHERE v = printf('%01000d', n)")).value();
  std::int64_t right = 0;
  REQUIRE(count
              .run([&](const engine::sqlite::Statement& at) {
                right = at.integer(0);
                return true;
              })
              .has_value());
  CHECK(right == 1000);
  for (const std::string& line : on.trace.lines) CHECK(line.find("db/database") != std::string::npos);
}

TEST_CASE("options of SQLite that do not exist are refused with those that do") {
  const auto kind = engine::make_sqlite_kind();
  const auto message = [&](const engine::Option& option) {
    const std::vector<engine::Option> options{option};
    return kind->make(options, {}).error().message();
  };
  CHECK(message({"frames", "8"}).find("there are: journal synchronous") != std::string::npos);
  CHECK(message({"journal", "off"}).find("it is one of: delete truncate persist wal") != std::string::npos);
  const std::vector<std::string> defects{"no-undo"};
  CHECK(kind->make({}, defects).has_error());
}

}  // namespace powercut::testing
