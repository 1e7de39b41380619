// Tables that get other names, columns and constraints: what is kept, what is checked, and that it is undone like any change,
// also by recovery.
#include "faultfs/choices.h"
#include "faultfs/random.h"
#include "tests/support/ledger_database.h"
#include "tests/support/power_switch.h"

#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using namespace engine;

std::string text_row(const std::vector<std::optional<std::string>>& values) {
  std::string row;
  std::string column;
  for (const auto& value : values) {
    encode_row({value ? Value(std::string_view(*value)) : Value()}, column);
    row += column;
  }
  return row;
}

// "key=(row) key=(row)", or the error's code.
std::string contents(Session& session, const TableSchema& schema) {
  std::string text;
  const auto done = session.scan(schema.name, {}, {}, [&](std::string_view key, std::string_view row) {
    text += (text.empty() ? "" : " ") + std::string(key) + "=" + row_text(schema.columns, row);
    return true;
  });
  return done.has_value() ? text : std::string(to_string(done.error().code()));
}

template <class T>
std::string message(const Result<T>& result) {
  return result.has_error() ? result.error().message() : "no error";
}

template <class T>
ErrorCode code(const Result<T>& result) {
  REQUIRE(result.has_error());
  return result.error().code();
}

Column text(std::string name) { return {std::move(name), ColumnType::kText}; }
Column unique_text(std::string name) { return {std::move(name), ColumnType::kText, false, true, {}}; }
Column reference(std::string name, std::string table) {
  return {std::move(name), ColumnType::kText, false, false, {}, std::move(table)};
}

const TableSchema kPeople{"people", {text("name"), unique_text("mail")}};

struct People : LedgerOnDisk {
  explicit People(const std::vector<Option>& options = {}) : LedgerOnDisk(options), database(open()) {
    session = std::move(database->new_session()).value();
    REQUIRE(session->create_table(kPeople).has_value());
    REQUIRE(session->insert("people", "1", text_row({"Ann", "ann@"})).has_value());
    REQUIRE(session->insert("people", "2", text_row({"Bob", {}})).has_value());
  }

  void reopen() {
    session.reset();
    database.reset();
    database = open();
    session = std::move(database->new_session()).value();
  }

  std::uint64_t data_bytes() {
    REQUIRE(database->checkpoint().has_value());
    REQUIRE(database->checkpoint().has_value());
    return files.open("db/data", faultfs::OpenMode::kRead).value()->size().value();
  }

  std::unique_ptr<Database> database;
  std::unique_ptr<Session> session;
};

std::string long_text(int number, std::size_t more) {
  std::string digits = std::to_string(number);
  return digits.append(more, 'x');
}

constexpr std::string_view kBefore = "1=('Ann', 'ann@') 2=('Bob', null)";

}  // namespace

TEST_CASE("a renamed table keeps its rows and indexes, and those that refer to it follow") {
  People of;
  REQUIRE(of.session->create_table({"pets", {reference("owner", "people"), reference("second", "people")}}).has_value());
  REQUIRE(of.session->insert("pets", "rex", text_row({"1", {}})).has_value());
  const TableSchema users{"users", {text("first name"), unique_text("address")}};
  CHECK(code(of.session->alter_table("people", {"pets", kPeople.columns})) == ErrorCode::kAlreadyExists);
  CHECK(code(of.session->alter_table("none", users)) == ErrorCode::kNotFound);
  CHECK(code(of.session->alter_table("people", {"", kPeople.columns})) == ErrorCode::kInvalidArgument);
  REQUIRE(of.session->alter_table("people", users).has_value());
  for (int round = 0; round < 2; ++round) {
    CHECK(of.database->tables().value() == std::vector<std::string>{"pets", "users"});
    CHECK(contents(*of.session, kPeople) == "not found");
    CHECK(contents(*of.session, users) == kBefore);
    CHECK(message(of.session->insert("users", "3", text_row({"A", "ann@"}))) == "constraint violated: users.address: UNIQUE");
    CHECK(message(of.session->erase("users", "1")) == "constraint violated: pets.owner: FOREIGN KEY");
    CHECK(code(of.session->drop_table("users")) == ErrorCode::kConstraint);
    CHECK(code(of.session->insert("pets", "tom", text_row({"1", "3"}))) == ErrorCode::kConstraint);
    of.reopen();
  }
  REQUIRE(of.session->insert("pets", "tom", text_row({{}, "2"})).has_value());
}

