#include "properties/scenario_workload.h"

#include "engine/row.h"
#include "properties/recorded_session.h"
#include "properties/scenario_where.h"

#include <algorithm>
#include <map>
#include <utility>

namespace powercut::properties {
namespace {

using engine::RowEdit;
using Kind = StatementKind;

constexpr std::uint32_t kEndsTransaction = 1;  // Operation::b: if the statement fails

// A row as the database holds it: what people write, and who wrote it.
void add_tag(std::string& row, std::int64_t tag) {
  std::string encoded;
  engine::encode_row({tag}, encoded);
  row += encoded;
}

class ScenarioWorkload final : public Workload {
 public:
  struct Table {
    std::uint32_t number = 0;
    TableDefinition definition;
  };
  using Names = std::map<std::string, Table, std::less<>>;
  struct Row {
    std::uint32_t table = 0;
    WrittenRow row;
  };

  ScenarioWorkload(std::vector<engine::TableSchema> schemas, Names names, std::vector<Row> rows, std::vector<Statement> statements,
                   std::vector<SumInvariant> invariants, std::uint32_t sessions)
      : Workload(std::move(schemas)),
        names_(std::move(names)),
        rows_(std::move(rows)),
        statements_(std::move(statements)),
        invariants_(std::move(invariants)),
        sessions_(sessions) {}

  std::string_view name() const override { return "scenario"; }
  std::string_view summary() const override { return "the sessions of a scenario file"; }
  std::uint32_t sessions() const override { return sessions_; }
  bool made_at_set_up(std::uint32_t /*table*/) const override { return true; }
  std::int64_t set_up_amount(std::uint32_t /*row*/) const override { return 0; }
  std::uint32_t draw_count(Random& /*random*/) const override { return 0; }
  void row(std::uint32_t /*table*/, std::uint32_t /*a*/, std::int64_t /*amount*/, std::string& out) const override {
    engine::encode_row({}, out);
  }
  Step draw_step(Random& /*random*/, std::uint32_t /*count*/) const override { return {}; }
  bool only_reads(const Operation& operation) const override {
    if (operation.kind != OperationKind::kStatement) return Workload::only_reads(operation);
    const Kind kind = statements_[operation.a].kind;
    return kind == Kind::kRead || kind == Kind::kScan || kind == Kind::kSum;
  }
  std::string statement_text(std::uint32_t number) const override { return statements_[number].text; }
  std::uint32_t statements() const override { return static_cast<std::uint32_t>(statements_.size()); }

  Result<void> fill(RecordedSession& session, std::uint32_t /*count*/) const override {
    std::string row;
    for (const Row& each : rows_) {
      POWERCUT_TRYV(encode_values(definition(each.table).schema, each.row.values, row));
      add_tag(row, session.next_tag());
      POWERCUT_TRYV(session.insert(each.table, each.row.key, row));
    }
    return success();
  }

  Result<void> perform(RecordedSession& session, const Operation& operation) const override {
    if (operation.kind != OperationKind::kStatement) return Workload::perform(session, operation);
    auto done = execute(session, statements_[operation.a]);
    // As its file says, a statement that fails ends the transaction, or the session goes on after it.
    if (operation.b == kEndsTransaction) return done;
    if (done.has_error() && done.error().code() == ErrorCode::kTimeout) return success();
    return unless_expected(done);
  }

  void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const override {
    tally.by_row.resize(invariants_.size(), 0);
    for (std::size_t at = 0; at < invariants_.size(); ++at) {
      const Statement& sum = invariants_[at].sum;
      const Table& of = names_.find(sum.table)->second;
      if (of.number != table) continue;
      const auto where = Where::make(of.definition, sum);
      const auto column = find_column(of.definition.schema, sum.column);
      if (where.has_error() || !column || !in_range(where.value().range(), key) || !where.value().holds(key, row)) continue;
      tally.by_row[at] += engine::integer_column(row, *column).value_or(0);
    }
  }

  void tally_end(Tally& tally, bool set_up, std::uint32_t /*count*/) const override {
    if (!set_up) return;
    tally.by_row.resize(invariants_.size(), 0);
    for (std::size_t at = 0; at < invariants_.size() && tally.broken.empty(); ++at) {
      const SumInvariant& invariant = invariants_[at];
      if (tally.by_row[at] == invariant.total) continue;
      tally.broken =
          invariant.sum.text + " is " + std::to_string(tally.by_row[at]) + ", it must be " + std::to_string(invariant.total);
    }
  }

