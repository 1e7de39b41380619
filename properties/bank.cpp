// bank: money moves between accounts and is neither made nor lost. No balance may fall below zero, so some transfers fail.
#include "engine/row.h"
#include "properties/workloads.h"

namespace powercut::properties {
namespace {

constexpr std::int64_t kOpeningBalance = 100;

class Bank final : public Workload {
 public:
  Bank() : Workload({marker_schema(), {"accounts", {{"balance", engine::ColumnType::kInteger, true, false, 0}}}}) {}

  std::string_view name() const override { return "bank"; }
  std::string_view summary() const override {
    return "transfers between accounts; the total is conserved, no balance falls below zero";
  }
  bool made_at_set_up(std::uint32_t /*table*/) const override { return true; }
  std::int64_t set_up_amount(std::uint32_t /*row*/) const override { return kOpeningBalance; }
  std::uint32_t draw_count(Random& random) const override { return 2 + random.below(random.below(2) == 0 ? 8 : 63); }

  void row(std::uint32_t table, std::uint32_t /*a*/, std::int64_t amount, std::string& out) const override {
    if (table == 0) {
      engine::encode_row({}, out);
    } else {
      engine::encode_row({amount}, out);
    }
  }

  Step draw_step(Random& random, std::uint32_t count) const override {
    if (auto other = draw_other_step(random)) return *other;
    Step step;
    step.commit = random.below(8) != 0;
    const std::uint32_t operations = 1 + random.below(4);
    while (step.operations.size() < operations) {
      Operation operation;
      const std::uint32_t kind = random.below(16);
      operation.kind = kind == 0 ? OperationKind::kCheckpoint : kind == 1 ? OperationKind::kScan : OperationKind::kTransfer;
      operation.a = random.below(count);
      operation.b = random.below(count);
      operation.amount = 1 + random.below(60);
      step.operations.push_back(operation);
    }
    return step;
  }

  void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const override {
    if (table != 1) return;
    const auto balance = engine::integer_column(row, 0);
    if (!balance) {
      tally.broken = "accounts[" + std::string(key) + "] is not a balance";
      return;
    }
    if (*balance < 0) tally.broken = "accounts[" + std::string(key) + "] is below zero: " + std::to_string(*balance);
    tally.total += *balance;
    ++tally.rows;
  }

  void tally_end(Tally& tally, bool set_up, std::uint32_t count) const override {
    const std::int64_t expected = set_up ? kOpeningBalance * count : 0;
    if (!tally.broken.empty() || tally.total == expected) return;
    tally.broken = "the total balance is " + std::to_string(tally.total) + " in " + std::to_string(tally.rows) +
                   " accounts, it was " + std::to_string(expected);
  }
};

}  // namespace

const Workload& bank() {
  static const Bank kWorkload;
  return kWorkload;
}

std::optional<Step> draw_other_step(Random& random) {
  Step step;
  const std::uint32_t kind = random.below(16);
  if (kind > 2) return std::nullopt;
  step.kind = kind < 2 ? StepKind::kCheckpoint : StepKind::kReopen;
  return step;
}

}  // namespace powercut::properties
