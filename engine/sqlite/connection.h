// A connection to one database, and its statements. SQLite's errors become ours here.
#pragma once

#include "engine/sqlite/vfs.h"
#include "faultfs/file_system.h"

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

namespace powercut::engine::sqlite {

class Connection;

// A prepared statement, to be run again and again. What is bound must live until it has run.
class Statement {
 public:
  Statement() = default;

  explicit operator bool() const { return statement_ != nullptr; }
  // Whether it is at a row, so that running it again would disturb who reads it.
  bool is_busy() const { return sqlite3_stmt_busy(statement_.get()) != 0; }

  void bind_blob(int place, std::string_view bytes);
  void bind_text(int place, std::string_view bytes);
  void bind_integer(int place, std::int64_t value) { sqlite3_bind_int64(statement_.get(), place, value); }
  void bind_null(int place) { sqlite3_bind_null(statement_.get(), place); }

  // Runs to its end, or until on_row(*this) says false.
  template <class OnRow>
  Result<void> run(OnRow&& on_row);
  Result<void> run() {
    return run([](Statement&) { return true; });
  }

  // Of the row at hand, for as long as it is.
  int columns() const { return sqlite3_column_count(statement_.get()); }
  int type(int column) const { return sqlite3_column_type(statement_.get(), column); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string_view bytes(int column) const;
  // As the table declares it.
  std::string_view declared_type(int column) const;
  std::string_view column_name(int column) const { return sqlite3_column_name(statement_.get(), column); }

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  Statement(Connection& connection, sqlite3_stmt* statement) : connection_(&connection), statement_(statement) {}

  Connection* connection_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Destroying it without close() is a crash of the process. Statements must be destroyed before it.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(faultfs::FileSystem& files, const std::string& path, bool powersafe_overwrite);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // kNotFound: no such table or savepoint. Texts with a zero byte are no SQL.
  Result<Statement> prepare(std::string_view sql);
  // One or more statements; what they answer is not looked at.
  Result<void> execute(std::string_view sql);

  // Writes the log back into the database, as far as it can.
  Result<void> checkpoint();
  Result<void> close();

  // Whether no transaction is open, also because SQLite has rolled it back by itself after an error.
  bool autocommit() const { return sqlite3_get_autocommit(database_) != 0; }
  // Rows that the last statement changed.
  int changes() const { return sqlite3_changes(database_); }
  Result<bool> has_table(std::string_view name);

 private:
  friend class Statement;

  Connection(faultfs::FileSystem& files, bool powersafe_overwrite) : vfs_(files, powersafe_overwrite) {}

  void begin_call();
  Error error(int code);

  Vfs vfs_;
  sqlite3* database_ = nullptr;
};

// A name as SQL has it: "a ""quoted"" name".
std::string quoted(std::string_view name);

template <class OnRow>
Result<void> Statement::run(OnRow&& on_row) {
  connection_->begin_call();
  int code = sqlite3_step(statement_.get());
  while (code == SQLITE_ROW && on_row(*this)) code = sqlite3_step(statement_.get());
  if (code == SQLITE_DONE || code == SQLITE_ROW) {
    sqlite3_reset(statement_.get());
    return success();
  }
  auto error = connection_->error(code);
  sqlite3_reset(statement_.get());
  return error;
}

}  // namespace powercut::engine::sqlite
