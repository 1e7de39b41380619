#include "properties/scenario_known_tables.h"

#include <algorithm>

namespace powercut::properties {
namespace {

using Types = KnownTables::Types;

void add(Types& types, engine::ColumnType type) { (type == engine::ColumnType::kInteger ? types.integer : types.text) = true; }

}  // namespace

bool KnownTables::Known::has_key(std::string_view name) const { return std::find(keys.begin(), keys.end(), name) != keys.end(); }

void KnownTables::Known::add(const Known& other) {
  for (const auto& key : other.keys) {
    if (!has_key(key)) keys.push_back(key);
  }
  const auto merge = [](Types& into, const Types& from) {
    into.integer = into.integer || from.integer;
    into.text = into.text || from.text;
  };
  for (const auto& [name, types] : other.columns) merge(columns[name], types);
  if (in_order.size() < other.in_order.size()) in_order.resize(other.in_order.size());
  for (std::size_t at = 0; at < other.in_order.size(); ++at) merge(in_order[at], other.in_order[at]);
  fewest = std::min(fewest, other.fewest);
}

const KnownTables::Known* KnownTables::find(std::string_view table) const {
  const auto found = tables_.find(table);
  return found == tables_.end() ? nullptr : &found->second;
}

void KnownTables::learn(const TableDefinition& definition) {
  Known known;
  known.keys = {definition.key};
  known.fewest = definition.schema.columns.size();
  for (const engine::Column& column : definition.schema.columns) {
    add(known.in_order.emplace_back(), column.type);
    add(known.columns[column.name], column.type);
  }
  tables_[definition.schema.name].add(known);
}

void KnownTables::learn(const std::string& table, const TableAlteration& alteration) {
  Known& known = tables_[table];
  if (alteration.kind == TableAlteration::Kind::kAddColumn) {
    add(known.columns[alteration.column.name], alteration.column.type);
    add(known.in_order.emplace_back(), alteration.column.type);
  } else if (alteration.kind == TableAlteration::Kind::kRenameColumn) {
    const Types types = known.columns[alteration.of];
    known.columns[alteration.name] = types;
  } else if (alteration.kind == TableAlteration::Kind::kRename) {
    tables_[alteration.name].add(Known(known));
  }
}

}  // namespace powercut::properties
