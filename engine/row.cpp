#include "engine/row.h"

#include "faultfs/assert.h"

#include <algorithm>
#include <limits>

namespace powercut::engine {
namespace {

constexpr char kNull = 0;
constexpr char kInteger = 1;
constexpr char kText = 2;

// The bytes of the column at the front of `row`, which they are taken off; empty if there is none.
std::string_view take_column(std::string_view& row) {
  if (row.empty()) return {};
  std::size_t bytes = 1;
  if (row[0] == kInteger) {
    bytes += sizeof(std::int64_t);
  } else if (row[0] == kText) {
    if (row.size() < 3) return row = {};
    bytes += sizeof(std::uint16_t) + load<std::uint16_t>(as_bytes(row).data() + 1);
  } else if (row[0] != kNull) {
    return row = {};
  }
  if (row.size() < bytes) return row = {};
  const std::string_view column = row.substr(0, bytes);
  row.remove_prefix(bytes);
  return column;
}

std::int64_t integer_of(std::string_view encoded) { return load<std::int64_t>(as_bytes(encoded).data() + 1); }

bool has_type(std::string_view encoded, ColumnType type) {
  return encoded[0] == kNull || encoded[0] == (type == ColumnType::kInteger ? kInteger : kText);
}

std::string column_text(std::string_view encoded) {
  if (encoded[0] == kInteger) return std::to_string(integer_of(encoded));
  if (encoded[0] == kText) return "'" + bytes_text(encoded.substr(3)) + "'";
  return "null";
}

Error broken(const TableSchema& schema, const Column& column, std::string_view what) {
  return {ErrorCode::kConstraint, schema.name + "." + column.name + ": " + std::string(what)};
}

}  // namespace

void encode_row(std::initializer_list<Value> values, std::string& out) {
  encode_row(std::span(values.begin(), values.size()), out);
}

void encode_row(std::span<const Value> values, std::string& out) {
  out.clear();
  ByteWriter writer(out);
  for (const Value& value : values) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      writer.put(kInteger);
      writer.put(*integer);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      POWERCUT_ASSERT(text->size() <= std::numeric_limits<std::uint16_t>::max(), "a text fits its length field");
      writer.put(kText);
      writer.put(static_cast<std::uint16_t>(text->size()));
      writer.put_text(*text);
    } else {
      writer.put(kNull);
    }
  }
}

std::string_view encoded_column(std::string_view row, std::size_t column) {
  for (; column > 0; --column) {
    if (take_column(row).empty()) return {};
  }
  return take_column(row);
}

std::optional<std::int64_t> integer_column(std::string_view row, std::size_t column) {
  const std::string_view encoded = encoded_column(row, column);
  if (encoded.empty() || encoded[0] != kInteger) return std::nullopt;
  return integer_of(encoded);
}

std::optional<std::string_view> text_column(std::string_view row, std::size_t column) {
  const std::string_view encoded = encoded_column(row, column);
  if (encoded.empty() || encoded[0] != kText) return std::nullopt;
  return encoded.substr(3);
}

Result<void> check_row(const TableSchema& schema, std::string_view row) {
  for (const Column& column : schema.columns) {
    const std::string_view encoded = take_column(row);
    if (encoded.empty() || !has_type(encoded, column.type)) {
      return Error(ErrorCode::kInvalidArgument, schema.name + "." + column.name + ": the row has no value of the column's type");
    }
  }
  if (!row.empty()) return Error(ErrorCode::kInvalidArgument, schema.name + ": the row is longer than the table's columns");
  return success();
}

void complete_row(const TableSchema& schema, std::string& row) {
  std::string_view rest = row;
  std::size_t there = 0;
  while (!take_column(rest).empty()) ++there;
  if (there < schema.columns.size()) row.append(schema.columns.size() - there, kNull);
}

Result<void> check_constraints(const TableSchema& schema, std::string_view row) {
  for (const Column& column : schema.columns) {
    const std::string_view encoded = take_column(row);
    if (is_null(encoded)) {
      if (column.not_null) return broken(schema, column, "NOT NULL");
    } else if (column.at_least && encoded[0] == kInteger && integer_of(encoded) < *column.at_least) {
      return broken(schema, column, "CHECK (at least " + std::to_string(*column.at_least) + "), not " + column_text(encoded));
    }
  }
  return success();
}

std::string bytes_text(std::string_view bytes) {
  constexpr std::size_t kShown = 40;
  const bool printable = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= ' ' && c <= '~'; });
  std::string text;
  if (printable) {
    text = bytes.substr(0, kShown);
  } else {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    text = "0x";
    for (const char c : bytes.substr(0, kShown / 2)) {
      const auto value = static_cast<unsigned char>(c);
      text += kDigits[value >> 4U];
      text += kDigits[value & 15U];
    }
  }
  if (bytes.size() > (printable ? kShown : kShown / 2)) text += "… (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

std::string row_text(std::span<const Column> columns, std::string_view row) {
  const auto not_a_row = [&] { return row.empty() ? "(empty)" : bytes_text(row); };
  std::string_view rest = row;
  std::string text;
  for (const Column& column : columns) {
    const std::string_view encoded = rest.empty() && !row.empty() ? std::string_view(&kNull, 1) : take_column(rest);
    if (encoded.empty() || !has_type(encoded, column.type)) return not_a_row();
    if (!text.empty()) text += ", ";
    text += column_text(encoded);
  }
  if (!rest.empty()) return not_a_row();
  return columns.size() == 1 ? text : "(" + text + ")";
}

}  // namespace powercut::engine
