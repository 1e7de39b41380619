#include "properties/recorded_session.h"

#include "engine/row.h"

#include <algorithm>

namespace powercut::properties {
namespace {

// What a statement may answer while others are at work and the power is on.
bool is_an_answer(ErrorCode code) {
  return code == ErrorCode::kNotFound || code == ErrorCode::kAlreadyExists || code == ErrorCode::kConstraint ||
         code == ErrorCode::kDeadlock || code == ErrorCode::kTimeout;
}

std::string_view lock_text(engine::RowLock lock) {
  switch (lock) {
    case engine::RowLock::kNone:
      return "";
    case engine::RowLock::kShare:
      return " for share";
    case engine::RowLock::kUpdate:
      return " for update";
  }
  return "";
}

std::string savepoint_name(std::uint32_t number) { return "s" + std::to_string(number); }

}  // namespace

void RecordedSession::before_statement() {
  if (record_.scheduler.in_fiber()) record_.scheduler.yield("a statement");
}

// Tells a statement's answer, and fails where it is none. Texts are made only if somebody looks.
template <class Text, class T>
void RecordedSession::told(const Text& statement, const Result<T>& answer, std::string_view good) {
  if (record_.statement) tell(statement(), answer.has_value() ? std::string(good) : answer.error().message());
  if (answer.has_value()) return;
  // All of it was undone before the others went on.
  if (answer.error().code() == ErrorCode::kDeadlock && in_history() != 0) end(History::Outcome::kAborted);
  if (is_an_answer(answer.error().code())) return;
  fail(Oracle::kAlive, statement() + " failed with the power on: " + answer.error().message());
}

void RecordedSession::tell(std::string statement, std::string answer) const {
  std::string transaction;
  if (in_history() != 0 || statement.starts_with("begin")) marker_key(record_.model.transaction(number_), transaction);
  record_.statement({number_, std::move(transaction), std::move(statement), std::move(answer)});
}

std::string RecordedSession::place(std::uint32_t table, std::string_view key) const {
  return name_of(table) + "[" + engine::bytes_text(key) + "]";
}

std::string RecordedSession::range_text(std::uint32_t table, std::string_view from, std::string_view to) const {
  // A key with a zero after it is the first beyond the key.
  const bool closed = !to.empty() && to.back() == '\0';
  const std::string_view last = closed ? to.substr(0, to.size() - 1) : to;
  if (closed && last == from) return place(table, from);
  return name_of(table) + "[" + engine::bytes_text(from) + " .. " + engine::bytes_text(last) + (closed ? "]" : ")");
}

std::string RecordedSession::text(std::uint32_t table, std::string_view row) const {
  return engine::row_text(record_.workload.tables()[table].columns, row);
}

void RecordedSession::fail(Oracle oracle, std::string summary) {
  if (record_.scheduler.stopped()) return;
  if (!record_.violation) {
    record_.violation = Violation{oracle, "session " + std::to_string(number_) + ": " + std::move(summary), {}};
  }
  record_.scheduler.stop();
}

void RecordedSession::end(History::Outcome outcome) {
  record_.history.end(in_history(), outcome);
  in_history() = 0;
}

Result<void> RecordedSession::checkpoint() {
  before_statement();
  auto answer = record_.database->checkpoint();
  if (answer.has_error() && answer.error().code() == ErrorCode::kUnsupported) return success();
  told([] { return std::string("checkpoint"); }, answer);
  return answer;
}

Result<void> RecordedSession::begin(engine::Isolation level) {
  before_statement();
  const auto answer = session_.begin(level);
  told([&] { return "begin " + std::string(to_string(level)); }, answer);
  POWERCUT_TRYV(answer);
  level_ = level;
  open_ = true;
  savepoints_.clear();
  std::string name;
  marker_key(record_.model.transaction(number_), name);
  in_history() = record_.history.begin(level, name);
  return success();
}

Result<void> RecordedSession::commit() {
  before_statement();
  record_.promise("before commit");
  record_.model.commit_called(number_);
  const auto answer = session_.commit();
  told([] { return std::string("commit"); }, answer);
  POWERCUT_TRYV(answer);
  open_ = false;
  record_.model.acknowledged(number_);
  end(History::Outcome::kCommitted);
  record_.promise("after commit returned");
  return success();
}

Result<void> RecordedSession::rollback() {
  before_statement();
  record_.promise("before rollback");
  const auto answer = session_.rollback();
  told([] { return std::string("rollback"); }, answer);
  POWERCUT_TRYV(answer);
  open_ = false;
  record_.model.rolled_back(number_);
  if (in_history() != 0) end(History::Outcome::kAborted);
  record_.promise("after rollback returned");
  return success();
}

Result<void> RecordedSession::write_marker() {
  std::string key;
  std::string row;
  marker_key(record_.model.transaction(number_), key);
  engine::encode_row({}, row);
  auto answer = insert(0, key, row);
  if (answer.has_error() && answer.error().code() == ErrorCode::kAlreadyExists) {
    fail(Oracle::kOrdered, "its marker is there before it was written");
  }
  return answer;
}

std::optional<Version> RecordedSession::resolve(std::uint32_t table, std::string_view key, std::optional<std::string_view> row) {
  const auto version = record_.history.latest_with(in_history(), name_of(table), key, row);
  // What a statement wrote that was then undone may be seen by those who look at everything.
  if (!version && level_ != engine::Isolation::kReadUncommitted) {
    fail(Oracle::kIsolated,
         "it read a row that nobody ever wrote: " + place(table, key) + " " + (row ? text(table, *row) : "absent"));
  }
  return version;
}

Result<std::optional<std::string>> RecordedSession::get(std::uint32_t table, std::string_view key, engine::RowLock lock) {
  before_statement();
  std::string row;
  const auto answer =
      lock == engine::RowLock::kNone ? session_.get(name_of(table), key, row) : session_.get(name_of(table), key, row, lock);
  const bool found = answer.has_value() && answer.value();
  told([&] { return "get " + place(table, key) + std::string(lock_text(lock)); }, answer,
       !found              ? std::string("no row")
       : record_.statement ? text(table, row)
                           : std::string());
  POWERCUT_TRYV(answer);
  const auto seen = found ? std::optional<std::string_view>(row) : std::nullopt;
  if (const auto version = resolve(table, key, seen)) record_.history.read(in_history(), name_of(table), key, *version);
  return found ? std::optional<std::string>(std::move(row)) : std::nullopt;
}

Result<RecordedSession::Rows> RecordedSession::scan(std::uint32_t table, std::string_view from, std::string_view to) {
  before_statement();
  Rows rows;
  const auto answer = session_.scan(name_of(table), from, to, [&rows](std::string_view key, std::string_view row) {
    rows.emplace_back(key, row);
    return true;
  });
  told([&] { return "scan " + range_text(table, from, to); }, answer, "rows: " + std::to_string(rows.size()));
  POWERCUT_TRYV(answer);
  note_scan(table, from, to, rows);
  return rows;
}

void RecordedSession::note_scan(std::uint32_t table, std::string_view from, std::string_view to, const Rows& rows) {
  std::vector<std::pair<std::string, Version>> matched;
  std::vector<std::string> unknown;
  for (const auto& [key, row] : rows) {
    if (const auto version = resolve(table, key, row)) {
      matched.emplace_back(key, *version);
    } else {
      unknown.push_back(key);
    }
  }
  // What a statement of another has deleted, and has not ended, a reader of uncommitted rows does not find.
  if (level_ == engine::Isolation::kReadUncommitted) {
    for (std::string& key : record_.history.keys(name_of(table), from, to)) {
      const bool found = std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.first == key; });
      if (!found && !resolve(table, key, std::nullopt)) unknown.push_back(std::move(key));
    }
  }
  record_.history.scan(in_history(), name_of(table), from, to, matched, unknown);
}

