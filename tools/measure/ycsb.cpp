#include "tools/measure/ycsb.h"

#include "faultfs/assert.h"

namespace powercut::measure {

Chooser::Chooser(Workload workload, std::uint64_t records) : workload_(workload), popular_(records) {
  if (workload == Workload::kD) latest_.emplace(records);
}

RecordOperation Chooser::next(Random& random, std::uint64_t records) {
  const auto of_hundred = [&](std::uint32_t part) { return random.below(100) < part; };
  switch (workload_) {
    case Workload::kA:
      return {of_hundred(50) ? Access::kRead : Access::kUpdate, popular_.draw(random), 0};
    case Workload::kB:
      return {of_hundred(95) ? Access::kRead : Access::kUpdate, popular_.draw(random), 0};
    case Workload::kC:
      return {Access::kRead, popular_.draw(random), 0};
    case Workload::kD:
      if (!of_hundred(95)) return {Access::kInsert, 0, 0};
      latest_->grow(records);
      return {Access::kRead, records - 1 - latest_->draw(random), 0};
    case Workload::kE:
      if (!of_hundred(95)) return {Access::kInsert, 0, 0};
      return {Access::kScan, popular_.draw(random), 1 + random.below(kMostScanned)};
    case Workload::kF:
      return {of_hundred(50) ? Access::kRead : Access::kReadModifyWrite, popular_.draw(random), 0};
    case Workload::kScan:
      return {Access::kScan, random.next() % records, kScanned};
    case Workload::kTransfer:
      break;
  }
  POWERCUT_ASSERT(false, "a transfer is no operation on records");
  return {};
}

RecordOperation Mix::next(Random& random) {
  RecordOperation operation = chooser_.next(random, records_);
  if (operation.access == Access::kInsert) operation.record = next_++;
  return operation;
}

void Mix::inserted(std::uint64_t record) {
  POWERCUT_ASSERT(record >= records_ && record < next_ && next_ - records_ <= kWindow, "inserts under way have their place");
  acknowledged_[record % kWindow] = true;
  for (; acknowledged_[records_ % kWindow]; ++records_) acknowledged_[records_ % kWindow] = false;
}

}  // namespace powercut::measure
