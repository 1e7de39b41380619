#include "properties/scenario_where.h"

#include <algorithm>
#include <utility>

namespace powercut::properties {
namespace {

Result<std::size_t> column_of(const engine::TableSchema& schema, std::string_view name) {
  if (const auto found = find_column(schema, name)) return *found;
  return Error(ErrorCode::kInvalidArgument, schema.name + " has no column '" + std::string(name) + "'");
}

template <class T>
bool compare(const T& held, Comparison comparison, const T& with) {
  switch (comparison) {
    case Comparison::kEqual:
      return held == with;
    case Comparison::kNotEqual:
      return held != with;
    case Comparison::kLess:
      return held < with;
    case Comparison::kAtMost:
      return held <= with;
    case Comparison::kMore:
      return held > with;
    case Comparison::kAtLeast:
      return held >= with;
  }
  return false;
}

// A literal as the column holds it: null, a number or the text's bytes.
Result<Literal> held_by(const engine::TableSchema& schema, std::size_t column, const Literal& literal) {
  std::string text;
  POWERCUT_TRY(const engine::Value value, value_of(schema, schema.columns[column], literal, text));
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return Literal(*number);
  if (std::holds_alternative<std::string_view>(value)) return Literal(std::move(text));
  return Literal();
}

}  // namespace

Result<Where> Where::make(const TableDefinition& table, const Statement& statement) {
  Where where;
  where.range_ = {statement.from, statement.to};
  for (const Condition& condition : statement.where) {
    Filter filter;
    filter.comparison = condition.comparison;
    Literal value = condition.value;
    if (condition.column != table.key) {
      POWERCUT_TRY(filter.column, column_of(table.schema, condition.column));
      POWERCUT_TRY(value, held_by(table.schema, *filter.column, condition.value));
    }
    if (const auto* const number = std::get_if<std::int64_t>(&value)) {
      filter.is_number = true;
      filter.number = *number;
    } else if (auto* const text = std::get_if<std::string>(&value)) {
      filter.text = std::move(*text);
    }
    if (!filter.column && filter.comparison != Comparison::kNotEqual) {
      where.narrow(filter.comparison, filter.text);
    } else {
      where.filters_.push_back(std::move(filter));
    }
  }
  // Nothing is in a range that ends before it begins; engines need not know of such.
  if (!where.range_.to.empty() && where.range_.to < where.range_.from) where.range_.to = where.range_.from;
  return where;
}

void Where::narrow(Comparison comparison, const std::string& key) {
  if (comparison == Comparison::kEqual || comparison == Comparison::kAtLeast) at_least(key);
  if (comparison == Comparison::kMore) at_least(next_key(key));
  if (comparison == Comparison::kEqual || comparison == Comparison::kAtMost) below(next_key(key));
  if (comparison == Comparison::kLess) below(key);
}

void Where::at_least(std::string key) { range_.from = std::max(range_.from, std::move(key)); }

void Where::below(std::string key) {
  if (range_.to.empty() || key < range_.to) range_.to = std::move(key);
}

bool Where::holds(std::string_view key, std::string_view row) const {
  return std::all_of(filters_.begin(), filters_.end(), [&](const Filter& filter) {
    if (!filter.column) return compare(key, filter.comparison, std::string_view(filter.text));
    if (filter.is_number) {
      const auto held = engine::integer_column(row, *filter.column);
      return held && compare(*held, filter.comparison, filter.number);
    }
    const auto held = engine::text_column(row, *filter.column);
    return held && compare(*held, filter.comparison, std::string_view(filter.text));
  });
}

Result<Changes> Changes::make(const TableDefinition& table, const std::vector<Assignment>& assignments) {
  Changes changes;
  changes.schema_ = table.schema;
  for (const Assignment& assignment : assignments) {
    Change change;
    POWERCUT_TRY(change.column, column_of(table.schema, assignment.column));
    change.number = assignment.number;
    if (assignment.from.empty()) {
      POWERCUT_TRY(change.value, held_by(table.schema, change.column, assignment.value));
    } else {
      POWERCUT_TRY(change.from, column_of(table.schema, assignment.from));
      if (table.schema.columns[*change.from].type != table.schema.columns[change.column].type) {
        return Error(ErrorCode::kInvalidArgument, assignment.column + " and " + assignment.from + " are of different types");
      }
    }
    changes.changes_.push_back(std::move(change));
  }
  return changes;
}

void Changes::apply(std::string_view row, std::string& changed) const {
  const auto before = decode_values(schema_, row);
  auto after = before;
  for (const Change& change : changes_) {
    engine::Value& to = after[change.column];
    if (change.from) {
      to = before[*change.from];
      // A scenario is too short to add up to more than a number holds.
      if (auto* const number = std::get_if<std::int64_t>(&to)) *number += change.number;
    } else if (const auto* const number = std::get_if<std::int64_t>(&change.value)) {
      to = *number;
    } else if (const auto* const text = std::get_if<std::string>(&change.value)) {
      to = std::string_view(*text);
    } else {
      to = std::monostate();
    }
  }
  engine::encode_row(after, changed);
}

}  // namespace powercut::properties
