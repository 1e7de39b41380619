// ddl: tables are made, altered and dropped in transactions that change rows too, and that may be rolled back, while other sessions
// use the same tables or make them as well. Every row names its key, so a row in the wrong place shows.
#include "engine/row.h"
#include "properties/recorded_session.h"
#include "properties/workloads.h"

namespace powercut::properties {
namespace {

constexpr std::uint32_t kFirst = 2;  // these two come and go, the table before them stays
constexpr std::uint32_t kSecond = 3;
constexpr std::uint32_t kTables = 4;  // with the markers

engine::TableSchema table_called(std::string name) {
  return {std::move(name), {{"key", engine::ColumnType::kInteger, true}, {"writer", engine::ColumnType::kInteger, true}}};
}

class Ddl final : public Workload {
 public:
  Ddl() : Workload({marker_schema(), table_called("kept"), table_called("first"), table_called("second")}) {}

  std::string_view name() const override { return "ddl"; }
  std::string_view summary() const override {
    return "2 or 3 sessions side by side: tables come, change and go in transactions that change rows too";
  }
  std::uint32_t sessions() const override { return 3; }
  bool made_at_set_up(std::uint32_t table) const override { return table <= 1; }
  std::int64_t set_up_amount(std::uint32_t /*row*/) const override { return 0; }
  std::uint32_t draw_count(Random& random) const override { return random.below(random.below(4) == 0 ? 40 : 4); }

  void row(std::uint32_t table, std::uint32_t a, std::int64_t amount, std::string& out) const override {
    if (table == 0) {
      engine::encode_row({}, out);
    } else {
      engine::encode_row({std::int64_t{a}, amount}, out);
    }
  }

  Result<void> fill(RecordedSession& session, std::uint32_t count) const override {
    for (std::uint32_t number = 0; number < count; ++number) {
      POWERCUT_TRYV(write(session, {OperationKind::kInsert, 1, number, 0, 0}));
    }
    return success();
  }

  Step draw_step(Random& random, std::uint32_t count) const override {
    if (auto other = draw_other_step(random)) return *other;
    Step step;
    step.commit = random.below(3) != 0;
    const std::uint32_t operations = 1 + random.below(6);
    while (step.operations.size() < operations) step.operations.push_back(draw_operation(random, count));
    return step;
  }

  Result<void> perform(RecordedSession& session, const Operation& operation) const override {
    switch (operation.kind) {
      case OperationKind::kInsert:
      case OperationKind::kUpdate:
      case OperationKind::kPut:
        return unless_expected(write(session, operation));
      case OperationKind::kAlterTable:
        return unless_expected(alter(session, operation));
      default:
        return Workload::perform(session, operation);
    }
  }

  void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const override {
    if (table == 0 || engine::integer_column(row, 0) == number_of(key)) return;
    tally.broken = tables()[table].name + "[" + std::string(key) +
                   "] holds the row of another key: " + engine::row_text(tables()[table].columns, row);
  }

  void tally_end(Tally& /*tally*/, bool /*set_up*/, std::uint32_t /*count*/) const override {}

 private:
  // What a table is altered to. A row meets its constraints or the statement fails.
  enum Form : std::uint32_t { kPlain, kUniqueWriter, kCheckedKey, kOtherName, kForms };

  static Operation draw_operation(Random& random, std::uint32_t count) {
    using Kind = OperationKind;
    static constexpr Kind kKinds[] = {
        Kind::kPut,         Kind::kPut,        Kind::kInsert,    Kind::kInsert,      Kind::kUpdate,      Kind::kErase,
        Kind::kGet,         Kind::kScan,       Kind::kScan,      Kind::kCreateTable, Kind::kCreateTable, Kind::kCreateTable,
        Kind::kCreateTable, Kind::kDropTable,  Kind::kDropTable, Kind::kAlterTable,  Kind::kAlterTable,  Kind::kAlterTable,
        Kind::kSavepoint,   Kind::kRollbackTo, Kind::kCheckpoint};
    Operation operation;
    operation.kind = kKinds[random.below(static_cast<std::uint32_t>(std::size(kKinds)))];
    operation.table = 1 + random.below(kTables - 1);
    operation.a = random.below(count + 4);
    operation.b = operation.a + 1 + random.below(count + 4);
    if (operation.kind == Kind::kCreateTable || operation.kind == Kind::kDropTable)
      operation.table = kFirst + random.below(kTables - kFirst);
    if (operation.kind == Kind::kAlterTable) operation.a = random.below(kForms);
    if (operation.kind == Kind::kSavepoint || operation.kind == Kind::kRollbackTo) operation.a = random.below(2);
    return operation;
  }

  // Only the tables that come and go have other names, each other's.
  Result<void> alter(RecordedSession& session, const Operation& operation) const {
    const std::uint32_t form = operation.a % kForms;
    const std::uint32_t becomes =
        form != kOtherName || operation.table < kFirst ? operation.table : kFirst + kSecond - operation.table;
    engine::TableSchema schema = table_called(tables()[becomes].name);
    if (form == kCheckedKey) schema.columns[0].at_least = 2;
    if (form == kUniqueWriter) schema.columns[1].unique = true;
    return session.alter_table(operation.table, becomes, schema);
  }

  Result<void> write(RecordedSession& session, const Operation& operation) const {
    std::string key_of_row;
    std::string row_of_row;
    key(operation.a, key_of_row);
    row(operation.table, operation.a, session.next_tag(), row_of_row);
    if (operation.kind == OperationKind::kInsert) return session.insert(operation.table, key_of_row, row_of_row);
    if (operation.kind == OperationKind::kUpdate) return session.update(operation.table, key_of_row, row_of_row);
    return session.put(operation.table, key_of_row, row_of_row);
  }
};

}  // namespace

const Workload& ddl() {
  static const Ddl kWorkload;
  return kWorkload;
}

}  // namespace powercut::properties