TEST_CASE("a table that refers to itself still does under another name") {
  People of;
  REQUIRE(of.session->create_table({"staff", {reference("boss", "staff")}}).has_value());
  REQUIRE(of.session->insert("staff", "ann", text_row({"ann"})).has_value());
  // With a new constraint, so that its rows are looked at.
  Column boss = reference("boss", "staff");
  boss.not_null = true;
  REQUIRE(of.session->insert("staff", "zoe", text_row({"ann"})).has_value());
  REQUIRE(of.session->alter_table("staff", {"crew", {boss}}).has_value());
  REQUIRE(of.session->insert("crew", "bob", text_row({"ann"})).has_value());
  CHECK(code(of.session->insert("crew", "carl", text_row({"dan"}))) == ErrorCode::kConstraint);
  REQUIRE(of.session->drop_table("crew").has_value());
}

TEST_CASE("appended columns are null in the rows there are, and values in those that are written") {
  People of;
  TableSchema longer = kPeople;
  longer.columns.push_back(unique_text("phone"));
  longer.columns.push_back({"age", ColumnType::kInteger, false, false, 0});
  REQUIRE(of.session->alter_table("people", longer).has_value());
  of.reopen();
  CHECK(contents(*of.session, longer) == "1=('Ann', 'ann@', null, null) 2=('Bob', null, null, null)");
  std::string row;
  REQUIRE(of.session->get("people", "2", row).value());
  CHECK(row == text_row({"Bob", {}, {}, {}}));
  REQUIRE(of.session->put("people", "2", row).has_value());
  CHECK(code(of.session->put("people", "2", text_row({"Bob", {}}))) == ErrorCode::kInvalidArgument);
  const auto edited = of.session->edit("people", {}, {}, [](std::string_view key, std::string_view bytes, std::string& changed) {
    CHECK(encoded_column(bytes, 3).size() == 1);
    changed = text_row({"X", {}, "phone " + std::string(key), {}});
    return RowEdit::kChange;
  });
  CHECK(edited.value() == 2);
  CHECK(code(of.session->insert("people", "3", text_row({"Y", {}, "phone 1", {}}))) == ErrorCode::kConstraint);

  TableSchema shorter = longer;
  shorter.columns.pop_back();
  TableSchema retyped = longer;
  retyped.columns[0].type = ColumnType::kInteger;
  CHECK(message(of.session->alter_table("people", shorter)) ==
        "invalid argument: people.age: a column keeps its place and type; columns may be renamed and appended, and "
        "constraints come and go");
  CHECK(code(of.session->alter_table("people", retyped)) == ErrorCode::kInvalidArgument);
  longer.columns.push_back({"size", ColumnType::kInteger, true});
  CHECK(message(of.session->alter_table("people", longer)) == "constraint violated: people.size: NOT NULL");
  REQUIRE(of.session->edit("people", {}, {}, [](auto, auto, auto&) { return RowEdit::kErase; }).value() == 2);
  REQUIRE(of.session->alter_table("people", longer).has_value());
  CHECK(code(of.session->insert("people", "3", text_row({"Y", {}, {}, {}, {}}))) == ErrorCode::kConstraint);
}

