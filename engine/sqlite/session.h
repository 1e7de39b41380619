// A user of a database: transactions and savepoints in SQL, rows through Table.
//
// After an error SQLite may have rolled the transaction back by itself (https://www.sqlite.org/lang_transaction.html, "Response To
// Errors Within A Transaction"): then its statements are refused (kStopped), and so is its commit, and rollback() has nothing left
// to do. It says that it has rolled back a transaction whose COMMIT failed, too, but the transaction may be there when the database
// is opened again (docs/FINDINGS.md): rollback() then answers kStopped.
#pragma once

#include "engine/engine.h"
#include "engine/sqlite/connection.h"
#include "engine/sqlite/table.h"

#include <map>
#include <string>
#include <string_view>

namespace powercut::engine::sqlite {

class SqliteSession final : public Session {
 public:
  // The connection must outlive it.
  explicit SqliteSession(Connection& connection) : connection_(connection) {}
  ~SqliteSession() override;

  using Session::begin;
  using Session::get;
  Result<void> begin() override;
  Result<void> commit() override;
  Result<void> rollback() override;
  Result<void> savepoint(std::string_view name) override;
  Result<void> rollback_to(std::string_view name) override;
  Result<void> release(std::string_view name) override;

  Result<bool> get(std::string_view table, std::string_view key, std::string& row) override;
  Result<void> insert(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> update(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> put(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> erase(std::string_view table, std::string_view key) override;
  Result<void> scan(std::string_view table, std::string_view from, std::string_view to, const RowVisitor& visit) override;
  Result<void> create_table(const TableSchema& schema) override;
  Result<void> drop_table(std::string_view table) override;

 private:
  // Whether statements can run: not in a transaction that SQLite has ended.
  Result<void> ready() const;
  Result<void> ready_in_transaction() const;
  Result<Table*> table(std::string_view name);
  Result<void> run(Statement& kept, std::string_view sql);

  Connection& connection_;
  bool open_ = false;
  bool commit_failed_ = false;
  std::map<std::string, Table, std::less<>> tables_;  // none is kept when the schema changes
  Statement begin_;
  Statement commit_;
};

}  // namespace powercut::engine::sqlite
