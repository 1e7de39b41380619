// What the tables of a scenario look like, and how the values that people write become keys and rows and come back.
//
// A key is the first column of a table as it is written, not of its schema. A number as a key is padded to five digits, so
// that the order of bytes is that of numbers; a word is a key as it is. A column that references a table holds such a key.
#pragma once

#include "engine/engine.h"
#include "engine/row.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace powercut::properties {

// Null, a number or a text, as it is written.
using Literal = std::variant<std::monostate, std::int64_t, std::string>;

struct TableDefinition {
  std::string key;             // the name of the key column
  engine::TableSchema schema;  // the other columns
};

struct TableAlteration {
  enum class Kind : unsigned char {
    kRename,        // to `name`
    kAddColumn,     // column
    kRenameColumn,  // `of` to `name`
    kCheck,         // of column `of`: at least `at_least`, or nothing
    kUnique,        // of column `of`: whether
    kNotNull,       // of column `of`: whether
  };
  Kind kind = Kind::kRename;
  std::string of;
  std::string name;
  engine::Column column;
  std::optional<std::int64_t> at_least;
  bool on = false;
};

using Tables = std::map<std::string, TableDefinition, std::less<>>;

// Where the column is in the schema.
std::optional<std::size_t> find_column(const engine::TableSchema& schema, std::string_view name);

// The definition as it becomes. kInvalidArgument for a column that is not there, or is already.
Result<TableDefinition> altered(TableDefinition definition, const TableAlteration& alteration);

inline constexpr std::int64_t kMostKeyNumber = 99'999;

std::string key_of_number(std::int64_t number);  // from 0 to kMostKeyNumber
// The smallest key behind this one.
std::string next_key(std::string_view key);

// What the column holds then; `storage` keeps its text. kInvalidArgument for a text in a column of integers.
Result<engine::Value> value_of(const engine::TableSchema& schema, const engine::Column& column, const Literal& literal,
                               std::string& storage);

// kInvalidArgument if the values are not one for each column, of its type.
Result<void> encode_values(const engine::TableSchema& schema, const std::vector<Literal>& values, std::string& row);

// The values of a row, views into it; null for those that are missing behind its end.
std::vector<engine::Value> decode_values(const engine::TableSchema& schema, std::string_view row);

// The row as one would write it: (1, 6900, 'ann').
std::string written(const engine::TableSchema& schema, std::string_view key, std::string_view row);

}  // namespace powercut::properties
