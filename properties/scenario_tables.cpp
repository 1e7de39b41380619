#include "properties/scenario_tables.h"

#include "properties/workload.h"

#include <algorithm>

namespace powercut::properties {
namespace {

constexpr std::size_t kKeyDigits = 5;

Error no_column(const engine::TableSchema& schema, std::string_view name) {
  return {ErrorCode::kInvalidArgument, schema.name + " has no column '" + std::string(name) + "'"};
}

// With its quotes, one inside doubled; in hexadecimal if it is not printable.
std::string quoted(std::string_view text) {
  std::string shown;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) return engine::bytes_text(text);
  for (const char c : text) shown.append(c == '\'' ? 2 : 1, c);
  return "'" + shown + "'";
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

std::string written_key(std::string_view key) {
  if (key.size() == kKeyDigits && std::all_of(key.begin(), key.end(), is_digit)) {
    const auto first = std::min(key.find_first_not_of('0'), kKeyDigits - 1);
    return std::string(key.substr(first));
  }
  return is_word(key) ? std::string(key) : quoted(key);
}

}  // namespace

std::optional<std::size_t> find_column(const engine::TableSchema& schema, std::string_view name) {
  for (std::size_t at = 0; at < schema.columns.size(); ++at) {
    if (schema.columns[at].name == name) return at;
  }
  return std::nullopt;
}

Result<TableDefinition> altered(TableDefinition definition, const TableAlteration& alteration) {
  using Kind = TableAlteration::Kind;
  engine::TableSchema& schema = definition.schema;
  const auto is_there = [&](const std::string& name) { return name == definition.key || find_column(schema, name).has_value(); };
  const auto taken = [&](const std::string& name) {
    return Error(ErrorCode::kInvalidArgument, schema.name + " has a column '" + name + "' already");
  };
  if (alteration.kind == Kind::kRename) {
    schema.name = alteration.name;
    return definition;
  }
  if (alteration.kind == Kind::kAddColumn) {
    if (is_there(alteration.column.name)) return taken(alteration.column.name);
    schema.columns.push_back(alteration.column);
    return definition;
  }
  const auto at = find_column(schema, alteration.of);
  if (!at) return no_column(schema, alteration.of);
  engine::Column& column = schema.columns[*at];
  if (alteration.kind == Kind::kRenameColumn) {
    if (is_there(alteration.name)) return taken(alteration.name);
    column.name = alteration.name;
  }
  if (alteration.kind == Kind::kCheck) column.at_least = alteration.at_least;
  if (alteration.kind == Kind::kUnique) column.unique = alteration.on;
  if (alteration.kind == Kind::kNotNull) column.not_null = alteration.on;
  return definition;
}

std::string key_of_number(std::int64_t number) {
  std::string key;
  Workload::key(static_cast<std::uint32_t>(number), key);
  return key;
}

std::string next_key(std::string_view key) { return std::string(key) + '\0'; }

Result<engine::Value> value_of(const engine::TableSchema& schema, const engine::Column& column, const Literal& literal,
                               std::string& storage) {
  const auto* const number = std::get_if<std::int64_t>(&literal);
  const auto* const text = std::get_if<std::string>(&literal);
  if (number == nullptr && text == nullptr) return engine::Value();
  if (column.type == engine::ColumnType::kInteger) {
    if (number != nullptr) return engine::Value(*number);
    return Error(ErrorCode::kInvalidArgument, schema.name + "." + column.name + " holds numbers, not " + quoted(*text));
  }
  if (text != nullptr) {
    storage = *text;
  } else {
    const bool is_key = !column.references.empty() && *number >= 0 && *number <= kMostKeyNumber;
    storage = is_key ? key_of_number(*number) : std::to_string(*number);
  }
  return engine::Value(std::string_view(storage));
}

Result<void> encode_values(const engine::TableSchema& schema, const std::vector<Literal>& values, std::string& row) {
  if (values.size() != schema.columns.size()) {
    return Error(ErrorCode::kInvalidArgument, schema.name + " has " + std::to_string(schema.columns.size()) +
                                                  " columns besides the key, not " + std::to_string(values.size()));
  }
  std::vector<std::string> texts(values.size());
  std::vector<engine::Value> encoded;
  for (std::size_t at = 0; at < values.size(); ++at) {
    POWERCUT_TRY(encoded.emplace_back(), value_of(schema, schema.columns[at], values[at], texts[at]));
  }
  engine::encode_row(encoded, row);
  return success();
}

std::vector<engine::Value> decode_values(const engine::TableSchema& schema, std::string_view row) {
  std::vector<engine::Value> values(schema.columns.size());
  for (std::size_t at = 0; at < values.size(); ++at) {
    if (const auto number = engine::integer_column(row, at)) values[at] = *number;
    if (const auto text = engine::text_column(row, at)) values[at] = *text;
  }
  return values;
}

std::string written(const engine::TableSchema& schema, std::string_view key, std::string_view row) {
  std::string text = "(" + written_key(key);
  const auto values = decode_values(schema, row);
  for (std::size_t at = 0; at < values.size(); ++at) {
    text += ", ";
    if (const auto* const number = std::get_if<std::int64_t>(&values[at])) {
      text += std::to_string(*number);
    } else if (const auto* const held = std::get_if<std::string_view>(&values[at])) {
      text += schema.columns[at].references.empty() ? quoted(*held) : written_key(*held);
    } else {
      text += "null";
    }
  }
  return text + ")";
}

}  // namespace powercut::properties
