// One session of several: does on the engine what a workload asks, and notes what came of it in the model (what a crash must
// leave) and in the history (what the isolation levels are judged by).
//
// Before each statement another fiber may go on. What a statement answers is the engine's business: with others at work
// there is no one right answer. What it did is judged afterwards.
#pragma once

#include "engine/engine.h"
#include "faultfs/scheduler.h"
#include "properties/history.h"
#include "properties/model.h"
#include "properties/statements.h"
#include "properties/step.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::properties {

// What the sessions of a timeline share.
struct SharedRecord {
  const Workload& workload;
  Model& model;
  History& history;
  faultfs::Scheduler& scheduler;
  engine::Database* database = nullptr;
  // By session: the number that its open transaction has in the history; 0 without one, or when it gave way in a deadlock.
  std::vector<std::uint64_t> in_history = {};
  std::int64_t next_tag = 1;
  std::uint32_t set_up_count = 0;  // of the set-up that ran
  // The first that anybody found.
  std::optional<Violation> violation = {};
  // Told each event that changes what the user was promised. May be empty.
  std::function<void(std::string_view)> promise = {};
  // Told each statement and its answer, for replay. May be empty.
  std::function<void(const Exchange& statement)> statement = {};
};

class RecordedSession {
 public:
  using Rows = std::vector<std::pair<std::string, std::string>>;  // key and row

  RecordedSession(SharedRecord& record, engine::Session& session, std::size_t number)
      : record_(record), session_(session), number_(number) {}

  const Workload& workload() const { return record_.workload; }
  engine::Isolation level() const { return level_; }
  // A number that no other write of the timeline has, for a row to carry: the history then knows whose it is.
  std::int64_t next_tag() { return record_.next_tag++; }
  // The number of rows that the case began with.
  std::uint32_t set_up_count() const { return record_.set_up_count; }

  Result<void> begin(engine::Isolation level);
  Result<void> commit();
  Result<void> rollback();
  // A transaction began and has not ended; also one that gave way in a deadlock, until its rollback.
  bool is_open() const { return open_; }
  // The marker row of the transaction, by which a crash is judged.
  Result<void> write_marker();

  // Nothing if there is no such row.
  Result<std::optional<std::string>> get(std::uint32_t table, std::string_view key, engine::RowLock lock = engine::RowLock::kNone);
  Result<Rows> scan(std::uint32_t table, std::string_view from, std::string_view to);
  Result<void> insert(std::uint32_t table, std::string_view key, std::string_view row);
  Result<void> update(std::uint32_t table, std::string_view key, std::string_view row);
  Result<void> put(std::uint32_t table, std::string_view key, std::string_view row);
  Result<void> erase(std::uint32_t table, std::string_view key);
  Result<std::uint64_t> edit(std::uint32_t table, std::string_view from, std::string_view to, const engine::RowEditor& editor);
  Result<void> savepoint(std::uint32_t number);
  Result<void> rollback_to(std::uint32_t number);
  Result<void> release(std::uint32_t number);
  Result<void> create_table(std::uint32_t table, const engine::TableSchema& schema);
  Result<void> drop_table(std::uint32_t table);
  // To a schema of the same columns, which may have other constraints, and the name of the table `becomes`. An engine that
  // alters no tables keeps it as it is.
  Result<void> alter_table(std::uint32_t table, std::uint32_t becomes, const engine::TableSchema& schema);

  Result<void> checkpoint();

  // Says that a promise was broken with the power on, and ends everything. What has ended already is not judged.
  void fail(Oracle oracle, std::string summary);

 private:
  struct Savepoint {
    std::uint32_t number = 0;
    std::size_t mark = 0;
  };

  const std::string& name_of(std::uint32_t table) const { return record_.workload.tables()[table].name; }
  void before_statement();
  std::uint64_t& in_history() const { return record_.in_history[number_]; }
  void end(History::Outcome outcome);
  template <class Text, class T>
  void told(const Text& statement, const Result<T>& answer, std::string_view good = "done");
  void tell(std::string statement, std::string answer) const;
  std::string place(std::uint32_t table, std::string_view key) const;
  std::string range_text(std::uint32_t table, std::string_view from, std::string_view to) const;
  std::string text(std::uint32_t table, std::string_view row) const;
  void note_scan(std::uint32_t table, std::string_view from, std::string_view to, const Rows& rows);
  void note_write(std::uint32_t table, std::string_view key, std::optional<std::string_view> row);
  std::optional<Version> resolve(std::uint32_t table, std::string_view key, std::optional<std::string_view> row);
  void undo_to(std::size_t mark);
  void note_differences(const State& before);

  SharedRecord& record_;
  engine::Session& session_;
  std::size_t number_;
  engine::Isolation level_ = engine::Isolation::kSerializable;
  bool open_ = false;
  std::vector<Savepoint> savepoints_;
};

}  // namespace powercut::properties
