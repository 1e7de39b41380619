// SQLite with a write-ahead log that is synced at each commit.
//
// "With synchronous=FULL in WAL mode, an additional sync operation of the WAL file happens after each transaction commit. The
// extra WAL sync following each transaction helps ensure that transactions are durable across a power loss."
// (https://www.sqlite.org/pragma.html#pragma_synchronous)
//
// One connection a client, without SQLite's own mutex around it (https://www.sqlite.org/threadsafe.html, multi-thread). There is
// one writer at a time; who finds another one waits for it (busy_timeout), and begins again if that takes too long.
#include "tools/measure/peer_engines.h"

#include <sqlite3.h>

#include <utility>

namespace powercut::measure {
namespace {

constexpr int kBusyMilliseconds = 50;

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Error sqlite_error(sqlite3* database, std::string_view doing) {
  const int code = sqlite3_errcode(database);
  const ErrorCode kind = code == SQLITE_CORRUPT ? ErrorCode::kCorrupt : code == SQLITE_FULL ? ErrorCode::kNoSpace : ErrorCode::kIo;
  return Error(kind, "sqlite: " + std::string(doing) + ": " + sqlite3_errmsg(database));
}

Result<void> execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return sqlite_error(database, sql);
  return success();
}

Result<Database> connect(const std::string& path) {
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return sqlite_error(opened, path);
  sqlite3_busy_timeout(opened, kBusyMilliseconds);
  POWERCUT_TRYV(execute(opened, "PRAGMA journal_mode = WAL"));
  POWERCUT_TRYV(execute(opened, "PRAGMA synchronous = FULL"));
  return database;
}

// A prepared statement, to be run again and again.
class Query {
 public:
  static Result<Query> prepare(sqlite3* database, const char* sql) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr) != SQLITE_OK) {
      return sqlite_error(database, sql);
    }
    return Query(database, Statement(prepared));
  }

  // What is bound must live until the statement has run.
  void bind(int place, std::uint64_t number) { sqlite3_bind_int64(statement_.get(), place, static_cast<std::int64_t>(number)); }
  void bind(int place, std::string_view bytes) {
    sqlite3_bind_blob(statement_.get(), place, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  }

  // Runs to its end; on_row(query) for each row of the answer. kGaveWay if another connection writes.
  template <class OnRow>
  Result<Outcome> run(OnRow&& on_row) {
    int code = sqlite3_step(statement_.get());
    for (; code == SQLITE_ROW; code = sqlite3_step(statement_.get())) on_row(*this);
    sqlite3_reset(statement_.get());
    if (code == SQLITE_DONE) return Outcome::kDone;
    if (code == SQLITE_BUSY) return Outcome::kGaveWay;
    return sqlite_error(database_, sqlite3_sql(statement_.get()));
  }
  Result<Outcome> run() {
    return run([](Query&) {});
  }

  // Of the row at hand, for as long as it is.
  std::uint64_t number(int column) const { return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column)); }
  std::string_view bytes(int column) const {
    const void* const data = sqlite3_column_blob(statement_.get(), column);
    return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
  }

 private:
  Query(sqlite3* database, Statement statement) : database_(database), statement_(std::move(statement)) {}

  sqlite3* database_;
  Statement statement_;
};

// What must not give way, because the transaction has begun.
Result<void> done(Result<Outcome> outcome) {
  POWERCUT_TRY(const Outcome got, std::move(outcome));
  if (got == Outcome::kGaveWay) return Error(ErrorCode::kTimeout, "sqlite: busy within a write transaction");
  return success();
}

struct Queries {
  Query begin;
  Query commit;
  Query read;
  Query update;
  Query put;
  Query mark;
  Query scan;
  Query markers;
};

class SqliteClient final : public PeerClient {
 public:
  static Result<std::unique_ptr<PeerClient>> open(const std::string& path) {
    POWERCUT_TRY(Database database, connect(path));
    sqlite3* const raw = database.get();
    POWERCUT_TRY(Query begin, Query::prepare(raw, "BEGIN IMMEDIATE"));
    POWERCUT_TRY(Query commit, Query::prepare(raw, "COMMIT"));
    POWERCUT_TRY(Query read, Query::prepare(raw, "SELECT value FROM rows WHERE id = ?"));
    POWERCUT_TRY(Query update, Query::prepare(raw, "UPDATE rows SET value = ?2 WHERE id = ?1"));
    POWERCUT_TRY(Query put,
                 Query::prepare(raw, "INSERT INTO rows VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value"));
    POWERCUT_TRY(Query mark, Query::prepare(raw, "INSERT INTO markers VALUES (?1, ?2)"));
    POWERCUT_TRY(Query scan, Query::prepare(raw, "SELECT id, value FROM rows WHERE id >= ? ORDER BY id LIMIT ?"));
    POWERCUT_TRY(Query markers, Query::prepare(raw, "SELECT count(*) FROM markers"));
    Queries queries{std::move(begin), std::move(commit), std::move(read), std::move(update),
                    std::move(put),   std::move(mark),   std::move(scan), std::move(markers)};
    return std::unique_ptr<PeerClient>(new SqliteClient(std::move(database), std::move(queries)));
  }

