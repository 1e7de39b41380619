// Making and dropping tables. The catalogue is a tree of rows like any other, so a transaction that is undone takes its tables
// with it.
#include "engine/ledger/database.h"

#include <algorithm>

namespace powercut::ledger {
namespace {

std::size_t unique_columns(const engine::TableSchema& schema) {
  return static_cast<std::size_t>(
      std::count_if(schema.columns.begin(), schema.columns.end(), [](const engine::Column& column) { return column.unique; }));
}

}  // namespace

// Whether the catalogue can hold the table, and what its columns refer to is there.
Result<void> LedgerSession::check_schema(const Table& made) {
  const engine::TableSchema& schema = made.schema;
  encode_table(made, record_);
  if (schema.name.empty() || schema.name.size() > kMostKeyBytes || schema.name.size() + record_.size() > kMostCellBytes) {
    return Error(ErrorCode::kInvalidArgument, "table '" + schema.name + "': the name is empty, or the schema is longer than " +
                                                  std::to_string(kMostCellBytes) + " bytes");
  }
  for (const engine::Column& column : schema.columns) {
    if (column.references.empty()) continue;
    if (column.type != engine::ColumnType::kText) {
      return Error(ErrorCode::kInvalidArgument, schema.name + "." + column.name + ": only a text column can refer to a table");
    }
    if (column.references != schema.name) POWERCUT_TRYV(table(locks(), column.references, TableLock::kIntentShared));
  }
  return success();
}

// Whether the name may be given to a table.
Result<void> LedgerSession::check_unused(std::string_view name) {
  POWERCUT_TRY(const BTree::Leaf leaf, BTree(*core_.store, kCatalogueRoot).find(name));
  if (leaf.found) return Error(ErrorCode::kAlreadyExists, "a table is called '" + std::string(name) + "'");
  return success();
}

Result<void> LedgerSession::add_table(const engine::TableSchema& schema) {
  POWERCUT_TRYV(lock_table(locks(), schema.name, TableLock::kExclusive));
  POWERCUT_TRYV(check_unused(schema.name));
  Table made;
  made.schema = schema;
  made.indexes.resize(unique_columns(schema));
  POWERCUT_TRYV(check_schema(made));
  std::vector<PageId> roots;
  const auto done = make_table(made, roots);
  if (done.has_error()) core_.unused_pages.insert(core_.unused_pages.end(), roots.begin(), roots.end());
  return done;
}

// Notes the roots of the trees that it makes, so that they can be freed if it fails.
Result<void> LedgerSession::make_table(Table& made, std::vector<PageId>& roots) {
  POWERCUT_TRY(made.root, BTree::create(*core_.store));
  roots.push_back(made.root);
  for (PageId& root : made.indexes) {
    POWERCUT_TRY(root, BTree::create(*core_.store));
    roots.push_back(root);
  }
  encode_table(made, record_);
  ++core_.catalogue_version;
  return transaction_->write(RowAction::kInsert, kCatalogueRoot, made.schema.name, record_);
}

Result<void> LedgerSession::remove_table(std::string_view name) {
  POWERCUT_TRY(const TableRef found, table(locks(), name, TableLock::kExclusive));
  // The tables that it refers to stay: a rollback refers to them again.
  for (const engine::Column& column : found->schema.columns) {
    if (!column.references.empty() && column.references != name) {
      POWERCUT_TRYV(lock_table(locks(), column.references, TableLock::kIntentShared));
    }
  }
  POWERCUT_TRYV(look_up_references());
  for (const Reference& reference : references_) {
    if (reference.column().references != name || reference.from->schema.name == name) continue;
    return Error(ErrorCode::kConstraint, reference.from->schema.name + "." + reference.column().name + ": FOREIGN KEY");
  }
  POWERCUT_TRYV(transaction_->write(RowAction::kDelete, kCatalogueRoot, name, {}));
  ++core_.catalogue_version;
  if (core_.options.defects.drop_frees_early) {
    for (const PageId root : found->trees()) POWERCUT_TRYV(BTree(*core_.store, root).list_pages(core_.unused_pages));
    core_.free_unused_pages();
    return success();
  }
  transaction_->drop_trees(found->trees());
  return success();
}

}  // namespace powercut::ledger
