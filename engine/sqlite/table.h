// One table: its statements, prepared when they are first needed, and what rows are in SQL.
//
//   CREATE TABLE "accounts" (k BLOB PRIMARY KEY NOT NULL, "balance" INTEGER NOT NULL CHECK ("balance" >= 0)) WITHOUT ROWID
//
// The key is the column k, so no other column may have that name. A column that references a table holds keys of it, so it is
// declared BLOB: SQLite finds no text equal to a blob.
#pragma once

#include "engine/engine.h"
#include "engine/row.h"
#include "engine/sqlite/connection.h"

#include <string>
#include <string_view>
#include <vector>

namespace powercut::engine::sqlite {

// The statement that makes a table.
std::string create_table_sql(const TableSchema& schema);

class Table {
 public:
  // The connection must outlive it, and the table may not change.
  Table(Connection& connection, std::string_view name)
      : connection_(&connection), name_(quoted(name)), schema_{std::string(name), {}} {}

  // As Session has them. kNotFound also where there is no such table.
  Result<bool> get(std::string_view key, std::string& row);
  Result<void> insert(std::string_view key, std::string_view row);
  Result<void> update(std::string_view key, std::string_view row);
  Result<void> put(std::string_view key, std::string_view row);
  Result<void> erase(std::string_view key);
  Result<void> scan(std::string_view from, std::string_view to, const RowVisitor& visit);

 private:
  Result<Statement*> prepared(Statement& statement, std::string_view before_name, std::string_view after_name);
  Result<Statement*> prepared_get() { return prepared(get_, "SELECT * FROM ", " WHERE k = ?1"); }
  // What the table's columns are, from the table.
  Result<void> learn_columns();
  Result<void> bind(Statement& statement, std::string_view key, std::string_view row);
  void read_row(const Statement& at, std::string& row);
  Error missing(std::string_view key) const;

  Connection* connection_;
  std::string name_;  // quoted
  bool columns_known_ = false;
  TableSchema schema_;            // names and types only
  std::vector<bool> holds_keys_;  // by column
  Statement get_;
  Statement insert_;
  Statement update_;
  Statement put_;
  Statement erase_;
  Statement scan_all_;
  Statement scan_range_;
  std::vector<Value> values_;  // scratch
};

}  // namespace powercut::engine::sqlite
