#include "engine/sqlite/session.h"

#include <utility>

namespace powercut::engine::sqlite {

SqliteSession::~SqliteSession() {
  if (open_) static_cast<void>(rollback().has_error());
}

Result<void> SqliteSession::ready() const {
  if (open_ && connection_.autocommit()) {
    return Error(ErrorCode::kStopped, "sqlite has rolled the transaction back after an error");
  }
  return success();
}

Result<void> SqliteSession::ready_in_transaction() const {
  if (!open_) return Error(ErrorCode::kInvalidArgument, "no transaction is open");
  return ready();
}

Result<void> SqliteSession::run(Statement& kept, std::string_view sql) {
  if (!kept) {
    POWERCUT_TRY(kept, connection_.prepare(sql));
  }
  return kept.run();
}

Result<void> SqliteSession::begin() {
  if (open_) return Error(ErrorCode::kInvalidArgument, "a transaction is open already");
  POWERCUT_TRYV(run(begin_, "BEGIN"));
  open_ = true;
  return success();
}

Result<void> SqliteSession::commit() {
  POWERCUT_TRYV(ready_in_transaction());
  auto committed = run(commit_, "COMMIT");
  if (committed.has_value()) open_ = false;
  commit_failed_ = open_ && connection_.autocommit();
  return committed;
}

Result<void> SqliteSession::rollback() {
  if (!open_) return Error(ErrorCode::kInvalidArgument, "no transaction is open");
  tables_.clear();
  if (!connection_.autocommit()) POWERCUT_TRYV(connection_.execute("ROLLBACK"));
  open_ = false;
  if (std::exchange(commit_failed_, false)) return Error(ErrorCode::kStopped, "the commit failed, and may be there or not");
  return success();
}

Result<void> SqliteSession::savepoint(std::string_view name) {
  POWERCUT_TRYV(ready_in_transaction());
  return connection_.execute("SAVEPOINT " + quoted(name));
}

Result<void> SqliteSession::rollback_to(std::string_view name) {
  POWERCUT_TRYV(ready_in_transaction());
  tables_.clear();
  return connection_.execute("ROLLBACK TO " + quoted(name));
}

Result<void> SqliteSession::release(std::string_view name) {
  POWERCUT_TRYV(ready_in_transaction());
  return connection_.execute("RELEASE " + quoted(name));
}

Result<Table*> SqliteSession::table(std::string_view name) {
  POWERCUT_TRYV(ready());
  auto at = tables_.find(name);
  if (at == tables_.end()) at = tables_.emplace(std::string(name), Table(connection_, name)).first;
  return &at->second;
}

Result<bool> SqliteSession::get(std::string_view table_name, std::string_view key, std::string& row) {
  POWERCUT_TRY(Table* const of, table(table_name));
  return of->get(key, row);
}

Result<void> SqliteSession::insert(std::string_view table_name, std::string_view key, std::string_view row) {
  POWERCUT_TRY(Table* const into, table(table_name));
  return into->insert(key, row);
}

Result<void> SqliteSession::update(std::string_view table_name, std::string_view key, std::string_view row) {
  POWERCUT_TRY(Table* const in, table(table_name));
  return in->update(key, row);
}

Result<void> SqliteSession::put(std::string_view table_name, std::string_view key, std::string_view row) {
  POWERCUT_TRY(Table* const into, table(table_name));
  return into->put(key, row);
}

Result<void> SqliteSession::erase(std::string_view table_name, std::string_view key) {
  POWERCUT_TRY(Table* const from, table(table_name));
  return from->erase(key);
}

Result<void> SqliteSession::scan(std::string_view table_name, std::string_view from, std::string_view to, const RowVisitor& visit) {
  POWERCUT_TRY(Table* const of, table(table_name));
  return of->scan(from, to, visit);
}

Result<void> SqliteSession::create_table(const TableSchema& schema) {
  POWERCUT_TRYV(ready());
  POWERCUT_TRY(const bool exists, connection_.has_table(schema.name));
  if (exists) return Error(ErrorCode::kAlreadyExists, "a table is called '" + schema.name + "' already");
  tables_.clear();
  return connection_.execute(create_table_sql(schema));
}

Result<void> SqliteSession::drop_table(std::string_view name) {
  POWERCUT_TRYV(ready());
  tables_.clear();
  return connection_.execute("DROP TABLE " + quoted(name));
}

}  // namespace powercut::engine::sqlite
