// kv: random reads, writes, scans and deletes of rows of many sizes, in one table that is always there and two that come
// and go. Every value names its key, so a row in the wrong place shows.
#include "engine/row.h"
#include "properties/workloads.h"

namespace powercut::properties {
namespace {

constexpr std::int64_t kSizes = 1024;  // amount % kSizes gives the length

class KeyValue final : public Workload {
 public:
  KeyValue()
      : Workload({marker_schema(),
                  {"kv", {{"value", engine::ColumnType::kText, true, false, {}}}},
                  {"more", {{"value", engine::ColumnType::kText, true, false, {}}}},
                  {"spare", {{"value", engine::ColumnType::kText, true, false, {}}}}}) {}

  std::string_view name() const override { return "kv"; }
  std::string_view summary() const override { return "random reads, writes, scans and deletes; tables come and go"; }
  bool made_at_set_up(std::uint32_t table) const override { return table <= 1; }
  std::int64_t set_up_amount(std::uint32_t row) const override { return row * 37 % kSizes; }
  std::uint32_t draw_count(Random& random) const override { return random.below(random.below(2) == 0 ? 8 : 64); }

  void row(std::uint32_t table, std::uint32_t a, std::int64_t amount, std::string& out) const override {
    if (table == 0) {
      engine::encode_row({}, out);
      return;
    }
    std::string value;
    key(a, value);
    value += ":" + std::to_string(amount) + ":";
    const auto length = static_cast<std::size_t>(std::min<std::int64_t>(amount % kSizes, 900));
    while (value.size() < length) value += static_cast<char>('a' + (static_cast<std::size_t>(amount) + value.size() / 7) % 26);
    engine::encode_row({std::string_view(value)}, out);
  }

  Step draw_step(Random& random, std::uint32_t count) const override {
    if (auto other = draw_other_step(random)) return *other;
    Step step;
    step.commit = random.below(6) != 0;
    const std::uint32_t keys = count + 8;
    const std::uint32_t operations = 1 + random.below(random.below(8) == 0 ? 24 : 6);
    while (step.operations.size() < operations) step.operations.push_back(draw_operation(random, keys));
    return step;
  }

  void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const override {
    if (table == 0) return;
    const auto value = engine::text_column(row, 0);
    if (value && value->starts_with(key) && value->substr(key.size()).starts_with(":")) return;
    tally.broken = tables()[table].name + "[" + std::string(key) +
                   "] holds the value of another key: " + engine::row_text(tables()[table].columns, row);
  }

  void tally_end(Tally& /*tally*/, bool /*set_up*/, std::uint32_t /*count*/) const override {}

 private:
  static Operation draw_operation(Random& random, std::uint32_t keys) {
    static constexpr OperationKind kKinds[] = {
        OperationKind::kPut,    OperationKind::kPut, OperationKind::kPut,   OperationKind::kInsert,
        OperationKind::kUpdate, OperationKind::kGet, OperationKind::kErase, OperationKind::kErase,
        OperationKind::kErase,  OperationKind::kPut, OperationKind::kPut,   OperationKind::kUpdate,
        OperationKind::kScan,   OperationKind::kPut, OperationKind::kErase, OperationKind::kInsert};
    Operation operation;
    operation.kind = kKinds[random.below(16)];
    operation.table = random.below(4) != 0 ? 1 : 2 + random.below(2);
    operation.a = random.below(keys);
    operation.b = operation.a + random.below(keys);
    // Mostly short values; long ones split pages.
    operation.amount = random.below(random.below(3) == 0 ? 1024 : 64) + 1024 * static_cast<std::int64_t>(random.below(100));
    const std::uint32_t rare = random.below(20);
    if (rare == 0) operation.kind = OperationKind::kCheckpoint;
    if (operation.table >= 2 && rare >= 14) operation.kind = rare < 18 ? OperationKind::kCreateTable : OperationKind::kDropTable;
    return operation;
  }
};

}  // namespace

const Workload& kv() {
  static const KeyValue kWorkload;
  return kWorkload;
}

}  // namespace powercut::properties
