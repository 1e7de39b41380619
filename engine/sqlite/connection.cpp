#include "engine/sqlite/connection.h"

#include <utility>

namespace powercut::engine::sqlite {
namespace {

// A null pointer would bind NULL.
const char* pointer_to(std::string_view bytes) { return bytes.empty() ? "" : bytes.data(); }

Error no_statement() { return {ErrorCode::kInvalidArgument, "sqlite: there is no statement"}; }

ErrorCode kind_of(int code, std::string_view message) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return ErrorCode::kConstraint;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_FULL:
      return ErrorCode::kNoSpace;
    case SQLITE_ERROR:
      return message.starts_with("no such ") ? ErrorCode::kNotFound : ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

void Statement::bind_blob(int place, std::string_view bytes) {
  sqlite3_bind_blob(statement_.get(), place, pointer_to(bytes), static_cast<int>(bytes.size()), SQLITE_STATIC);
}

void Statement::bind_text(int place, std::string_view bytes) {
  sqlite3_bind_text(statement_.get(), place, pointer_to(bytes), static_cast<int>(bytes.size()), SQLITE_STATIC);
}

std::string_view Statement::bytes(int column) const {
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::declared_type(int column) const {
  const char* const type = sqlite3_column_decltype(statement_.get(), column);
  return type == nullptr ? std::string_view() : type;
}

Result<std::unique_ptr<Connection>> Connection::open(faultfs::FileSystem& files, const std::string& path,
                                                     bool powersafe_overwrite) {
  std::unique_ptr<Connection> connection(new Connection(files, powersafe_overwrite));
  const int code = sqlite3_open_v2(path.c_str(), &connection->database_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   connection->vfs_.name());
  if (code != SQLITE_OK) return connection->error(code);
  sqlite3_db_config(connection->database_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  return connection;
}

Connection::~Connection() {
  vfs_.die();
  // With nothing to say about it: every operation fails now.
  sqlite3_close(database_);
}

// SQLite's generator is one for the whole process. It gives the nonces of journals and the salts of write-ahead logs, so each call
// that may write begins with what this connection has seen and nothing else.
void Connection::begin_call() {
  static_cast<void>(vfs_.take_error());
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(vfs_.seed()), nullptr);
}

Error Connection::error(int code) {
  const std::string message = sqlite3_errmsg(database_);
  ErrorCode kind = kind_of(code, message);
  std::string context = "sqlite: " + message;
  if (const auto below = vfs_.take_error(); below && kind == ErrorCode::kIo) {
    kind = below->code() == ErrorCode::kNoSpace ? ErrorCode::kNoSpace : ErrorCode::kIo;
    context += ": " + below->message();
  }
  return {kind, std::move(context)};
}

Result<Statement> Connection::prepare(std::string_view sql) {
  begin_call();
  sqlite3_stmt* prepared = nullptr;
  const int code =
      sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return error(code);
  if (prepared == nullptr) return no_statement();
  return Statement(*this, prepared);
}

Result<void> Connection::execute(std::string_view sql) {
  while (!sql.empty()) {
    begin_call();
    sqlite3_stmt* prepared = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &prepared, &rest);
    if (code != SQLITE_OK) return error(code);
    if (prepared == nullptr) return no_statement();
    POWERCUT_TRYV(Statement(*this, prepared).run());
    sql.remove_prefix(static_cast<std::size_t>(rest - sql.data()));
  }
  return success();
}

Result<void> Connection::checkpoint() {
  begin_call();
  const int code = sqlite3_wal_checkpoint_v2(database_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return success();
}

Result<void> Connection::close() {
  begin_call();
  const int code = sqlite3_close(database_);
  if (code != SQLITE_OK) return error(code);
  database_ = nullptr;
  return success();
}

Result<bool> Connection::has_table(std::string_view name) {
  begin_call();
  const int code = sqlite3_table_column_metadata(database_, "main", std::string(name).c_str(), nullptr, nullptr, nullptr, nullptr,
                                                 nullptr, nullptr);
  if (code == SQLITE_OK) return true;
  if (code == SQLITE_ERROR) return false;
  return error(code);
}

std::string quoted(std::string_view name) {
  std::string all = "\"";
  for (const char character : name) all.append(character == '"' ? 2 : 1, character);
  return all += '"';
}

}  // namespace powercut::engine::sqlite
