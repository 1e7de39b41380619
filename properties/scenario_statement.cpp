#include "properties/scenario_statement.h"

#include "properties/scenario_where.h"

#include <algorithm>

namespace powercut::properties {
namespace {

using Kind = StatementKind;

constexpr std::uint64_t kNanosecondsOfMillisecond = 1'000'000;

// An engine without edit() is asked row by row. Outside a transaction each row is then one of its own.
Result<std::uint64_t> edit_rows(engine::Session& session, const std::string& table, const KeyRange& range,
                                const engine::RowEditor& editor) {
  auto edited = session.edit(table, range.from, range.to, editor);
  if (edited.has_value() || edited.error().code() != ErrorCode::kUnsupported) return edited;
  struct Edited {
    std::string key;
    std::string row;
    bool erase = false;
  };
  std::vector<Edited> all;
  POWERCUT_TRYV(session.scan(table, range.from, range.to, [&](std::string_view key, std::string_view row) {
    Edited one;
    const engine::RowEdit what = editor(key, row, one.row);
    one.key = key;
    one.erase = what == engine::RowEdit::kErase;
    if (what != engine::RowEdit::kKeep) all.push_back(std::move(one));
    return true;
  }));
  for (const Edited& one : all) {
    POWERCUT_TRYV(one.erase ? session.erase(table, one.key) : session.update(table, one.key, one.row));
  }
  return std::uint64_t{all.size()};
}

}  // namespace

void TableBook::commit(const TableChanges& changes) {
  for (const auto& [name, table] : changes) {
    if (table) {
      committed[name] = *table;
    } else {
      committed.erase(name);
    }
  }
}

void TableBook::recovered(const std::vector<std::string>& names) {
  const auto fits = [&] {
    return committed.size() == names.size() &&
           std::all_of(names.begin(), names.end(), [&](const auto& name) { return committed.contains(name); });
  };
  Tables without = committed;
  const bool fits_without = fits();
  commit(in_doubt);
  if (fits_without && !fits()) committed = std::move(without);
  in_doubt.clear();
  newest = committed;
}

Answer StatementRunner::run(engine::Session& session, const Statement& statement) {
  Answer answer;
  const auto done = execute(session, statement, answer);
  if (done.has_error()) {
    answer = {{}, done.error()};
    failed_ = true;
  }
  return answer;
}

Result<void> StatementRunner::execute(engine::Session& session, const Statement& statement, Answer& answer) {
  switch (statement.kind) {
    case Kind::kBegin:
      POWERCUT_TRYV(statement.level ? session.begin(*statement.level) : session.begin());
      in_transaction_ = true;
      failed_ = false;
      return success();
    case Kind::kCommit:
    case Kind::kRollback:
      return end(session, statement, answer);
    case Kind::kSavepoint:
    case Kind::kRollbackTo:
    case Kind::kRelease:
      return savepoint(session, statement);
    case Kind::kRead:
    case Kind::kScan:
    case Kind::kSum:
      return read(session, statement, answer);
    case Kind::kInsert:
    case Kind::kPut:
      return write(session, statement);
    case Kind::kUpdate:
    case Kind::kDelete:
      return edit(session, statement, answer);
    case Kind::kCreateTable:
    case Kind::kDropTable:
    case Kind::kAlterTable:
      return change_table(session, statement);
    case Kind::kSetIsolation:
      return session.set_isolation(*statement.level);
    case Kind::kSetLockLimit:
      return session.set_lock_limit(statement.milliseconds * kNanosecondsOfMillisecond);
  }
  return success();
}

Result<void> StatementRunner::end(engine::Session& session, const Statement& statement, Answer& answer) {
  const bool gives_up = statement.unless_failed && failed_;
  if (gives_up) answer.lines.emplace_back("rolled back: a statement had failed");
  if (statement.kind == Kind::kCommit && !gives_up) {
    if (!own_.empty()) book_.in_doubt = own_;
    POWERCUT_TRYV(session.commit());
    if (!own_.empty()) book_.in_doubt.clear();
    book_.commit(own_);
  } else {
    POWERCUT_TRYV(session.rollback());
  }
  in_transaction_ = false;
  own_.clear();
  savepoints_.clear();
  return success();
}

Result<void> StatementRunner::savepoint(engine::Session& session, const Statement& statement) {
  if (statement.kind == Kind::kSavepoint) {
    POWERCUT_TRYV(session.savepoint(statement.name));
    savepoints_.push_back({statement.name, own_});
    return success();
  }
  const bool back = statement.kind == Kind::kRollbackTo;
  POWERCUT_TRYV(back ? session.rollback_to(statement.name) : session.release(statement.name));
  while (!savepoints_.empty() && savepoints_.back().name != statement.name) savepoints_.pop_back();
  if (savepoints_.empty()) return success();
  if (back) {
    own_ = savepoints_.back().changes;
  } else {
    savepoints_.pop_back();
  }
  return success();
}

Result<void> StatementRunner::read(engine::Session& session, const Statement& statement, Answer& answer) {
  POWERCUT_TRY(const TableDefinition table, definition(session, statement.table));
  if (statement.kind == Kind::kRead) {
    std::string row;
    const bool locks = statement.lock != engine::RowLock::kNone;
    POWERCUT_TRY(const bool found, locks ? session.get(statement.table, statement.key, row, statement.lock)
                                         : session.get(statement.table, statement.key, row));
    answer.lines.push_back(found ? written(table.schema, statement.key, row) : "no row");
    return success();
  }
  POWERCUT_TRY(const Where where, Where::make(table, statement));
  std::optional<std::size_t> summed;
  if (statement.kind == Kind::kSum) {
    summed = find_column(table.schema, statement.column);
    if (!summed) return Error(ErrorCode::kInvalidArgument, statement.table + " has no column '" + statement.column + "'");
  }
  std::int64_t total = 0;
  bool too_large = false;
  POWERCUT_TRYV(
      session.scan(statement.table, where.range().from, where.range().to, [&](std::string_view key, std::string_view row) {
        if (!where.holds(key, row)) return true;
        if (!summed) {
          answer.lines.push_back(written(table.schema, key, row));
          return true;
        }
        too_large = __builtin_add_overflow(total, engine::integer_column(row, *summed).value_or(0), &total);
        return !too_large;
      }));
  if (too_large) return Error(ErrorCode::kInvalidArgument, "the sum is too large");
  if (summed) answer.lines.push_back("sum: " + std::to_string(total));
  if (answer.lines.empty()) answer.lines.emplace_back("no rows");
  return success();
}

Result<void> StatementRunner::write(engine::Session& session, const Statement& statement) {
  POWERCUT_TRY(const TableDefinition table, definition(session, statement.table));
  std::string row;
  POWERCUT_TRYV(encode_values(table.schema, statement.values, row));
  return statement.kind == Kind::kInsert ? session.insert(statement.table, statement.key, row)
                                         : session.put(statement.table, statement.key, row);
}

Result<void> StatementRunner::edit(engine::Session& session, const Statement& statement, Answer& answer) {
  POWERCUT_TRY(const TableDefinition table, definition(session, statement.table));
  POWERCUT_TRY(const Where where, Where::make(table, statement));
  POWERCUT_TRY(const Changes changes, Changes::make(table, statement.assignments));
  const engine::RowEditor editor = [&](std::string_view key, std::string_view row, std::string& changed) {
    if (!where.holds(key, row)) return engine::RowEdit::kKeep;
    if (statement.kind == Kind::kDelete) return engine::RowEdit::kErase;
    changes.apply(row, changed);
    return engine::RowEdit::kChange;
  };
  POWERCUT_TRY(const std::uint64_t rows, edit_rows(session, statement.table, where.range(), editor));
  answer.lines.push_back("rows changed: " + std::to_string(rows));
  return success();
}

Result<void> StatementRunner::change_table(engine::Session& session, const Statement& statement) {
  TableChanges changes;
  TableDefinition made = statement.definition;
  if (statement.kind != Kind::kCreateTable) {
    POWERCUT_TRY(made, definition(session, statement.table));
    changes[statement.table] = std::nullopt;
  }
  if (statement.kind == Kind::kAlterTable) {
    POWERCUT_TRY(made, altered(std::move(made), statement.alteration));
  }
  if (statement.kind != Kind::kDropTable) changes[made.schema.name] = made;
  if (!in_transaction_) book_.in_doubt = changes;
  Result<void> done = statement.kind == Kind::kCreateTable ? session.create_table(made.schema)
                      : statement.kind == Kind::kDropTable ? session.drop_table(statement.table)
                                                           : session.alter_table(statement.table, made.schema);
  // What the power has interrupted stays in doubt.
  const bool interrupted =
      done.has_error() && (done.error().code() == ErrorCode::kIo || done.error().code() == ErrorCode::kStopped);
  if (!in_transaction_ && !interrupted) book_.in_doubt.clear();
  POWERCUT_TRYV(std::move(done));
  if (statement.kind != Kind::kDropTable) book_.newest[made.schema.name] = made;
  if (!in_transaction_) {
    book_.commit(changes);
    return success();
  }
  for (auto& [name, table] : changes) own_[name] = std::move(table);
  return success();
}

// Of a table that nobody has made the engine says what is wrong.
Result<TableDefinition> StatementRunner::definition(engine::Session& session, const std::string& table) const {
  if (const auto found = own_.find(table); found != own_.end() && found->second) return *found->second;
  if (!own_.contains(table)) {
    if (const auto found = book_.committed.find(table); found != book_.committed.end()) return found->second;
  }
  if (const auto found = book_.newest.find(table); found != book_.newest.end()) return found->second;
  POWERCUT_TRYV(session.scan(table, {}, {}, [](std::string_view, std::string_view) { return false; }));
  return Error(ErrorCode::kNotFound, "no table is called '" + table + "'");
}

}  // namespace powercut::properties
