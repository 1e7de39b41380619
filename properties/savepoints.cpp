// savepoints: transactions that take back parts of themselves, over a table with a unique column and a CHECK, so that
// some statements fail and the transaction goes on.
#include "engine/row.h"
#include "faultfs/hash.h"
#include "properties/workloads.h"

#include <algorithm>

namespace powercut::properties {
namespace {

constexpr std::int64_t kNames = 64;

class Savepoints final : public Workload {
 public:
  Savepoints()
      : Workload(
            {marker_schema(),
             {"items",
              {{"name", engine::ColumnType::kText, true, true, {}}, {"stock", engine::ColumnType::kInteger, false, false, 0}}}}) {}

  std::string_view name() const override { return "savepoints"; }
  std::string_view summary() const override {
    return "nested savepoints, statements that a unique column or a CHECK refuses, rollbacks";
  }
  bool made_at_set_up(std::uint32_t /*table*/) const override { return true; }
  std::int64_t set_up_amount(std::uint32_t row) const override { return row; }
  std::uint32_t draw_count(Random& random) const override { return random.below(24); }

  // amount % kNames is the name, the rest the stock; every eighth stock is negative.
  void row(std::uint32_t table, std::uint32_t /*a*/, std::int64_t amount, std::string& out) const override {
    if (table == 0) {
      engine::encode_row({}, out);
      return;
    }
    const std::string name = "item-" + std::to_string(amount % kNames);
    const std::int64_t stock = amount / kNames % 8 == 7 ? -1 : amount / kNames;
    engine::encode_row({std::string_view(name), stock}, out);
  }

  Step draw_step(Random& random, std::uint32_t count) const override {
    if (auto other = draw_other_step(random)) return *other;
    Step step;
    step.commit = random.below(4) != 0;
    const std::uint32_t operations = 2 + random.below(10);
    while (step.operations.size() < operations) {
      static constexpr OperationKind kKinds[] = {
          OperationKind::kPut,        OperationKind::kPut,       OperationKind::kInsert,    OperationKind::kUpdate,
          OperationKind::kErase,      OperationKind::kSavepoint, OperationKind::kSavepoint, OperationKind::kRollbackTo,
          OperationKind::kRollbackTo, OperationKind::kRelease,   OperationKind::kUpdate,    OperationKind::kGet,
          OperationKind::kPut,        OperationKind::kErase,     OperationKind::kScan,      OperationKind::kCheckpoint};
      Operation operation;
      operation.kind = kKinds[random.below(16)];
      const bool names_savepoint = operation.kind == OperationKind::kSavepoint || operation.kind == OperationKind::kRollbackTo ||
                                   operation.kind == OperationKind::kRelease;
      operation.a = random.below(names_savepoint ? 3 : count + 6);
      operation.b = operation.a + random.below(count + 6);
      operation.amount = random.below(static_cast<std::uint32_t>(kNames) * 40);
      step.operations.push_back(operation);
    }
    return step;
  }

  void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const override {
    if (table != 1) return;
    const auto stock = engine::integer_column(row, 1);
    if (stock && *stock < 0) tally.broken = "items[" + std::string(key) + "].stock is below zero: " + std::to_string(*stock);
    tally.seen.push_back(hash64(as_bytes(engine::encoded_column(row, 0))));
  }

  void tally_end(Tally& tally, bool /*set_up*/, std::uint32_t /*count*/) const override {
    std::sort(tally.seen.begin(), tally.seen.end());
    if (tally.broken.empty() && std::adjacent_find(tally.seen.begin(), tally.seen.end()) != tally.seen.end()) {
      tally.broken = "two items have the same name";
    }
  }
};

}  // namespace

const Workload& savepoints() {
  static const Savepoints kWorkload;
  return kWorkload;
}

}  // namespace powercut::properties
