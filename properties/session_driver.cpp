#include "properties/session_driver.h"

#include "engine/row.h"

#include <algorithm>
#include <utility>

namespace powercut::properties {
namespace {

// An answer of get() and its kind, which may also carry a value, reduced to whether it failed and how.
template <class T>
Result<void> outcome_of(const Result<T>& result) {
  if (result.has_value()) return success();
  return result.error();
}

}  // namespace

bool is_disk_failure(ErrorCode code) {
  return code == ErrorCode::kIo || code == ErrorCode::kNoSpace || code == ErrorCode::kStopped || code == ErrorCode::kCorrupt;
}

std::optional<Violation> SessionDriver::run(engine::Database& database, engine::Session& session, const Step& step) {
  violation_.reset();
  savepoints_.clear();
  failed_ = false;
  stopped_ = false;
  transaction(database, session, step);
  if (failed_ && !violation_) take_back(session);
  return std::move(violation_);
}

void SessionDriver::transaction(engine::Database& database, engine::Session& session, const Step& step) {
  if (!agree(session.begin(), {}, "begin")) return;
  const bool marker_first = step.kind != StepKind::kSetUp && model_.transaction() % 2 == 1;
  if (step.kind == StepKind::kSetUp) {
    set_up(session, step);
  } else if (marker_first) {
    write_marker(session);
  }
  for (const Operation& operation : step.operations) {
    if (over()) return;
    operate(database, session, operation);
  }
  if (!over() && !marker_first) write_marker(session);
  if (over()) return;

  if (hook_) hook_(step.commit ? "before commit" : "before rollback");
  if (step.commit) {
    model_.commit_called();
    if (!agree(session.commit(), {}, "commit")) return;
    model_.acknowledged();
  } else {
    if (!agree(session.rollback(), {}, "rollback")) return;
    model_.rolled_back();
  }
  if (hook_) hook_(step.commit ? "after commit returned" : "after rollback returned");
}

// A rollback that succeeds settles what a failed statement, or a failed commit, left open.
void SessionDriver::take_back(engine::Session& session) {
  auto answer = session.rollback();
  if (answer.has_error() && answer.error().code() == ErrorCode::kNoSpace) {
    failures_.free_space();
    answer = session.rollback();
    // An engine may have taken it upon itself to finish the rollback. A commit in doubt stays so until then.
    const bool finishes_itself = answer.has_error() && answer.error().code() == ErrorCode::kInvalidArgument;
    if (finishes_itself && model_.promise() == Promise::kInDoubt) {
      stopped_ = true;
      return;
    }
    if (answer.has_error() && !finishes_itself) {
      fail(Oracle::kAlive,
           "the disk has space again, but the transaction that it failed cannot be rolled back: " + answer.error().message());
      return;
    }
    answer = success();
  }
  if (answer.has_value()) {
    model_.rolled_back();
  } else {
    stopped_ = true;
  }
}

Result<bool> SessionDriver::in_doubt_is_there(engine::Session& session) {
  if (model_.promise() != Promise::kInDoubt) return false;
  marker_key(model_.transaction(), key_);
  const auto there = session.get(workload_.tables()[0].name, key_, row_);
  if (there.has_error() && there.error().code() == ErrorCode::kNotFound) return false;
  return there;
}

void SessionDriver::set_up(engine::Session& session, const Step& step) {
  for (std::uint32_t table = 0; table < workload_.tables().size(); ++table) {
    if (!workload_.made_at_set_up(table)) continue;
    const auto& schema = workload_.tables()[table];
    if (!agree(session.create_table(schema), {}, "create table " + schema.name)) return;
    model_.create_table(table);
  }
  for (std::uint32_t row = 0; row < step.count; ++row) {
    Workload::key(row, key_);
    workload_.row(1, row, workload_.set_up_amount(row), row_);
    if (!agree(session.insert(workload_.tables()[1].name, key_, row_), {}, "insert of the set-up")) return;
    model_.put(1, key_, row_);
  }
}

void SessionDriver::write_marker(engine::Session& session) {
  marker_key(model_.transaction(), key_);
  engine::encode_row({}, row_);
  if (!agree(session.insert(workload_.tables()[0].name, key_, row_), {}, "insert of the marker")) return;
  model_.put(0, key_, row_);
}

void SessionDriver::operate(engine::Database& database, engine::Session& session, const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::kTransfer:
      return transfer(session, operation);
    case OperationKind::kInsert:
    case OperationKind::kUpdate:
    case OperationKind::kPut:
    case OperationKind::kErase:
      return write(session, operation);
    case OperationKind::kGet:
      return get(session, operation);
    case OperationKind::kScan:
      return scan(session, operation);
    case OperationKind::kSavepoint:
    case OperationKind::kRollbackTo:
    case OperationKind::kRelease:
      return savepoint(session, operation);
    case OperationKind::kCheckpoint: {
      const auto answer = database.checkpoint();
      if (answer.has_error() && answer.error().code() == ErrorCode::kUnsupported) return;
      agree(answer, {}, about(operation));
      return;
    }
    case OperationKind::kCreateTable: {
      const bool exists = model_.working().tables[operation.table].exists;
      const Expected expected = exists ? Expected(ErrorCode::kAlreadyExists) : Expected();
      if (agree(session.create_table(workload_.tables()[operation.table]), expected, about(operation))) {
        model_.create_table(operation.table);
      }
      return;
    }
    case OperationKind::kDropTable: {
      const bool exists = model_.working().tables[operation.table].exists;
      const Expected expected = exists ? Expected() : Expected(ErrorCode::kNotFound);
      if (agree(session.drop_table(workload_.tables()[operation.table].name), expected, about(operation))) {
        model_.drop_table(operation.table);
      }
      return;
    }
    default:
      return fail(Oracle::kAlive, "one session alone has no operation " + std::string(to_string(operation.kind)));
  }
}

