// Which rows a WHERE means, and what an UPDATE makes of one: resolved against a table once, then asked row by row.
#pragma once

#include "properties/scenario.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// from <= key < to; an empty `to` means to the end.
struct KeyRange {
  std::string from;
  std::string to;
};

// Conditions on the key, except <>, make the range; the others are asked of each row in it. Nothing compares with null.
class Where {
 public:
  // kInvalidArgument for a column that the table does not have now, or a text where it has numbers.
  static Result<Where> make(const TableDefinition& table, const Statement& statement);

  const KeyRange& range() const { return range_; }
  bool holds(std::string_view key, std::string_view row) const;

 private:
  struct Filter {
    std::optional<std::size_t> column;  // none: the key
    Comparison comparison = Comparison::kEqual;
    bool is_number = false;
    std::int64_t number = 0;
    std::string text;
  };

  void narrow(Comparison comparison, const std::string& key);
  void at_least(std::string key);
  void below(std::string key);

  KeyRange range_;
  std::vector<Filter> filters_;
};

class Changes {
 public:
  // kInvalidArgument as Where::make.
  static Result<Changes> make(const TableDefinition& table, const std::vector<Assignment>& assignments);

  // Replaces `changed` with the row as it becomes.
  void apply(std::string_view row, std::string& changed) const;

 private:
  struct Change {
    std::size_t column = 0;
    std::optional<std::size_t> from;
    std::int64_t number = 0;
    Literal value;  // encoded as the column holds it
  };

  engine::TableSchema schema_;
  std::vector<Change> changes_;
};

}  // namespace powercut::properties