TEST_CASE("a new constraint is met by every row or refused with nothing changed") {
  People of;
  REQUIRE(of.session->create_table({"names", {text("of")}}).has_value());
  REQUIRE(of.session->insert("names", "Ann", text_row({{}})).has_value());
  const auto with = [](std::size_t at, const Column& column) {
    TableSchema schema = kPeople;
    schema.columns[at] = column;
    return schema;
  };
  const TableSchema unique = with(0, unique_text("name"));
  const TableSchema not_null{"people", {text("name"), {"mail", ColumnType::kText, true, true, {}}}};
  const TableSchema referring = with(0, reference("name", "names"));
  REQUIRE(of.session->insert("people", "3", text_row({"Ann", "c@"})).has_value());
  CHECK(message(of.session->alter_table("people", unique)) == "constraint violated: people.name: UNIQUE");
  CHECK(message(of.session->alter_table("people", not_null)) == "constraint violated: people.mail: NOT NULL");
  CHECK(message(of.session->alter_table("people", referring)) == "constraint violated: people.name: FOREIGN KEY");
  CHECK(code(of.session->alter_table("people", with(0, reference("name", "none")))) == ErrorCode::kNotFound);
  REQUIRE(of.session->insert("people", "4", text_row({"Bob", {}})).has_value());
  REQUIRE(of.session->edit("people", "3", {}, [](auto, auto, auto&) { return RowEdit::kErase; }).value() == 2);

  REQUIRE(of.session->alter_table("people", unique).has_value());
  CHECK(code(of.session->insert("people", "3", text_row({"Bob", {}}))) == ErrorCode::kConstraint);
  // The index of the second column goes, that of the first stays.
  REQUIRE(of.session->alter_table("people", {"people", {unique_text("name"), text("mail")}}).has_value());
  CHECK(code(of.session->insert("people", "3", text_row({"Bob", {}}))) == ErrorCode::kConstraint);
  REQUIRE(of.session->insert("people", "3", text_row({"Carl", "ann@"})).has_value());
  CHECK(code(of.session->alter_table("people", kPeople)) == ErrorCode::kConstraint);
  REQUIRE(of.session->erase("people", "3").has_value());
  REQUIRE(of.session->alter_table("people", kPeople).has_value());
  REQUIRE(of.session->insert("names", "Bob", text_row({{}})).has_value());
  REQUIRE(of.session->alter_table("people", referring).has_value());
  CHECK(code(of.session->erase("names", "Bob")) == ErrorCode::kConstraint);
  REQUIRE(of.session->alter_table("people", kPeople).has_value());
  REQUIRE(of.session->erase("names", "Bob").has_value());

  REQUIRE(of.session->create_table({"n", {{"v", ColumnType::kInteger}}}).has_value());
  REQUIRE(of.session->insert("n", "a", number_row(3)).has_value());
  CHECK(code(of.session->alter_table("n", {"n", {{"v", ColumnType::kInteger, false, false, 4}}})) == ErrorCode::kConstraint);
  REQUIRE(of.session->alter_table("n", {"n", {{"v", ColumnType::kInteger, false, false, 3}}}).has_value());
  CHECK(code(of.session->update("n", "a", number_row(2))) == ErrorCode::kConstraint);
  CHECK(contents(*of.session, kPeople) == kBefore);
}