void SessionDriver::transfer(engine::Session& session, const Operation& operation) {
  if (operation.a == operation.b) return;
  const auto& accounts = model_.working().tables[operation.table];
  Workload::key(operation.a, key_);
  Workload::key(operation.b, other_key_);
  const ModelRow* from = accounts.find(key_);
  const ModelRow* to = accounts.find(other_key_);
  if (from == nullptr || to == nullptr) return;
  const std::string& table = workload_.tables()[operation.table].name;
  const std::int64_t left = engine::integer_column(from->row, 0).value_or(0) - operation.amount;
  const std::int64_t more = engine::integer_column(to->row, 0).value_or(0) + operation.amount;
  engine::encode_row({left}, row_);
  const Expected expected = left < 0 ? Expected(ErrorCode::kConstraint) : Expected();
  if (!agree(session.update(table, key_, row_), expected, about(operation))) return;
  model_.put(operation.table, key_, row_);
  engine::encode_row({more}, row_);
  if (!agree(session.update(table, other_key_, row_), {}, about(operation))) return;
  model_.put(operation.table, other_key_, row_);
}

SessionDriver::Expected SessionDriver::constraint(std::uint32_t table, std::string_view key, std::string_view row) const {
  const auto& columns = workload_.tables()[table].columns;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    if (columns[column].at_least) {
      const auto value = engine::integer_column(row, column);
      if (value && *value < *columns[column].at_least) return ErrorCode::kConstraint;
    }
    if (!columns[column].unique) continue;
    const std::string_view value = engine::encoded_column(row, column);
    if (engine::is_null(value)) continue;
    for (const ModelRow& other : model_.working().tables[table].rows) {
      if (other.key != key && engine::encoded_column(other.row, column) == value) return ErrorCode::kConstraint;
    }
  }
  return {};
}

