// Making, altering and dropping tables. The catalogue is a tree of rows like any other, so a transaction that is undone takes its
// tables with it.
#include "engine/ledger/database.h"
#include "engine/row.h"

#include <algorithm>

namespace powercut::ledger {
namespace {

std::size_t unique_columns(const engine::TableSchema& schema) {
  return static_cast<std::size_t>(
      std::count_if(schema.columns.begin(), schema.columns.end(), [](const engine::Column& column) { return column.unique; }));
}

Result<void> check_alteration(const engine::TableSchema& before, const engine::TableSchema& after) {
  for (std::size_t at = 0; at < before.columns.size(); ++at) {
    if (at < after.columns.size() && after.columns[at].type == before.columns[at].type) continue;
    return Error(ErrorCode::kInvalidArgument,
                 before.name + "." + before.columns[at].name +
                     ": a column keeps its place and type; columns may be renamed and appended, and constraints come and go");
  }
  return success();
}

// Whether rows that met the one may not meet the other.
bool asks_more(const engine::Column& after, const engine::Column& before) {
  return (after.not_null && !before.not_null) || (after.unique && !before.unique) ||
         (after.at_least && after.at_least != before.at_least) ||
         (!after.references.empty() && after.references != before.references);
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
  made.original_columns = schema.columns.size();
  made.indexes.resize(unique_columns(schema));
  POWERCUT_TRYV(check_schema(made));
  std::vector<PageId> roots;
  auto done = make_table(made, roots);
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
  return write_table(RowAction::kInsert, made);
}

Result<void> LedgerSession::write_table(RowAction action, const Table& table) {
  encode_table(table, record_);
  ++core_.catalogue_version;
  return transaction_->write(action, kCatalogueRoot, table.schema.name, record_);
}

// The trees stay with the table. Each row is checked if there is a new constraint, but none is written.
Result<void> LedgerSession::change_table(std::string_view name, const engine::TableSchema& schema) {
  POWERCUT_TRYV(lock_table(locks(), schema.name, TableLock::kExclusive));
  POWERCUT_TRY(const TableRef before, table(locks(), name, TableLock::kExclusive));
  POWERCUT_TRYV(check_alteration(before->schema, schema));
  for (const engine::Column& column : schema.columns) {
    // The rows that there are may refer to any of its rows.
    if (column.references.empty() || column.references == name || column.references == schema.name) continue;
    POWERCUT_TRYV(lock_table(locks(), column.references, TableLock::kShared));
  }
  if (schema.name != name) POWERCUT_TRYV(check_unused(schema.name));
  Table after = *before;
  after.schema = schema;
  after.indexes.resize(unique_columns(schema));
  for (engine::Column& column : after.schema.columns) {
    // Also a reference to itself follows the new name.
    if (column.references == name) column.references = schema.name;
  }
  POWERCUT_TRYV(check_schema(after));
  std::vector<PageId> roots;
  const auto done = write_altered(*before, after, roots);
  if (done.has_error()) core_.unused_pages.insert(core_.unused_pages.end(), roots.begin(), roots.end());
  POWERCUT_TRYV(done);
  if (schema.name != name) POWERCUT_TRYV(follow_new_name(name, schema.name));
  POWERCUT_TRYV(check_rows(*before, after));
  transaction_->drop_trees(before->indexes);
  return success();
}

// Gives each unique column its index, the one that it has or a new one, and puts the table into the catalogue. `roots` are
// those made for a table that did not get there.
Result<void> LedgerSession::write_altered(const Table& before, Table& after, std::vector<PageId>& roots) {
  std::size_t old_index = 0;
  std::size_t index = 0;
  for (std::size_t at = 0; at < after.schema.columns.size(); ++at) {
    const bool was_unique = at < before.schema.columns.size() && before.schema.columns[at].unique;
    const PageId old_root = was_unique ? before.indexes[old_index++] : PageId{};
    if (!after.schema.columns[at].unique) continue;
    PageId& root = after.indexes[index++];
    root = old_root;
    if (was_unique) continue;
    POWERCUT_TRY(root, BTree::create(*core_.store));
    roots.push_back(root);
  }
  const bool renamed = after.schema.name != before.schema.name;
  POWERCUT_TRYV(write_table(renamed ? RowAction::kInsert : RowAction::kUpdate, after));
  // From here on an undo of that record frees them.
  roots.clear();
  if (!renamed) return success();
  ++core_.catalogue_version;
  return transaction_->write(RowAction::kDelete, kCatalogueRoot, before.schema.name, {});
}

Result<void> LedgerSession::follow_new_name(std::string_view name, std::string_view new_name) {
  POWERCUT_TRYV(look_up_references());
  std::vector<TableRef> referring;
  for (const Reference& reference : references_) {
    if (reference.column().references != name) continue;
    if (referring.empty() || referring.back() != reference.from) referring.push_back(reference.from);
  }
  const std::uint64_t version = core_.catalogue_version;
  for (const TableRef& from : referring) POWERCUT_TRYV(lock_table(locks(), from->schema.name, TableLock::kExclusive));
  if (version != core_.catalogue_version) return follow_new_name(name, new_name);
  for (const TableRef& from : referring) {
    Table follows = *from;
    for (engine::Column& column : follows.schema.columns) {
      if (column.references == name) column.references = new_name;
    }
    POWERCUT_TRYV(check_schema(follows));
    POWERCUT_TRYV(write_table(RowAction::kUpdate, follows));
  }
  return success();
}

// Whether the rows meet the constraints that are new. What is unique now gets its entries.
Result<void> LedgerSession::check_rows(const Table& before, const Table& after) {
  const auto& columns = after.schema.columns;
  Table added = after;  // with the new constraints only
  added.indexes.clear();
  std::size_t index = 0;
  bool any = false;
  for (std::size_t at = 0; at < columns.size(); ++at) {
    const engine::Column was = at < before.schema.columns.size() ? before.schema.columns[at] : engine::Column{};
    const PageId root = columns[at].unique ? after.indexes[index++] : PageId{};
    engine::Column& column = added.schema.columns[at];
    any = any || asks_more(column, was);
    column.unique = column.unique && !was.unique;
    if (column.unique) added.indexes.push_back(root);
  }
  if (!any) return success();
  std::string key;
  std::string row;
  for (;; key.push_back('\0')) {
    POWERCUT_TRY(const bool found, next_row(after, key, {}, row));
    if (!found) return success();
    POWERCUT_TRYV(engine::check_constraints(added.schema, row));
    POWERCUT_TRYV(check_unique(added, key, row));
    POWERCUT_TRYV(check_references(added, key, row));
    POWERCUT_TRYV(write_indexes(added, key, {}, row));
  }
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