TEST_CASE("an alteration that is rolled back, all of it or to a savepoint, was none") {
  People of;
  REQUIRE(of.session->create_table({"pets", {reference("owner", "people")}}).has_value());
  const TableSchema once{"users", {unique_text("a"), text("b"), text("c")}};
  const TableSchema twice{"folk", {text("a"), unique_text("b"), unique_text("c")}};
  Session& session = *of.session;
  for (const bool all : {false, true}) {
    REQUIRE(session.begin().has_value());
    REQUIRE(session.savepoint("first").has_value());
    REQUIRE(session.alter_table("people", once).has_value());
    REQUIRE(session.insert("users", "3", text_row({"Carl", "ann@", {}})).has_value());
    REQUIRE(session.savepoint("second").has_value());
    REQUIRE(session.erase("users", "3").has_value());
    REQUIRE(session.alter_table("users", twice).has_value());
    REQUIRE(session.insert("folk", "4", text_row({"Ann", {}, "x"})).has_value());
    REQUIRE(session.insert("pets", "rex", text_row({"4"})).has_value());
    REQUIRE(session.rollback_to("second").has_value());
    CHECK(contents(session, once) == "1=('Ann', 'ann@', null) 2=('Bob', null, null) 3=('Carl', 'ann@', null)");
    CHECK(message(session.insert("users", "4", text_row({"Ann", {}, {}}))) == "constraint violated: users.a: UNIQUE");
    CHECK(code(session.insert("pets", "rex", text_row({"4"}))) == ErrorCode::kConstraint);
    if (all) {
      REQUIRE(session.rollback().has_value());
    } else {
      REQUIRE(session.rollback_to("first").has_value());
      REQUIRE(session.commit().has_value());
    }
    CHECK(contents(session, kPeople) == kBefore);
    CHECK(message(session.insert("people", "3", text_row({"Ann", "ann@"}))) == "constraint violated: people.mail: UNIQUE");
    CHECK(code(session.drop_table("people")) == ErrorCode::kConstraint);
  }
  // What makes new pages does not get one of the table's.
  REQUIRE(session.create_table({"other", {unique_text("text")}}).has_value());
  for (int row = 0; row < 50; ++row) {
    REQUIRE(session.insert("other", std::to_string(row), text_row({long_text(row, 300)})).has_value());
  }
  of.reopen();
  CHECK(contents(*of.session, kPeople) == kBefore);
  REQUIRE(of.session->insert("people", "3", text_row({"Ann", "c@"})).has_value());
}

TEST_CASE("the pages of indexes and tables that come and go are used again, whatever became of the transaction") {
  People of;
  Session& session = *of.session;
  for (int row = 10; row < 99; ++row) {
    REQUIRE(session.insert("people", std::to_string(row), text_row({long_text(row, 200), {}})).has_value());
  }
  const TableSchema unique{"users", {unique_text("name"), text("mail"), text("more")}};
  const auto round = [&] {
    REQUIRE(session.begin().has_value());
    REQUIRE(session.alter_table("people", unique).has_value());
    REQUIRE(session.create_table(kPeople).has_value());
    REQUIRE(session.rollback().has_value());

    REQUIRE(session.begin().has_value());
    REQUIRE(session.savepoint("s").has_value());
    REQUIRE(session.alter_table("people", unique).has_value());
    REQUIRE(session.rollback_to("s").has_value());
    REQUIRE(session.alter_table("people", unique).has_value());
    REQUIRE(session.drop_table("users").has_value());
    REQUIRE(session.rollback_to("s").has_value());
    REQUIRE(session.commit().has_value());

    REQUIRE(session.alter_table("people", {"people", {unique_text("name"), text("mail")}}).has_value());
    REQUIRE(session.alter_table("people", kPeople).has_value());

    // A failed one too.
    REQUIRE(session.insert("people", "z", text_row({long_text(98, 200), {}})).has_value());
    REQUIRE(code(session.alter_table("people", {"people", {unique_text("name"), text("mail")}})) == ErrorCode::kConstraint);
    REQUIRE(session.erase("people", "z").has_value());
  };
  round();
  const std::uint64_t before = of.data_bytes();
  for (int at = 0; at < 20; ++at) round();
  CHECK(of.data_bytes() == before);
}

TEST_CASE("a table whose alteration was rolled back can be dropped in the same transaction") {
  People of;
  REQUIRE(of.session->begin().has_value());
  REQUIRE(of.session->savepoint("s").has_value());
  REQUIRE(of.session->alter_table("people", {"users", kPeople.columns}).has_value());
  REQUIRE(of.session->rollback_to("s").has_value());
  REQUIRE(of.session->drop_table("people").has_value());
  REQUIRE(of.session->commit().has_value());
  // Each of its pages is free once.
  for (const std::string name : {"a", "b", "c"}) {
    REQUIRE(of.session->create_table({name, {text("of")}}).has_value());
    REQUIRE(of.session->insert(name, name, text_row({name})).has_value());
  }
  for (const std::string name : {"a", "b", "c"}) {
    CHECK(contents(*of.session, {name, {text("of")}}) == name + "='" + name + "'");
  }
}

