// What engine.h asks of an engine with the power on, as checks over any: conforms(engine) in a test case is all that an
// adapter needs. Engines with sessions side by side have tests of their own for that.
#pragma once

#include "engine/engine.h"
#include "engine/row.h"
#include "faultfs/sim_file_system.h"

#include <catch2/catch.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::testing {

// A database of an engine on a simulated disk, with a session.
class ConformanceDatabase {
 public:
  explicit ConformanceDatabase(engine::Engine& engine) : engine_(engine), files_(disk_) { open(); }

  engine::Session& session() { return *session_; }
  engine::Database& database() { return *database_; }

  // As after the death of the process.
  void reopen() {
    session_.reset();
    database_.reset();
    open();
  }
  void close_and_reopen() {
    session_.reset();
    REQUIRE(database_->close().has_value());
    reopen();
  }
  void new_session() {
    session_.reset();
    session_ = std::move(database_->new_session()).value();
  }

 private:
  void open() {
    auto opened = engine_.open(files_, "db");
    INFO((opened.has_error() ? opened.error().message() : ""));
    REQUIRE(opened.has_value());
    database_ = std::move(opened).value();
    session_ = std::move(database_->new_session()).value();
  }

  engine::Engine& engine_;
  faultfs::SimDisk disk_;
  faultfs::SimFileSystem files_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
};

