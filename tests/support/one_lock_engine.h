// An engine in memory whose transactions wait for one another: one at a time, in the order in which they came. For tests of
// what runs sessions side by side. A crash loses everything.
#pragma once

#include "engine/engine.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace powercut::testing {

class OneLockEngine final : public engine::EngineKind, public engine::Engine {
 public:
  std::string_view name() const override { return "one-lock"; }
  std::string_view summary() const override { return "one transaction at a time"; }
  std::span<const engine::Tunable> tunables() const override { return {}; }
  bool has_sessions() const override { return true; }
  Result<std::unique_ptr<engine::Engine>> make(std::span<const engine::Option> /*options*/,
                                               std::span<const std::string> /*defects*/) const override {
    return std::unique_ptr<engine::Engine>(std::make_unique<OneLockEngine>());
  }

  engine::Guarantee guarantee(const faultfs::PersistenceModel& /*model*/) const override { return {}; }
  Result<std::unique_ptr<engine::Database>> open(faultfs::FileSystem& /*files*/, std::string_view /*directory*/,
                                                 const engine::Surroundings& surroundings) override {
    return std::unique_ptr<engine::Database>(std::make_unique<Database>(*surroundings.scheduler));
  }

 private:
  using Key = std::pair<std::string, std::string>;

  struct Lock final : faultfs::Scheduler::Wait {
    std::string text() const override { return "the lock that a transaction has"; }
    const void* owner = nullptr;
    std::deque<faultfs::FiberId> waiting;
  };

  struct Database final : engine::Database {
    explicit Database(faultfs::Scheduler& fibers) : scheduler(fibers) {}
    Result<std::unique_ptr<engine::Session>> new_session() override {
      return std::unique_ptr<engine::Session>(std::make_unique<Session>(*this));
    }
    Result<std::vector<std::string>> tables() override { return names; }
    Result<void> checkpoint() override { return success(); }
    Result<void> close() override { return success(); }

    faultfs::Scheduler& scheduler;
    Lock lock;
    std::vector<std::string> names;
    std::map<Key, std::string> rows;
  };

  struct Session final : engine::Session {
    explicit Session(Database& in) : database(in) {}
    ~Session() override { static_cast<void>(release_lock().has_error()); }

    Result<void> begin() override {
      Lock& lock = database.lock;
      while (lock.owner != nullptr) {
        lock.waiting.push_back(database.scheduler.current());
        const auto woken = database.scheduler.park(lock, limit);
        std::erase(lock.waiting, database.scheduler.current());
        if (woken == faultfs::Scheduler::Woken::kTimedOut) return Error(ErrorCode::kTimeout, "no lock in time");
        if (woken == faultfs::Scheduler::Woken::kStopped) return Error(ErrorCode::kStopped, "no more waiting");
      }
      lock.owner = this;
      return success();
    }
    Result<void> set_lock_limit(std::uint64_t nanoseconds) override {
      limit = nanoseconds;
      return success();
    }
    Result<void> commit() override { return release_lock(); }
    Result<void> rollback() override { return release_lock(); }
    Result<void> savepoint(std::string_view /*name*/) override { return success(); }
    Result<void> rollback_to(std::string_view /*name*/) override { return success(); }
    Result<void> release(std::string_view /*name*/) override { return success(); }
    Result<bool> get(std::string_view table, std::string_view key, std::string& row) override {
      const auto found = database.rows.find(Key(table, key));
      if (found != database.rows.end()) row = found->second;
      return found != database.rows.end();
    }
    Result<void> insert(std::string_view table, std::string_view key, std::string_view row) override {
      return put(table, key, row);
    }
    Result<void> update(std::string_view table, std::string_view key, std::string_view row) override {
      return put(table, key, row);
    }
    Result<void> put(std::string_view table, std::string_view key, std::string_view row) override {
      database.rows[Key(table, key)] = row;
      return success();
    }
    Result<void> erase(std::string_view table, std::string_view key) override {
      database.rows.erase(Key(table, key));
      return success();
    }
    Result<void> scan(std::string_view table, std::string_view /*from*/, std::string_view /*to*/,
                      const engine::RowVisitor& visit) override {
      for (const auto& [key, row] : database.rows) {
        if (key.first == table && !visit(key.second, row)) break;
      }
      return success();
    }
    Result<void> create_table(const engine::TableSchema& schema) override {
      database.names.push_back(schema.name);
      return success();
    }
    Result<void> drop_table(std::string_view /*table*/) override { return success(); }

    Result<void> release_lock() {
      Lock& lock = database.lock;
      if (lock.owner != this) return Error(ErrorCode::kInvalidArgument, "no transaction is open");
      lock.owner = nullptr;
      if (!lock.waiting.empty()) database.scheduler.wake(lock.waiting.front());
      return success();
    }

    Database& database;
    std::uint64_t limit = faultfs::Scheduler::kNoLimit;
  };
};

}  // namespace powercut::testing