TEST_CASE("a power failure anywhere in an alteration leaves the table as it was or as it should be") {
  const TableSchema after{"users", {unique_text("name"), text("mail"), text("more")}};
  const std::vector<Option> options{{"frames", "8"}, {"segment", "16384"}};
  int was = 0;
  int done = 0;
  bool survived = false;
  for (std::uint64_t operations = 0; !survived; ++operations) {
    INFO("power off at operation " << operations);
    People of(options);
    REQUIRE(of.session->create_table({"pets", {reference("owner", "people")}}).has_value());
    for (int row = 10; row < 60; ++row) {
      const std::string name = long_text(row, 300);
      REQUIRE(of.session->insert("people", std::to_string(row), text_row({name, std::to_string(row)})).has_value());
    }
    const std::string rows = contents(*of.session, kPeople);
    of.session.reset();
    of.database.reset();
    PowerSwitch power(of.files, operations);
    bool answered = false;
    {
      const auto steps = [&]() -> Result<void> {
        POWERCUT_TRY(const auto database, of.engine->open(power, "db"));
        POWERCUT_TRY(const auto session, database->new_session());
        POWERCUT_TRYV(session->begin());
        POWERCUT_TRYV(session->alter_table("people", after));
        POWERCUT_TRYV(database->checkpoint());
        POWERCUT_TRYV(session->insert("users", "9", text_row({"Zoe", "ann@", "new"})));
        POWERCUT_TRYV(session->insert("pets", "rex", text_row({"9"})));
        // Even operations also test a rollback that the power may interrupt.
        return operations % 2 == 0 ? session->rollback() : session->commit();
      };
      answered = steps().has_value();
      REQUIRE((answered || power.is_off()));
      survived = !power.is_off();
    }
    faultfs::RandomChoices choices(operations);
    faultfs::SimDisk rebooted;
    rebooted.boot(of.disk, choices);
    faultfs::SimFileSystem files(rebooted);
    const auto database = std::move(of.engine->open(files, "db")).value();
    const auto session = std::move(database->new_session()).value();
    if (contents(*session, kPeople) == rows) {
      ++was;
      REQUIRE_FALSE((answered && operations % 2 == 1));
      REQUIRE(contents(*session, after) == "not found");
      REQUIRE(code(session->insert("people", "x", text_row({"X", "ann@"}))) == ErrorCode::kConstraint);
      REQUIRE(session->insert("people", "x", text_row({"Ann", "x@"})).has_value());
      REQUIRE(code(session->insert("pets", "rex", text_row({"9"}))) == ErrorCode::kConstraint);
      REQUIRE(code(session->drop_table("people")) == ErrorCode::kConstraint);
    } else {
      ++done;
      REQUIRE(operations % 2 == 1);
      REQUIRE(contents(*session, after).starts_with("1=('Ann', 'ann@', null) 10="));
      REQUIRE(contents(*session, kPeople) == "not found");
      REQUIRE(code(session->insert("users", "x", text_row({"Ann", {}, {}}))) == ErrorCode::kConstraint);
      REQUIRE(session->insert("users", "x", text_row({"X", "ann@", {}})).has_value());
      REQUIRE(code(session->drop_table("users")) == ErrorCode::kConstraint);
    }
    REQUIRE(session->drop_table("pets").has_value());
    const auto names = database->tables();
    for (const std::string& name : names.value()) REQUIRE(session->drop_table(name).has_value());
  }
  CHECK(was > 20);
  CHECK(done > 0);
}

}  // namespace powercut::testing