void SessionDriver::write(engine::Session& session, const Operation& operation) {
  const ModelTable& table = model_.working().tables[operation.table];
  const std::string& name = workload_.tables()[operation.table].name;
  Workload::key(operation.a, key_);
  const bool there = table.exists && table.find(key_) != nullptr;
  if (operation.kind == OperationKind::kErase) {
    const Expected expected = there ? Expected() : Expected(ErrorCode::kNotFound);
    if (agree(session.erase(name, key_), expected, about(operation))) model_.erase(operation.table, key_);
    return;
  }
  workload_.row(operation.table, operation.a, operation.amount, row_);
  Expected expected;
  if (!table.exists || (operation.kind == OperationKind::kUpdate && !there)) {
    expected = ErrorCode::kNotFound;
  } else if (operation.kind == OperationKind::kInsert && there) {
    expected = ErrorCode::kAlreadyExists;
  } else {
    expected = constraint(operation.table, key_, row_);
  }
  const auto answer = operation.kind == OperationKind::kInsert   ? session.insert(name, key_, row_)
                      : operation.kind == OperationKind::kUpdate ? session.update(name, key_, row_)
                                                                 : session.put(name, key_, row_);
  if (agree(answer, expected, about(operation))) model_.put(operation.table, key_, row_);
}

void SessionDriver::get(engine::Session& session, const Operation& operation) {
  const ModelTable& table = model_.working().tables[operation.table];
  Workload::key(operation.a, key_);
  const auto answer = session.get(workload_.tables()[operation.table].name, key_, found_);
  if (!agree(outcome_of(answer), table.exists ? Expected() : Expected(ErrorCode::kNotFound), about(operation))) return;
  const ModelRow* expected = table.find(key_);
  if (answer.value() == (expected != nullptr) && (expected == nullptr || expected->row == found_)) return;
  const auto& columns = workload_.tables()[operation.table].columns;
  fail(Oracle::kOrdered, about(operation) + " answered " + (answer.value() ? engine::row_text(columns, found_) : "nothing") +
                             ", expected " + (expected != nullptr ? engine::row_text(columns, expected->row) : "nothing"));
}

void SessionDriver::scan(engine::Session& session, const Operation& operation) {
  const ModelTable& table = model_.working().tables[operation.table];
  Workload::key(operation.a, key_);
  Workload::key(operation.b, other_key_);
  std::size_t at = table.lower_bound(key_);
  const std::size_t end = std::max(at, table.lower_bound(other_key_));
  bool same = true;
  const auto answer =
      session.scan(workload_.tables()[operation.table].name, key_, other_key_, [&](std::string_view key, std::string_view row) {
        same = same && at < end && table.rows[at].key == key && table.rows[at].row == row;
        ++at;
        return true;
      });
  if (!agree(answer, table.exists ? Expected() : Expected(ErrorCode::kNotFound), about(operation))) return;
  if (!same || at != end) fail(Oracle::kOrdered, about(operation) + " did not give the rows that were written");
}

void SessionDriver::savepoint(engine::Session& session, const Operation& operation) {
  const std::string name = "s" + std::to_string(operation.a);
  if (operation.kind == OperationKind::kSavepoint) {
    if (agree(session.savepoint(name), {}, about(operation))) savepoints_.push_back({operation.a, model_.mark()});
    return;
  }
  std::size_t at = savepoints_.size();
  while (at > 0 && savepoints_[at - 1].number != operation.a) --at;
  const Expected expected = at == 0 ? Expected(ErrorCode::kNotFound) : Expected();
  if (operation.kind == OperationKind::kRollbackTo) {
    if (!agree(session.rollback_to(name), expected, about(operation))) return;
    model_.undo_to(savepoints_[at - 1].mark);
    savepoints_.resize(at);
  } else {
    if (!agree(session.release(name), expected, about(operation))) return;
    savepoints_.resize(at - 1);
  }
}

bool SessionDriver::agree(const Result<void>& answer, Expected expected, std::string_view what) {
  if (answer.has_value()) {
    if (expected) fail(Oracle::kOrdered, std::string(what) + " succeeded, expected '" + std::string(to_string(*expected)) + "'");
    return !expected;
  }
  if (expected && answer.error().code() == *expected) return false;
  if (failures_.expected && is_disk_failure(answer.error().code()) && failures_.expected()) {
    failed_ = true;
    return false;
  }
  fail(expected ? Oracle::kOrdered : Oracle::kAlive, std::string(what) + " failed with the power on: " + answer.error().message());
  return false;
}

void SessionDriver::fail(Oracle oracle, std::string summary) {
  if (!violation_) violation_ = Violation{oracle, std::move(summary), {}};
}

std::string SessionDriver::about(const Operation& operation) const { return describe(workload_, operation); }

}  // namespace powercut::properties