 private:
  static bool in_range(const KeyRange& range, std::string_view key) {
    return key >= range.from && (range.to.empty() || key < range.to);
  }

  const TableDefinition& definition(std::uint32_t table) const {
    return std::find_if(names_.begin(), names_.end(), [table](const auto& named) { return named.second.number == table; })
        ->second.definition;
  }

  Result<void> execute(RecordedSession& session, const Statement& statement) const {
    switch (statement.kind) {
      case Kind::kSavepoint:
        return session.savepoint(savepoint_number(statement.name));
      case Kind::kRollbackTo:
        return session.rollback_to(savepoint_number(statement.name));
      case Kind::kRelease:
        return session.release(savepoint_number(statement.name));
      default:
        break;
    }
    const Table& table = names_.find(statement.table)->second;
    const engine::TableSchema& schema = table.definition.schema;
    if (statement.kind == Kind::kRead) {
      POWERCUT_TRYV(session.get(table.number, statement.key, statement.lock));
      return success();
    }
    if (statement.kind == Kind::kInsert || statement.kind == Kind::kPut) {
      std::string row;
      POWERCUT_TRYV(encode_values(schema, statement.values, row));
      add_tag(row, session.next_tag());
      return statement.kind == Kind::kInsert ? session.insert(table.number, statement.key, row)
                                             : session.put(table.number, statement.key, row);
    }
    POWERCUT_TRY(const Where where, Where::make(table.definition, statement));
    if (statement.kind == Kind::kScan || statement.kind == Kind::kSum) {
      POWERCUT_TRYV(session.scan(table.number, where.range().from, where.range().to));
      return success();
    }
    POWERCUT_TRY(const Changes changes, Changes::make(table.definition, statement.assignments));
    const engine::RowEditor editor = [&](std::string_view key, std::string_view row, std::string& changed) {
      if (!where.holds(key, row)) return RowEdit::kKeep;
      if (statement.kind == Kind::kDelete) return RowEdit::kErase;
      changes.apply(row, changed);
      add_tag(changed, session.next_tag());
      return RowEdit::kChange;
    };
    POWERCUT_TRYV(session.edit(table.number, where.range().from, where.range().to, editor));
    return success();
  }

  // The same name, the same number.
  std::uint32_t savepoint_number(const std::string& wanted) const {
    std::uint32_t number = 0;
    for (const Statement& statement : statements_) {
      if (statement.kind == Kind::kSavepoint && statement.name == wanted) break;
      ++number;
    }
    return number;
  }

  Names names_;
  std::vector<Row> rows_;
  std::vector<Statement> statements_;
  std::vector<SumInvariant> invariants_;
  std::uint32_t sessions_;
};

class Translation {
 public:
  explicit Translation(const Scenario& scenario) : scenario_(scenario) { schemas_.push_back(marker_schema()); }

  Result<ScenarioCase> run() {
    for (const ScenarioLine& line : scenario_.lines) POWERCUT_TRYV(add(line));
    if (steps_of_.empty())
      return Error(ErrorCode::kInvalidArgument, scenario_.name + ": no session does anything that could be explored");
    ScenarioCase made;
    Step set_up;
    set_up.kind = StepKind::kSetUp;
    made.steps.push_back(set_up);
    std::uint32_t sessions = 0;
    for (Steps& steps : steps_of_) {
      // What a session leaves open is rolled back when it goes.
      if (!steps.empty() && open_[sessions]) steps.back().commit = false;
      for (Step& step : steps) {
        step.session = sessions;
        made.steps.push_back(std::move(step));
      }
      ++sessions;
    }
    made.workload =
        std::make_shared<ScenarioWorkload>(std::move(schemas_), std::move(names_), std::move(rows_), std::move(statements_),
                                           scenario_.invariants, std::max<std::uint32_t>(sessions, 2));
    return made;
  }

 private:
  Error wrong(const ScenarioLine& line, const std::string& what) const {
    return {ErrorCode::kInvalidArgument,
            scenario_.name + ":" + std::to_string(line.place.line) + ":" + std::to_string(line.place.column) + ": " + what};
  }

