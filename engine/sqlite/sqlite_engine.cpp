#include "engine/sqlite/sqlite_engine.h"

#include "engine/option_values.h"
#include "engine/sqlite/connection.h"
#include "engine/sqlite/session.h"
#include "engine/sqlite/settings.h"

#include <algorithm>
#include <utility>

namespace powercut::engine {
namespace {

using sqlite::Connection;
using sqlite::Settings;

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(std::unique_ptr<Connection> connection, bool has_log) : connection_(std::move(connection)), has_log_(has_log) {}

  Result<std::unique_ptr<Session>> new_session() override {
    return std::unique_ptr<Session>(std::make_unique<sqlite::SqliteSession>(*connection_));
  }

  Result<std::vector<std::string>> tables() override {
    POWERCUT_TRY(auto query, connection_->prepare("SELECT name FROM sqlite_schema WHERE type = 'table'"));
    std::vector<std::string> names;
    POWERCUT_TRYV(query.run([&](const sqlite::Statement& at) {
      names.emplace_back(at.bytes(0));
      return true;
    }));
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> checkpoint() override {
    if (!has_log_) return Error(ErrorCode::kUnsupported, "sqlite has checkpoints with journal=wal only");
    if (!connection_->autocommit()) return Error(ErrorCode::kUnsupported, "sqlite has no checkpoints within a transaction");
    return connection_->checkpoint();
  }

  Result<void> close() override { return connection_->close(); }

 private:
  std::unique_ptr<Connection> connection_;
  bool has_log_;
};

class SqliteEngine final : public Engine {
 public:
  explicit SqliteEngine(Settings settings) : settings_(std::move(settings)) {}

  Guarantee guarantee(const faultfs::PersistenceModel& model) const override { return settings_.guarantee(model); }

  Result<std::unique_ptr<Database>> open(faultfs::FileSystem& files, std::string_view directory,
                                         const Surroundings& /*surroundings*/) override {
    POWERCUT_TRY(const bool exists, files.exists(directory));
    if (!exists) POWERCUT_TRYV(files.make_directory(directory));
    // Also if it exists: whoever made it may have died before its name was durable.
    POWERCUT_TRYV(files.sync_directory(faultfs::parent_of(directory)));
    POWERCUT_TRY(auto connection, Connection::open(files, std::string(directory) + "/database", settings_.powersafe_overwrite));
    POWERCUT_TRYV(connection->execute(settings_.pragmas));
    return std::unique_ptr<Database>(
        std::make_unique<SqliteDatabase>(std::move(connection), settings_.journal == sqlite::Journal::kWal));
  }

 private:
  Settings settings_;
};

class SqliteKind final : public EngineKind {
 public:
  std::string_view name() const override { return "sqlite"; }
  std::string_view summary() const override { return "SQLite " SQLITE_VERSION ", with a rollback journal or a write-ahead log"; }
  std::span<const Tunable> tunables() const override { return sqlite::tunables(); }
  std::vector<Mode> modes() const override { return sqlite::modes(); }

  Result<std::unique_ptr<Engine>> make(std::span<const Option> options, std::span<const std::string> defects) const override {
    POWERCUT_TRYV(refuse_defects(name(), defects));
    POWERCUT_TRY(auto settings, Settings::from(options));
    // No count of what each allocation takes, if SQLite has not begun yet: a tenth of a recovery.
    static_cast<void>(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0));
    return std::unique_ptr<Engine>(std::make_unique<SqliteEngine>(std::move(settings)));
  }
};

}  // namespace

std::unique_ptr<EngineKind> make_sqlite_kind() { return std::make_unique<SqliteKind>(); }

}  // namespace powercut::engine
