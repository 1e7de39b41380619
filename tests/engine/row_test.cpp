#include "engine/row.h"
#include "tests/support/property.h"

namespace powercut::testing {
using namespace engine;

TEST_CASE("a row reads as it was written") {
  property("rows", [](std::int64_t integer, const std::string& text) {
    std::string row;
    encode_row({integer, std::string_view(text), std::monostate{}}, row);
    RC_ASSERT(integer_column(row, 0) == integer);
    RC_ASSERT(text_column(row, 1) == text);
    RC_ASSERT(is_null(encoded_column(row, 2)));
    RC_ASSERT(encoded_column(row, 3).empty());
    RC_ASSERT(!integer_column(row, 1));
    const TableSchema schema{"t", {{"i", ColumnType::kInteger}, {"t", ColumnType::kText}, {"n", ColumnType::kText}}};
    RC_ASSERT(check_row(schema, row).has_value());
    RC_ASSERT(check_row(schema, row + "x").has_error());
    RC_ASSERT(check_row(schema, std::string_view(row).substr(0, row.size() - 1)).has_error());
  });
}

TEST_CASE("arbitrary bytes are read as no row, and printed") {
  property("arbitrary rows", [](const std::string& bytes) {
    const TableSchema schema{"t", {{"i", ColumnType::kInteger}, {"t", ColumnType::kText}}};
    static_cast<void>(check_row(schema, bytes).has_error());
    static_cast<void>(check_constraints(schema, bytes).has_error());
    for (std::size_t column = 0; column < 4; ++column) RC_ASSERT(encoded_column(bytes, column).size() <= bytes.size());
    RC_ASSERT(!row_text(schema.columns, bytes).empty());
  });
}

TEST_CASE("a row that is older than a column is completed with nulls, any other stays") {
  const TableSchema schema{"t", {{"i", ColumnType::kInteger}, {"t", ColumnType::kText}, {"n", ColumnType::kText}}};
  std::string whole;
  encode_row({std::int64_t{7}, std::monostate{}, std::monostate{}}, whole);
  std::string row;
  encode_row({std::int64_t{7}}, row);
  for (int round = 0; round < 2; ++round) {
    complete_row(schema, row);
    CHECK(row == whole);
  }
  row += '\0';
  complete_row(schema, row);
  CHECK(row == whole + '\0');
  row.clear();
  complete_row(schema, row);
  CHECK(row == std::string(3, '\0'));
}

TEST_CASE("NOT NULL and CHECK refuse a row and say which column") {
  const TableSchema schema{"accounts", {{"balance", ColumnType::kInteger, true, false, 0}}};
  std::string row;
  encode_row({std::int64_t{-1}}, row);
  CHECK(check_constraints(schema, row).error().message() == "constraint violated: accounts.balance: CHECK (at least 0), not -1");
  encode_row({std::monostate{}}, row);
  CHECK(check_constraints(schema, row).error().message() == "constraint violated: accounts.balance: NOT NULL");
  encode_row({std::int64_t{0}}, row);
  CHECK(check_constraints(schema, row).has_value());
}

TEST_CASE("rows are printed as people write them") {
  std::string row;
  encode_row({std::int64_t{5900}, std::string_view("ann"), std::monostate{}}, row);
  const std::vector<Column> columns{{"a", ColumnType::kInteger}, {"b", ColumnType::kText}, {"c", ColumnType::kText}};
  CHECK(row_text(columns, row) == "(5900, 'ann', null)");
  encode_row({std::int64_t{5900}}, row);
  CHECK(row_text({columns.data(), 1}, row) == "5900");
  CHECK(row_text(columns, row) == "(5900, null, null)");
  CHECK(row_text(columns, {}) == "(empty)");
  CHECK(bytes_text(std::string("\x01\xff", 2)) == "0x01ff");
}

}  // namespace powercut::testing
