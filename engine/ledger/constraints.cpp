// The constraints that need more than the row itself: UNIQUE and FOREIGN KEY, and the indexes that the one keeps.
#include "engine/ledger/database.h"
#include "engine/row.h"

#include <boost/smart_ptr/make_local_shared.hpp>

#include <algorithm>

namespace powercut::ledger {
namespace {

Error foreign_key(const engine::TableSchema& schema, const engine::Column& column) {
  return {ErrorCode::kConstraint, schema.name + "." + column.name + ": FOREIGN KEY"};
}

}  // namespace

// A value that a transaction takes or gives up stays out of reach until it ends: it may yet roll back.
Result<void> LedgerSession::lock_values(const Table& of, std::string_view before, std::string_view after) {
  if (core_.options.defects.unique_value_unlocked) return success();
  std::size_t index = 0;
  for (std::size_t column = 0; index < of.indexes.size(); ++column) {
    if (!of.schema.columns[column].unique) continue;
    const PageId root = of.indexes[index++];
    const std::string_view old_value = engine::encoded_column(before, column);
    const std::string_view new_value = engine::encoded_column(after, column);
    if (old_value == new_value) continue;
    for (const std::string_view value : {old_value, new_value}) {
      if (engine::is_null(value) || value.size() > kMostKeyBytes) continue;
      POWERCUT_TRYV(core_.locks.lock_row(*locks(), root, value, RowMode::kExclusive));
    }
  }
  return success();
}

// The row that is referred to stays until this transaction ends; and so does the one that was, since a rollback refers to it
// again.
Result<void> LedgerSession::lock_references(const Table& of, std::string_view before, std::string_view after) {
  if (core_.options.defects.reference_unlocked) return success();
  for (std::size_t column = 0; column < of.schema.columns.size(); ++column) {
    const std::string& name = of.schema.columns[column].references;
    if (name.empty()) continue;
    const auto old_key = engine::text_column(before, column);
    const auto new_key = engine::text_column(after, column);
    if (old_key == new_key) continue;
    for (const auto& key : {old_key, new_key}) {
      if (!key) continue;
      POWERCUT_TRY(const TableRef target, table(locks(), name, TableLock::kIntentShared));
      POWERCUT_TRYV(core_.locks.lock_row(*locks(), target->root, *key, RowMode::kShared));
    }
  }
  return success();
}

Result<void> LedgerSession::check_unique(const Table& into, std::string_view key, std::string_view row) {
  std::size_t index = 0;
  for (std::size_t column = 0; index < into.indexes.size(); ++column) {
    if (!into.schema.columns[column].unique) continue;
    BTree tree(*core_.store, into.indexes[index++]);
    const std::string_view value = engine::encoded_column(row, column);
    if (engine::is_null(value)) continue;
    if (value.size() > kMostKeyBytes) {
      return Error(ErrorCode::kInvalidArgument, into.schema.name + "." + into.schema.columns[column].name +
                                                    ": a unique value may have " + std::to_string(kMostKeyBytes - 3) + " bytes");
    }
    POWERCUT_TRY(const BTree::Leaf leaf, tree.find(value));
    if (leaf.found && leaf.page.page().value(leaf.slot) != key) {
      return Error(ErrorCode::kConstraint, into.schema.name + "." + into.schema.columns[column].name + ": UNIQUE");
    }
  }
  return success();
}

// Brings the unique indexes from the row `before` (empty: none) to `after` (empty: none).
Result<void> LedgerSession::write_indexes(const Table& into, std::string_view key, std::string_view before,
                                          std::string_view after) {
  const bool logged = !core_.options.defects.unique_index_unlogged;
  std::size_t index = 0;
  for (std::size_t column = 0; index < into.indexes.size(); ++column) {
    if (!into.schema.columns[column].unique) continue;
    const PageId root = into.indexes[index++];
    const std::string_view old_value = engine::encoded_column(before, column);
    const std::string_view new_value = engine::encoded_column(after, column);
    if (old_value == new_value) continue;
    if (!engine::is_null(old_value)) POWERCUT_TRYV(transaction_->write(RowAction::kDelete, root, old_value, {}, logged));
    if (!engine::is_null(new_value)) POWERCUT_TRYV(transaction_->write(RowAction::kInsert, root, new_value, key, logged));
  }
  return success();
}

Result<void> LedgerSession::check_references(const Table& into, std::string_view key, std::string_view row) {
  for (std::size_t column = 0; column < into.schema.columns.size(); ++column) {
    const engine::Column& of = into.schema.columns[column];
    if (of.references.empty()) continue;
    const auto value = engine::text_column(row, column);
    if (!value || (of.references == into.schema.name && *value == key)) continue;
    POWERCUT_TRY(const TableRef target, table(of.references));
    POWERCUT_TRY(const BTree::Leaf leaf, BTree(*core_.store, target->root).find(*value));
    if (!leaf.found) return foreign_key(into.schema, of);
  }
  return success();
}

Result<void> LedgerSession::check_not_referenced(const Table& target, std::string_view key) {
  std::vector<Reference> all;
  do {
    POWERCUT_TRYV(look_up_references());
    all = references_;
    // A table that another transaction makes or drops is waited for, and may then be gone, or there.
    for (const Reference& reference : all) {
      if (reference.column().references != target.schema.name) continue;
      POWERCUT_TRYV(lock_table(locks(), reference.from->schema.name, TableLock::kIntentShared));
    }
  } while (references_version_ != core_.catalogue_version);
  for (const Reference& reference : all) {
    if (reference.column().references != target.schema.name) continue;
    POWERCUT_TRY(const bool found, refers(reference, key, reference.from->schema.name == target.schema.name));
    if (found) return foreign_key(reference.from->schema, reference.column());
  }
  return success();
}

// Whether a row refers to the key: another row than the key's own, if that is in the same table.
Result<bool> LedgerSession::refers(const Reference& reference, std::string_view key, bool same_table) {
  std::string value;
  engine::encode_row({key}, value);
  const Table& from = *reference.from;
  if (reference.column().unique) {
    const auto columns = from.schema.columns.begin();
    const auto index = std::count_if(columns, columns + static_cast<std::ptrdiff_t>(reference.at),
                                     [](const engine::Column& column) { return column.unique; });
    POWERCUT_TRY(const BTree::Leaf leaf, BTree(*core_.store, from.indexes[static_cast<std::size_t>(index)]).find(value));
    return leaf.found && !(same_table && leaf.page.page().value(leaf.slot) == key);
  }
  bool found = false;
  POWERCUT_TRYV(BTree(*core_.store, from.root).scan({}, {}, [&](std::string_view referrer, std::string_view row) {
    found = engine::encoded_column(row, reference.at) == value && !(same_table && referrer == key);
    return !found;
  }));
  return found;
}

Result<void> LedgerSession::look_up_references() {
  if (references_version_ == core_.catalogue_version) return success();
  references_.clear();
  std::optional<Error> wrong;
  POWERCUT_TRYV(BTree(*core_.store, kCatalogueRoot).scan({}, {}, [&](std::string_view name, std::string_view row) {
    auto decoded = decode_table(name, row);
    if (decoded.has_error()) {
      wrong = decoded.error();
      return false;
    }
    const TableRef from = boost::make_local_shared<const KnownTable>(std::move(decoded).value(), lock_of(name));
    for (std::size_t at = 0; at < from->schema.columns.size(); ++at) {
      if (!from->schema.columns[at].references.empty()) references_.push_back({from, at});
    }
    return true;
  }));
  if (wrong) return *wrong;
  references_version_ = core_.catalogue_version;
  return success();
}

}  // namespace powercut::ledger