void RecordedSession::note_write(std::uint32_t table, std::string_view key, std::optional<std::string_view> row) {
  if (row) {
    record_.model.put(table, key, *row, number_);
  } else {
    record_.model.erase(table, key, number_);
  }
  record_.history.write(in_history(), name_of(table), key, row);
}

Result<void> RecordedSession::insert(std::uint32_t table, std::string_view key, std::string_view row) {
  before_statement();
  const auto answer = session_.insert(name_of(table), key, row);
  told([&] { return "insert " + place(table, key) + " = " + text(table, row); }, answer);
  POWERCUT_TRYV(answer);
  note_write(table, key, row);
  return success();
}

Result<void> RecordedSession::update(std::uint32_t table, std::string_view key, std::string_view row) {
  before_statement();
  const auto answer = session_.update(name_of(table), key, row);
  told([&] { return "update " + place(table, key) + " = " + text(table, row); }, answer);
  POWERCUT_TRYV(answer);
  note_write(table, key, row);
  return success();
}

Result<void> RecordedSession::put(std::uint32_t table, std::string_view key, std::string_view row) {
  before_statement();
  const auto answer = session_.put(name_of(table), key, row);
  told([&] { return "put " + place(table, key) + " = " + text(table, row); }, answer);
  POWERCUT_TRYV(answer);
  note_write(table, key, row);
  return success();
}

Result<void> RecordedSession::erase(std::uint32_t table, std::string_view key) {
  before_statement();
  const auto answer = session_.erase(name_of(table), key);
  told([&] { return "erase " + place(table, key); }, answer);
  POWERCUT_TRYV(answer);
  note_write(table, key, std::nullopt);
  return success();
}