namespace conformance {

using engine::ColumnType;
using engine::Session;
using engine::TableSchema;

inline const TableSchema kAccounts{"accounts", {{"balance", ColumnType::kInteger, true, false, 0}}};
inline const TableSchema kUsers{"users", {{"name", ColumnType::kText, false, true, {}}, {"age", ColumnType::kInteger}}};
inline const TableSchema kMarkers{"markers", {}};

inline std::string row(std::initializer_list<engine::Value> values) {
  std::string encoded;
  engine::encode_row(values, encoded);
  return encoded;
}
inline std::string number(std::int64_t value) { return row({value}); }

// "fine", or the kind of error.
template <class T>
std::string said(const Result<T>& result) {
  return result.has_value() ? "fine" : std::string(to_string(result.error().code()));
}

// "a=1 b=2", or the kind of error.
inline std::string contents(Session& session, std::string_view table, std::string_view from = {}, std::string_view to = {}) {
  std::string text;
  const auto done = session.scan(table, from, to, [&](std::string_view key, std::string_view found) {
    const auto value = engine::integer_column(found, 0);
    text += (text.empty() ? "" : " ") + std::string(key) + "=" + (value ? std::to_string(*value) : "?");
    return true;
  });
  return done.has_value() ? text : said(done);
}

// The balance, "nothing", or the kind of error.
inline std::string balance(Session& session, std::string_view key) {
  std::string found;
  const auto there = session.get("accounts", key, found);
  if (there.has_error()) return said(there);
  return there.value() ? std::to_string(engine::integer_column(found, 0).value_or(-1)) : "nothing";
}

inline void statements(engine::Engine& engine) {
  ConformanceDatabase on(engine);
  Session& session = on.session();
  CHECK(on.database().tables().value().empty());
  CHECK(contents(session, "accounts") == "not found");
  CHECK(balance(session, "a") == "not found");
  CHECK(said(session.put("accounts", "a", number(1))) == "not found");
  CHECK(said(session.erase("accounts", "a")) == "not found");
  CHECK(said(session.drop_table("accounts")) == "not found");

  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  CHECK(said(session.create_table(kAccounts)) == "already exists");
  CHECK(contents(session, "accounts").empty());
  CHECK(balance(session, "a") == "nothing");
  CHECK(said(session.insert("accounts", "a", number(1))) == "fine");
  CHECK(said(session.insert("accounts", "a", number(2))) == "already exists");
  CHECK(said(session.update("accounts", "b", number(2))) == "not found");
  CHECK(said(session.put("accounts", "b", number(2))) == "fine");
  CHECK(said(session.put("accounts", "b", number(3))) == "fine");
  CHECK(said(session.update("accounts", "a", number(4))) == "fine");
  CHECK(contents(session, "accounts") == "a=4 b=3");
  CHECK(said(session.erase("accounts", "a")) == "fine");
  CHECK(said(session.erase("accounts", "a")) == "not found");
  CHECK(balance(session, "a") == "nothing");
  CHECK(balance(session, "b") == "3");
}

inline void keys_are_bytes(engine::Engine& engine) {
  ConformanceDatabase on(engine);
  Session& session = on.session();
  REQUIRE(said(session.create_table(kMarkers)) == "fine");
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  using namespace std::string_literals;
  const std::vector<std::string> sorted{"\0"s, "a", "a\0b"s, "ab", "b", "\x7f", "\x80", "\xff\xff"};
  for (std::size_t at = sorted.size(); at > 0; --at) {
    CHECK(said(session.insert("accounts", sorted[at - 1], number(static_cast<std::int64_t>(at)))) == "fine");
  }
  std::vector<std::string> found;
  REQUIRE(said(session.scan("accounts", {}, {}, [&](std::string_view key, std::string_view) {
            found.emplace_back(key);
            return true;
          })) == "fine");
  CHECK(found == sorted);
  CHECK(contents(session, "accounts", "a", "b") == "a=2 " + sorted[2] + "=3 ab=4");
  CHECK(contents(session, "accounts", "b", "a").empty());
  CHECK(contents(session, "accounts", "b", "b").empty());
  CHECK(contents(session, "markers").empty());
  found.clear();
  REQUIRE(said(session.scan("accounts", "ab", {}, [&](std::string_view key, std::string_view) {
            found.emplace_back(key);
            return found.size() < 2;
          })) == "fine");
  CHECK(found == std::vector<std::string>{"ab", "b"});
  // A row of no columns.
  CHECK(said(session.insert("markers", "m", row({}))) == "fine");
  std::string empty = "x";
  CHECK(session.get("markers", "m", empty).value());
  CHECK(empty == row({}));
}

inline void transactions(engine::Engine& engine) {
  ConformanceDatabase on(engine);
  Session& session = on.session();
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  CHECK(said(session.commit()) == "invalid argument");
  CHECK(said(session.rollback()) == "invalid argument");
  CHECK(said(session.savepoint("s")) == "invalid argument");
  for (const auto key : {"a", "c", "e", "g"}) REQUIRE(said(session.insert("accounts", key, number(1))) == "fine");

  // It sees its own writes, among what was there.
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.begin()) == "invalid argument");
  CHECK(said(session.insert("accounts", "b", number(2))) == "fine");
  CHECK(said(session.update("accounts", "c", number(2))) == "fine");
  CHECK(said(session.erase("accounts", "e")) == "fine");
  CHECK(said(session.insert("accounts", "h", number(2))) == "fine");
  CHECK(said(session.erase("accounts", "h")) == "fine");
  CHECK(said(session.insert("accounts", "i", number(2))) == "fine");
  CHECK(contents(session, "accounts") == "a=1 b=2 c=2 g=1 i=2");
  CHECK(contents(session, "accounts", "b", "g") == "b=2 c=2");
  CHECK(contents(session, "accounts", "d", "f").empty());
  CHECK(balance(session, "e") == "nothing");
  CHECK(balance(session, "c") == "2");
  CHECK(said(session.rollback()) == "fine");
  CHECK(contents(session, "accounts") == "a=1 c=1 e=1 g=1");

  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.erase("accounts", "a")) == "fine");
  CHECK(said(session.insert("accounts", "a", number(5))) == "fine");
  CHECK(said(session.erase("accounts", "g")) == "fine");
  CHECK(said(session.commit()) == "fine");
  CHECK(contents(session, "accounts") == "a=5 c=1 e=1");

  // One that changes nothing, and one that its session leaves open.
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.commit()) == "fine");
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.put("accounts", "z", number(1))) == "fine");
  on.new_session();
  CHECK(contents(on.session(), "accounts") == "a=5 c=1 e=1");
}