  Result<void> add(const ScenarioLine& line) {
    switch (line.kind) {
      case ScenarioLineKind::kSetUp:
        return set_up(line);
      case ScenarioLineKind::kSession:
        return session(line);
      case ScenarioLineKind::kCheckpoint: {
        POWERCUT_TRY(const std::size_t number, session_number(line, "the checkpoints of " + scenario_.name));
        Step step;
        step.kind = StepKind::kCheckpoint;
        steps_of_[number].push_back(step);
        return success();
      }
      case ScenarioLineKind::kCrash:
      case ScenarioLineKind::kCrashAfterSync:
      case ScenarioLineKind::kCrashBeforeSync:
      case ScenarioLineKind::kRecover:
        crashed_ = true;
        return success();
      default:
        return success();
    }
  }

  Result<void> set_up(const ScenarioLine& line) {
    for (const Statement& statement : line.statements) {
      if (statement.kind == Kind::kCreateTable) {
        ScenarioWorkload::Table table{static_cast<std::uint32_t>(schemas_.size()), statement.definition};
        engine::TableSchema schema = statement.definition.schema;
        schema.columns.push_back({"written by", engine::ColumnType::kInteger});
        schemas_.push_back(std::move(schema));
        names_.emplace(statement.table, std::move(table));
        continue;
      }
      if (!steps_of_.empty()) return wrong(line, "rows after the first session line cannot be explored");
      const auto table = names_.find(statement.table);
      if (statement.kind != Kind::kInsert || table == names_.end()) return wrong(line, "cannot be explored");
      rows_.push_back({table->second.number, {statement.key, statement.values}});
    }
    return success();
  }

  Result<std::size_t> session_number(const ScenarioLine& line, const std::string& name) {
    const auto known = std::find(sessions_.begin(), sessions_.end(), name);
    if (known != sessions_.end()) return static_cast<std::size_t>(known - sessions_.begin());
    if (sessions_.size() + 1 == Model::kMostSessions) return wrong(line, "at most 31 sessions can be explored");
    sessions_.push_back(name);
    steps_of_.emplace_back();
    open_.push_back(false);
    defaults_.push_back(engine::Isolation::kSerializable);
    return sessions_.size() - 1;
  }

  Result<void> session(const ScenarioLine& line) {
    if (crashed_) return wrong(line, "what a session does after a crash cannot be explored; every moment is tried as a crash");
    POWERCUT_TRY(const std::size_t number, session_number(line, line.session));
    for (const Statement& statement : line.statements) POWERCUT_TRYV(add(line, number, statement));
    return success();
  }

  Result<void> add(const ScenarioLine& line, std::size_t number, const Statement& statement) {
    Steps& steps = steps_of_[number];
    switch (statement.kind) {
      case Kind::kBegin:
        steps.emplace_back();
        steps.back().isolation = statement.level.value_or(defaults_[number]);
        open_[number] = true;
        return success();
      case Kind::kCommit:
      case Kind::kRollback:
        if (open_[number]) steps.back().commit = statement.kind == Kind::kCommit;
        if (open_[number] && statement.unless_failed) {
          for (Operation& operation : steps.back().operations) operation.b = kEndsTransaction;
        }
        open_[number] = false;
        return success();
      case Kind::kSetIsolation:
        defaults_[number] = statement.level.value_or(engine::Isolation::kSerializable);
        return success();
      case Kind::kSetLockLimit:
        return wrong(line, "lock limits cannot be explored");
      case Kind::kCreateTable:
      case Kind::kDropTable:
      case Kind::kAlterTable:
        return wrong(line, "changes of tables cannot be explored");
      default:
        break;
    }
    if (!names_.contains(statement.table) && !statement.table.empty())
      return wrong(line, "no table is called '" + statement.table + "'");
    if (!open_[number]) {
      steps.emplace_back();
      steps.back().isolation = defaults_[number];
    }
    Operation operation;
    operation.kind = OperationKind::kStatement;
    operation.table = 0;
    operation.a = static_cast<std::uint32_t>(statements_.size());
    steps.back().operations.push_back(operation);
    statements_.push_back(statement);
    return success();
  }

  const Scenario& scenario_;
  std::vector<engine::TableSchema> schemas_;
  ScenarioWorkload::Names names_;
  std::vector<ScenarioWorkload::Row> rows_;
  std::vector<Statement> statements_;
  std::vector<std::string> sessions_;
  std::vector<Steps> steps_of_;  // by session
  std::vector<bool> open_;
  std::vector<engine::Isolation> defaults_;
  bool crashed_ = false;
};

}  // namespace

Result<ScenarioCase> scenario_case(const Scenario& scenario) { return Translation(scenario).run(); }

}  // namespace powercut::properties
