// UPDATE and DELETE over a range, and rows that refer to rows, with the power on.
#include "tests/support/ledger_database.h"

#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using namespace engine;

const TableSchema kNumbers{"numbers", {{"number", ColumnType::kInteger, true, true, 0}, {"text", ColumnType::kText}}};

std::string number_text_row(std::int64_t number, std::string_view text) {
  std::string row;
  encode_row({number, text}, row);
  return row;
}

std::string key_of(int number) {
  std::string digits = std::to_string(number);
  return std::string(4 - digits.size(), '0') + digits;
}

// "key=number key=number", or the error's code.
std::string contents(Session& session, std::string_view table) {
  std::string text;
  const auto done = session.scan(table, {}, {}, [&](std::string_view key, std::string_view row) {
    text += (text.empty() ? "" : " ") + std::string(key) + "=" + std::to_string(integer_column(row, 0).value_or(-1));
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

// Adds to the number of each row, which must stay unique, and gives it a text so long that few rows fill a page.
RowEditor adding(std::int64_t number, std::size_t text_bytes = 1) {
  return [=](std::string_view, std::string_view row, std::string& changed) {
    changed = number_text_row(*integer_column(row, 0) + number, std::string(text_bytes, 'x'));
    return RowEdit::kChange;
  };
}

std::string text_row(const std::vector<std::optional<std::string>>& values) {
  std::string row;
  std::string column;
  for (const auto& value : values) {
    encode_row({value ? Value(std::string_view(*value)) : Value()}, column);
    row += column;
  }
  return row;
}

const TableSchema kAccounts{"accounts", {{"owner", ColumnType::kText}}};
TableSchema orders(bool unique) { return {"orders", {{"account", ColumnType::kText, false, unique, {}, "accounts"}}}; }
const TableSchema kStaff{"staff", {{"boss", ColumnType::kText, true, false, {}, "staff"}}};

struct Numbers : LedgerOnDisk {
  explicit Numbers(int rows) : LedgerOnDisk(std::vector<Option>{{"frames", "8"}, {"segment", "16384"}}), database(open()) {
    session = std::move(database->new_session()).value();
    REQUIRE(session->create_table(kNumbers).has_value());
    REQUIRE(session->begin().has_value());
    for (int row = 0; row < rows; ++row) {
      REQUIRE(session->insert("numbers", key_of(row), number_text_row(row, "x")).has_value());
    }
    REQUIRE(session->commit().has_value());
  }

  std::unique_ptr<Database> database;
  std::unique_ptr<Session> session;
};

}  // namespace

TEST_CASE("an edit changes, erases and keeps the rows of its range, and counts what it did not keep") {
  Numbers of(6);
  std::string seen;
  const auto edited = of.session->edit("numbers", "0001", "0005", [&](std::string_view key, std::string_view row, auto& changed) {
    seen += std::string(key) + " ";
    if (key == "0002") return RowEdit::kKeep;
    if (key == "0003") return RowEdit::kErase;
    changed = key == "0004" ? std::string(row) : number_text_row(11, "y");
    return RowEdit::kChange;
  });
  CHECK(edited.value() == 3);
  CHECK(seen == "0001 0002 0003 0004 ");
  CHECK(contents(*of.session, "numbers") == "0000=0 0001=11 0002=2 0004=4 0005=5");
  CHECK(of.session->edit("numbers", "0006", {}, adding(1)).value() == 0);
  // Nothing lies between a key and the same with a zero byte.
  for (const std::size_t zeros : {1U, 2U}) {
    REQUIRE(of.session->insert("numbers", "0005" + std::string(zeros, '\0'), number_text_row(50 + std::int64_t(zeros), "x"))
                .has_value());
  }
  CHECK(of.session->edit("numbers", "0005", {}, adding(100)).value() == 3);
  CHECK(code(of.session->edit("none", {}, {}, adding(1))) == ErrorCode::kNotFound);
}

TEST_CASE("an edit meets every row of its range once while the rows grow, leaves split and leaves merge") {
  constexpr int kRows = 300;
  Numbers of(kRows);
  CHECK(of.session->edit("numbers", {}, {}, adding(kRows, 500)).value() == kRows);
  std::string row;
  for (int at = 0; at < kRows; ++at) {
    REQUIRE(of.session->get("numbers", key_of(at), row).value());
    REQUIRE(row == number_text_row(kRows + at, std::string(500, 'x')));
  }
  int at = 0;
  const auto erased = of.session->edit("numbers", {}, key_of(250), [&](std::string_view key, std::string_view, std::string&) {
    CHECK(key == key_of(at));
    return ++at % 50 == 0 ? RowEdit::kKeep : RowEdit::kErase;
  });
  CHECK(erased.value() == 245);
  CHECK(of.session->edit("numbers", {}, key_of(250), adding(-kRows)).value() == 5);
  CHECK(contents(*of.session, "numbers").starts_with("0049=49 0099=99 0149=149 0199=199 0249=249 0250=550"));
}

TEST_CASE("a row that an edit may not change so undoes the whole edit, and the transaction goes on") {
  constexpr int kRows = 100;
  Numbers of(kRows);
  const std::string before = contents(*of.session, "numbers");
  Session& session = *of.session;
  REQUIRE(session.begin().has_value());
  REQUIRE(session.put("numbers", "a", number_text_row(1000, "x")).has_value());
  const auto until = [&](std::string_view last, std::string bad) {
    return session.edit("numbers", {}, {}, [=](std::string_view key, std::string_view row, std::string& changed) {
      changed = key == last ? bad : number_text_row(*integer_column(row, 0) + 2000, std::string(400, 'y'));
      return RowEdit::kChange;
    });
  };
  CHECK(message(until("0070", number_text_row(-1, "x"))) == "constraint violated: numbers.number: CHECK (at least 0), not -1");
  CHECK(message(until("0070", number_text_row(99, "x"))) == "constraint violated: numbers.number: UNIQUE");
  CHECK(code(until("0070", "not a row")) == ErrorCode::kInvalidArgument);
  CHECK(code(until("0070", number_text_row(1, std::string(1000, 'x')))) == ErrorCode::kInvalidArgument);
  CHECK(contents(session, "numbers") == before + " a=1000");
  CHECK(session.edit("numbers", "0001", {}, adding(3000)).value() == kRows);
  REQUIRE(session.commit().has_value());
  CHECK(contents(session, "numbers").ends_with("0099=3099 a=4000"));
  CHECK(code(until("0070", number_text_row(-1, "x"))) == ErrorCode::kConstraint);
  CHECK(contents(session, "numbers").ends_with("0099=3099 a=4000"));
}

TEST_CASE("rows are read for share and for update as they are") {
  Numbers of(1);
  std::string row;
  CHECK(of.session->get("numbers", key_of(0), row, RowLock::kUpdate).value());
  CHECK(row == number_text_row(0, "x"));
  CHECK_FALSE(of.session->get("numbers", key_of(1), row, RowLock::kShare).value());
}

TEST_CASE("a row can refer only to a row that is there, which stays while it is referred to") {
  for (const bool unique : {false, true}) {
    LedgerOnDisk on_disk;
    auto database = on_disk.open();
    auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table(kAccounts).has_value());
    REQUIRE(session->create_table(orders(unique)).has_value());
    const std::string refused = "constraint violated: orders.account: FOREIGN KEY";
    CHECK(message(session->insert("orders", "1", text_row({"ann"}))) == refused);
    REQUIRE(session->insert("accounts", "ann", text_row({"Ann"})).has_value());
    REQUIRE(session->insert("accounts", "bob", text_row({"Bob"})).has_value());
    REQUIRE(session->insert("orders", "1", text_row({"ann"})).has_value());
    REQUIRE(session->insert("orders", "2", text_row({{}})).has_value());
    CHECK(message(session->update("orders", "2", text_row({"an"}))) == refused);
    CHECK(message(session->put("orders", "2", text_row({"anna"}))) == refused);
    CHECK(message(session->erase("accounts", "ann")) == refused);
    REQUIRE(session->update("accounts", "ann", text_row({"Anna"})).has_value());
    REQUIRE(session->begin().has_value());
    CHECK(message(session->edit("accounts", {}, {}, [](auto, auto, auto&) { return RowEdit::kErase; })) == refused);
    CHECK(message(session->edit("orders", {}, {}, [](auto, auto, std::string& changed) {
            changed = text_row({"carl"});
            return RowEdit::kChange;
          })) == refused);
    REQUIRE(session->update("orders", "1", text_row({"bob"})).has_value());
    REQUIRE(session->erase("accounts", "ann").has_value());
    CHECK(message(session->erase("accounts", "bob")) == refused);
    REQUIRE(session->erase("orders", "1").has_value());
    REQUIRE(session->edit("accounts", {}, {}, [](auto, auto, auto&) { return RowEdit::kErase; }).value() == 1);
    REQUIRE(session->commit().has_value());
    CHECK(contents(*session, "accounts").empty());
  }
}

TEST_CASE("a row may refer to itself and to rows of its own table") {
  LedgerOnDisk on_disk;
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  for (const bool unique : {false, true}) {
    TableSchema staff = kStaff;
    staff.columns[0].unique = unique;
    REQUIRE(session->create_table(staff).has_value());
    CHECK(code(session->insert("staff", "ann", text_row({"bob"}))) == ErrorCode::kConstraint);
    REQUIRE(session->insert("staff", "bob", text_row({"bob"})).has_value());
    REQUIRE(session->insert("staff", "ann", text_row({"ann"})).has_value());
    if (!unique) {
      REQUIRE(session->update("staff", "ann", text_row({"bob"})).has_value());
      CHECK(code(session->erase("staff", "bob")) == ErrorCode::kConstraint);
      REQUIRE(session->erase("staff", "ann").has_value());
    }
    REQUIRE(session->erase("staff", "bob").has_value());
    REQUIRE(session->drop_table("staff").has_value());
  }
}

TEST_CASE("tables that refer to each other come and go in an order that keeps every reference") {
  LedgerOnDisk on_disk;
  {
    auto database = on_disk.open();
    auto session = std::move(database->new_session()).value();
    CHECK(code(session->create_table(orders(false))) == ErrorCode::kNotFound);
    TableSchema numbers = orders(false);
    numbers.columns[0].type = ColumnType::kInteger;
    REQUIRE(session->create_table(kAccounts).has_value());
    CHECK(message(session->create_table(numbers)) == "invalid argument: orders.account: only a text column can refer to a table");
    REQUIRE(session->create_table(orders(false)).has_value());
    REQUIRE(session->insert("accounts", "ann", text_row({"Ann"})).has_value());
    REQUIRE(session->insert("orders", "1", text_row({"ann"})).has_value());
  }
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  CHECK(message(session->drop_table("accounts")) == "constraint violated: orders.account: FOREIGN KEY");
  CHECK(code(session->erase("accounts", "ann")) == ErrorCode::kConstraint);
  REQUIRE(session->begin().has_value());
  REQUIRE(session->drop_table("orders").has_value());
  REQUIRE(session->erase("accounts", "ann").has_value());
  REQUIRE(session->drop_table("accounts").has_value());
  REQUIRE(session->rollback().has_value());
  CHECK(code(session->erase("accounts", "ann")) == ErrorCode::kConstraint);
  REQUIRE(session->drop_table("orders").has_value());
  REQUIRE(session->drop_table("accounts").has_value());
}

}  // namespace powercut::testing
