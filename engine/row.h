// How a row's columns become bytes: one after another, each a type byte and its value. An engine that keeps rows as
// bytes never looks inside; one with constraints, the workloads and the printers do.
//
//   0                          null
//   1  i64 little-endian       integer
//   2  u16 length, bytes       text
//
// Reading is total: arbitrary bytes give "no value", never a read outside.
#pragma once

#include "engine/engine.h"
#include "faultfs/bytes.h"

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace powercut::engine {

using Value = std::variant<std::monostate, std::int64_t, std::string_view>;

// Replaces `out` with the encoded row. Texts are at most 65,535 bytes.
void encode_row(std::span<const Value> values, std::string& out);
void encode_row(std::initializer_list<Value> values, std::string& out);

// The bytes of column number `column` (type byte included); empty when the row is too short or not a row.
std::string_view encoded_column(std::string_view row, std::size_t column);

// Whether an encoded column is null (or missing).
inline bool is_null(std::string_view encoded) { return encoded.empty() || encoded[0] == 0; }

std::optional<std::int64_t> integer_column(std::string_view row, std::size_t column);
std::optional<std::string_view> text_column(std::string_view row, std::size_t column);

// Checks a row against its table: as many columns as the schema says, each of its type. kInvalidArgument.
Result<void> check_row(const TableSchema& schema, std::string_view row);

// Appends a null for each column that the row lacks, as rows do that are older than a column.
void complete_row(const TableSchema& schema, std::string& row);

// NOT NULL and CHECK, which need only the row itself. kConstraint, naming table and column.
Result<void> check_constraints(const TableSchema& schema, std::string_view row);

// The row as people read it: "5900" for one column, "(5900, 'ann', null)" for more, "()" for none. Columns missing at its end
// are shown as null, bytes that are not a row of that schema in hexadecimal.
std::string row_text(std::span<const Column> columns, std::string_view row);

// Bytes as people read them: as they are if printable, else in hexadecimal; cut after 40 with the length.
std::string bytes_text(std::string_view bytes);

}  // namespace powercut::engine