Result<std::uint64_t> RecordedSession::edit(std::uint32_t table, std::string_view from, std::string_view to,
                                            const engine::RowEditor& editor) {
  before_statement();
  // The editor may be asked again about a row that had to be waited for: what it said last counts.
  struct Edited {
    std::string key;
    std::string seen;
    engine::RowEdit what = engine::RowEdit::kKeep;
    std::string changed;
  };
  std::vector<Edited> edited;
  const auto answer =
      session_.edit(name_of(table), from, to, [&](std::string_view key, std::string_view row, std::string& changed) {
        const engine::RowEdit what = editor(key, row, changed);
        if (edited.empty() || edited.back().key != key) edited.emplace_back();
        edited.back() = {std::string(key), std::string(row), what, changed};
        return what;
      });
  told([&] { return "edit " + range_text(table, from, to); }, answer,
       answer.has_value() ? "rows changed: " + std::to_string(answer.value()) : "");
  POWERCUT_TRY(const std::uint64_t count, answer);
  Rows seen;
  for (const Edited& each : edited) seen.emplace_back(each.key, each.seen);
  note_scan(table, from, to, seen);
  std::uint64_t changes = 0;
  for (const Edited& each : edited) {
    if (each.what == engine::RowEdit::kKeep) continue;
    ++changes;
    note_write(table, each.key,
               each.what == engine::RowEdit::kErase ? std::nullopt : std::optional<std::string_view>(each.changed));
  }
  if (changes != count) {
    fail(Oracle::kOrdered,
         "edit says that it changed " + std::to_string(count) + " rows, it was told to change " + std::to_string(changes));
  }
  return count;
}

Result<void> RecordedSession::savepoint(std::uint32_t number) {
  before_statement();
  const auto answer = session_.savepoint(savepoint_name(number));
  told([&] { return "savepoint " + savepoint_name(number); }, answer);
  POWERCUT_TRYV(answer);
  savepoints_.push_back({number, record_.model.mark(number_)});
  return success();
}

Result<void> RecordedSession::rollback_to(std::uint32_t number) {
  before_statement();
  const auto answer = session_.rollback_to(savepoint_name(number));
  told([&] { return "rollback to " + savepoint_name(number); }, answer);
  POWERCUT_TRYV(answer);
  while (!savepoints_.empty() && savepoints_.back().number != number) savepoints_.pop_back();
  undo_to(savepoints_.empty() ? 0 : savepoints_.back().mark);
  return success();
}

void RecordedSession::undo_to(std::size_t mark) {
  const State before = record_.model.seen_by(number_);
  record_.model.undo_to(mark, number_);
  note_differences(before);
}

// What was done to many rows at once is to others as if each had been written or deleted: those of a table that was dropped,
// and those that a rollback to a savepoint gave back what they held before.
void RecordedSession::note_differences(const State& before) {
  const State after = record_.model.seen_by(number_);
  for (std::uint32_t table = 0; table < after.tables.size(); ++table) {
    const auto& old_rows = before.tables[table].rows;
    const auto& new_rows = after.tables[table].rows;
    auto old_row = old_rows.begin();
    auto new_row = new_rows.begin();
    while (old_row != old_rows.end() || new_row != new_rows.end()) {
      const bool gone = new_row == new_rows.end() || (old_row != old_rows.end() && old_row->key < new_row->key);
      const bool came = !gone && (old_row == old_rows.end() || new_row->key < old_row->key);
      if (gone) {
        record_.history.write(in_history(), name_of(table), old_row->key, std::nullopt);
      } else if (came || old_row->row != new_row->row) {
        record_.history.write(in_history(), name_of(table), new_row->key, new_row->row);
      }
      if (!came) ++old_row;
      if (!gone) ++new_row;
    }
  }
}

Result<void> RecordedSession::release(std::uint32_t number) {
  before_statement();
  const auto answer = session_.release(savepoint_name(number));
  told([&] { return "release " + savepoint_name(number); }, answer);
  POWERCUT_TRYV(answer);
  while (!savepoints_.empty() && savepoints_.back().number != number) savepoints_.pop_back();
  if (!savepoints_.empty()) savepoints_.pop_back();
  return success();
}

Result<void> RecordedSession::create_table(std::uint32_t table, const engine::TableSchema& schema) {
  before_statement();
  const auto answer = session_.create_table(schema);
  told([&] { return "create table " + schema.name; }, answer);
  POWERCUT_TRYV(answer);
  record_.model.create_table(table, number_);
  return success();
}

Result<void> RecordedSession::drop_table(std::uint32_t table) {
  before_statement();
  const auto answer = session_.drop_table(name_of(table));
  told([&] { return "drop table " + name_of(table); }, answer);
  POWERCUT_TRYV(answer);
  const State before = record_.model.seen_by(number_);
  record_.model.drop_table(table, number_);
  note_differences(before);
  return success();
}

// A table with another name is, to others, one that is gone and one that came with all its rows.
Result<void> RecordedSession::alter_table(std::uint32_t table, std::uint32_t becomes, const engine::TableSchema& schema) {
  before_statement();
  const auto answer = session_.alter_table(name_of(table), schema);
  if (answer.has_error() && answer.error().code() == ErrorCode::kUnsupported) return success();
  told([&] { return "alter table " + name_of(table) + " to " + schema.name; }, answer);
  POWERCUT_TRYV(answer);
  if (table == becomes) return success();
  const State before = record_.model.seen_by(number_);
  record_.model.create_table(becomes, number_);
  for (const ModelRow& row : before.tables[table].rows) record_.model.put(becomes, row.key, row.row, number_);
  record_.model.drop_table(table, number_);
  note_differences(before);
  return success();
}

}  // namespace powercut::properties