inline void savepoints(engine::Engine& engine) {
  ConformanceDatabase on(engine);
  Session& session = on.session();
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.rollback_to("s")) == "not found");
  CHECK(said(session.release("s")) == "not found");
  CHECK(said(session.insert("accounts", "a", number(1))) == "fine");
  CHECK(said(session.savepoint("s")) == "fine");
  CHECK(said(session.insert("accounts", "b", number(2))) == "fine");
  CHECK(said(session.savepoint("t")) == "fine");
  CHECK(said(session.update("accounts", "a", number(3))) == "fine");
  CHECK(said(session.erase("accounts", "b")) == "fine");
  CHECK(contents(session, "accounts") == "a=3");
  CHECK(said(session.rollback_to("t")) == "fine");
  CHECK(contents(session, "accounts") == "a=1 b=2");
  CHECK(said(session.insert("accounts", "c", number(3))) == "fine");
  CHECK(said(session.rollback_to("t")) == "fine");  // it stays
  CHECK(contents(session, "accounts") == "a=1 b=2");
  CHECK(said(session.rollback_to("s")) == "fine");
  CHECK(contents(session, "accounts") == "a=1");
  CHECK(said(session.rollback_to("t")) == "not found");

  // A name used again hides the earlier one.
  CHECK(said(session.insert("accounts", "d", number(4))) == "fine");
  CHECK(said(session.savepoint("s")) == "fine");
  CHECK(said(session.insert("accounts", "e", number(5))) == "fine");
  CHECK(said(session.rollback_to("s")) == "fine");
  CHECK(contents(session, "accounts") == "a=1 d=4");
  CHECK(said(session.release("s")) == "fine");
  CHECK(said(session.rollback_to("s")) == "fine");
  CHECK(contents(session, "accounts") == "a=1");

  // A release keeps the changes, and forgets those set after it.
  CHECK(said(session.insert("accounts", "f", number(6))) == "fine");
  CHECK(said(session.savepoint("u")) == "fine");
  CHECK(said(session.insert("accounts", "g", number(7))) == "fine");
  CHECK(said(session.release("s")) == "fine");
  CHECK(said(session.rollback_to("u")) == "not found");
  CHECK(said(session.commit()) == "fine");
  CHECK(contents(session, "accounts") == "a=1 f=6 g=7");
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.rollback_to("s")) == "not found");
  CHECK(said(session.rollback()) == "fine");
}

inline void constraints(engine::Engine& engine) {
  ConformanceDatabase on(engine);
  Session& session = on.session();
  const engine::Value null;
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  REQUIRE(said(session.create_table(kUsers)) == "fine");
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.insert("accounts", "a", number(1))) == "fine");
  CHECK(said(session.insert("accounts", "b", number(-1))) == "constraint violated");
  CHECK(said(session.update("accounts", "a", number(-1))) == "constraint violated");
  CHECK(said(session.put("accounts", "a", row({null}))) == "constraint violated");
  CHECK(said(session.insert("accounts", "b", "not a row")) == "invalid argument");
  CHECK(said(session.insert("accounts", "b", row({"text"}))) == "invalid argument");
  CHECK(said(session.insert("accounts", "b", row({std::int64_t{1}, std::int64_t{2}}))) == "invalid argument");
  CHECK(contents(session, "accounts") == "a=1");  // the transaction goes on
  CHECK(said(session.insert("accounts", "b", number(0))) == "fine");

  CHECK(said(session.insert("users", "1", row({"ann", 30}))) == "fine");
  CHECK(said(session.insert("users", "2", row({"ann", 40}))) == "constraint violated");
  CHECK(said(session.insert("users", "2", row({null, null}))) == "fine");
  CHECK(said(session.insert("users", "3", row({null, null}))) == "fine");  // nulls never collide
  CHECK(said(session.update("users", "3", row({"ann", null}))) == "constraint violated");
  CHECK(said(session.update("users", "1", row({"ann", 31}))) == "fine");  // nor a row with itself
  CHECK(said(session.commit()) == "fine");
  CHECK(said(session.put("users", "4", row({"ann", null}))) == "constraint violated");
  CHECK(said(session.update("users", "1", row({"bob", 31}))) == "fine");
  CHECK(said(session.put("users", "4", row({"ann", null}))) == "fine");
  CHECK(said(session.erase("users", "4")) == "fine");
  CHECK(said(session.insert("users", "5", row({"ann", null}))) == "fine");
  CHECK(contents(session, "accounts") == "a=1 b=0");
}