  Result<Outcome> transfer(const Transfer& transfer) override {
    POWERCUT_TRY(const Outcome begun, queries_.begin.run());
    if (begun == Outcome::kGaveWay) return begun;
    const Result<void> moved = in_transaction(transfer);
    if (moved.has_error()) {
      sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      return moved.error();
    }
    return Outcome::kDone;
  }

  Result<bool> get(std::uint64_t row, std::string& value) override {
    bool found = false;
    queries_.read.bind(1, row);
    POWERCUT_TRYV(done(queries_.read.run([&](const Query& answer) {
      value = answer.bytes(0);
      found = true;
    })));
    return found;
  }

  Result<Outcome> put(std::uint64_t row, std::string_view value) override {
    queries_.put.bind(1, row);
    queries_.put.bind(2, value);
    return queries_.put.run();
  }

  Result<void> scan(std::uint64_t row, std::uint64_t count, const RowSink& sink) override {
    queries_.scan.bind(1, row);
    queries_.scan.bind(2, count);  // all, if it does not fit: a negative limit is none
    return done(queries_.scan.run([&](const Query& answer) { sink(answer.number(0), answer.bytes(1)); }));
  }

  Result<std::uint64_t> count_markers() override {
    std::uint64_t count = 0;
    POWERCUT_TRYV(done(queries_.markers.run([&](const Query& answer) { count = answer.number(0); })));
    return count;
  }

 private:
  SqliteClient(Database database, Queries queries) : database_(std::move(database)), queries_(std::move(queries)) {}

  Result<void> in_transaction(const Transfer& transfer) {
    POWERCUT_TRY(const bool has_from, get(transfer.from, from_));
    POWERCUT_TRY(const bool has_to, get(transfer.to, to_));
    if (!has_from || !has_to) return Error(ErrorCode::kCorrupt, "sqlite: an account is missing");
    POWERCUT_TRY(const Balances after, balances_after(transfer, from_, to_));
    POWERCUT_TRYV(write(queries_.update, transfer.from, after.from));
    POWERCUT_TRYV(write(queries_.update, transfer.to, after.to));
    POWERCUT_TRYV(write(queries_.mark, transfer.marker, to_bytes(transfer.marker)));
    return done(queries_.commit.run());
  }
  static Result<void> write(Query& query, std::uint64_t row, const EightBytes& value) {
    query.bind(1, row);
    query.bind(2, view(value));
    return done(query.run());
  }

  Database database_;  // before its statements
  Queries queries_;
  std::string from_;
  std::string to_;
};

class SqliteEngine final : public PeerEngine {
 public:
  std::string_view name() const override { return "sqlite"; }
  std::string_view setting() const override {
    return "journal_mode=WAL, synchronous=FULL (sqlite.org/pragma.html#pragma_synchronous)";
  }
  Result<void> open(const std::string& directory) override {
    path_ = directory + "/database";
    POWERCUT_TRY(database_, connect(path_));
    POWERCUT_TRYV(execute(database_.get(), "CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB NOT NULL)"));
    return execute(database_.get(), "CREATE TABLE markers (id INTEGER PRIMARY KEY, value BLOB NOT NULL)");
  }
  Result<std::unique_ptr<PeerClient>> make_client() override { return SqliteClient::open(path_); }
  Result<void> fill(std::uint64_t rows, const std::function<std::string(std::uint64_t row)>& value_of) override {
    POWERCUT_TRY(Query insert, Query::prepare(database_.get(), "INSERT INTO rows VALUES (?1, ?2)"));
    POWERCUT_TRYV(execute(database_.get(), "BEGIN IMMEDIATE"));
    for (std::uint64_t row = 0; row < rows; ++row) {
      const std::string value = value_of(row);
      insert.bind(1, row);
      insert.bind(2, value);
      POWERCUT_TRYV(done(insert.run()));
    }
    POWERCUT_TRYV(execute(database_.get(), "COMMIT"));
    return execute(database_.get(), "PRAGMA wal_checkpoint(TRUNCATE)");
  }

 private:
  std::string path_;
  Database database_;  // open for as long as there are clients, so that none of them is the last and checkpoints
};

}  // namespace

std::unique_ptr<PeerEngine> make_sqlite() { return std::make_unique<SqliteEngine>(); }

}  // namespace powercut::measure