inline void tables(engine::Engine& engine) {
  ConformanceDatabase on(engine);
  Session& session = on.session();
  REQUIRE(said(session.create_table(kUsers)) == "fine");
  REQUIRE(said(session.create_table(kAccounts)) == "fine");
  CHECK(on.database().tables().value() == std::vector<std::string>{"accounts", "users"});
  REQUIRE(said(session.insert("accounts", "a", number(1))) == "fine");

  // Dropped and made anew in one transaction that is taken back, in part and whole.
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.drop_table("accounts")) == "fine");
  CHECK(contents(session, "accounts") == "not found");
  CHECK(said(session.drop_table("accounts")) == "not found");
  CHECK(said(session.savepoint("s")) == "fine");
  CHECK(said(session.create_table(kAccounts)) == "fine");
  CHECK(contents(session, "accounts").empty());
  CHECK(said(session.insert("accounts", "b", number(2))) == "fine");
  CHECK(said(session.rollback_to("s")) == "fine");
  CHECK(contents(session, "accounts") == "not found");
  CHECK(said(session.create_table(kMarkers)) == "fine");
  CHECK(said(session.rollback()) == "fine");
  CHECK(contents(session, "accounts") == "a=1");
  CHECK(contents(session, "markers") == "not found");

  // And in one that is committed: nothing of the old rows comes back, nor do the rows of others go.
  REQUIRE(said(session.insert("users", "1", row({"ann", 30}))) == "fine");
  REQUIRE(said(session.begin()) == "fine");
  CHECK(said(session.drop_table("accounts")) == "fine");
  CHECK(said(session.create_table(kAccounts)) == "fine");
  CHECK(said(session.insert("accounts", "b", number(2))) == "fine");
  CHECK(said(session.commit()) == "fine");
  CHECK(contents(session, "accounts") == "b=2");
  on.reopen();
  CHECK(contents(on.session(), "accounts") == "b=2");
  CHECK(contents(on.session(), "users") == "1=?");
  CHECK(said(on.session().drop_table("accounts")) == "fine");
  CHECK(said(on.session().create_table(kMarkers)) == "fine");
  CHECK(contents(on.session(), "markers").empty());
  CHECK(on.database().tables().value() == std::vector<std::string>{"markers", "users"});
}

inline void reopening(engine::Engine& engine) {
  ConformanceDatabase on(engine);
  REQUIRE(said(on.session().create_table(kAccounts)) == "fine");
  const auto checkpoint = [&] {
    const auto answer = said(on.database().checkpoint());
    CHECK((answer == "fine" || answer == "unsupported"));
  };
  // Each round leaves an open transaction behind, and ends in another way.
  std::string expected;
  for (int round = 0; round < 6; ++round) {
    const std::string key(1, static_cast<char>('a' + round));
    REQUIRE(said(on.session().insert("accounts", key, number(round))) == "fine");
    expected += (round == 0 ? "" : " ") + key + "=" + std::to_string(round);
    if (round % 3 == 1) checkpoint();
    if (round % 2 == 0) {
      REQUIRE(said(on.session().begin()) == "fine");
      CHECK(said(on.session().put("accounts", key, number(100))) == "fine");
      on.reopen();
    } else {
      on.close_and_reopen();
    }
    CHECK(contents(on.session(), "accounts") == expected);
    CHECK(said(on.session().put("accounts", key, number(-1))) == "constraint violated");  // the schema is there too
  }
  // Two at a time, on disks of their own.
  ConformanceDatabase other(engine);
  CHECK(other.database().tables().value().empty());
  REQUIRE(said(other.session().create_table(kAccounts)) == "fine");
  REQUIRE(said(other.session().insert("accounts", "z", number(26))) == "fine");
  on.reopen();
  CHECK(contents(on.session(), "accounts") == expected);
  CHECK(contents(other.session(), "accounts") == "z=26");
}

}  // namespace conformance

// The checks of engine.h that need no power failure.
inline void conforms(engine::Engine& engine) {
  conformance::statements(engine);
  conformance::keys_are_bytes(engine);
  conformance::transactions(engine);
  conformance::savepoints(engine);
  conformance::constraints(engine);
  conformance::tables(engine);
  conformance::reopening(engine);
}

}  // namespace powercut::testing
