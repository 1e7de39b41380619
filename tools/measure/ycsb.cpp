#include "tools/measure/ycsb.h"

#include "faultfs/assert.h"

namespace powercut::measure {

Mix::Mix(Workload workload, std::uint64_t records)
    : workload_(workload), records_(records), next_(records), acknowledged_(kWindow), popular_(records), latest_(records) {}

Operation Mix::next(Random& random) {
  const auto of_hundred = [&](std::uint32_t part) { return random.below(100) < part; };
  const auto insert = [&]() -> Operation { return {Access::kInsert, next_++, 0}; };
  switch (workload_) {
    case Workload::kA:
      return {of_hundred(50) ? Access::kRead : Access::kUpdate, popular(random), 0};
    case Workload::kB:
      return {of_hundred(95) ? Access::kRead : Access::kUpdate, popular(random), 0};
    case Workload::kC:
      return {Access::kRead, popular(random), 0};
    case Workload::kD:
      if (of_hundred(95)) return {Access::kRead, latest(random), 0};
      return insert();
    case Workload::kE:
      if (of_hundred(95)) return {Access::kScan, popular(random), 1 + random.below(kMostScanned)};
      return insert();
    case Workload::kF:
      return {of_hundred(50) ? Access::kRead : Access::kReadModifyWrite, popular(random), 0};
    case Workload::kScan:
      return {Access::kScan, random.next() % next_, kScanned};
    case Workload::kTransfer:
      break;
  }
  POWERCUT_ASSERT(false, "a transfer is no operation on records");
  return {};
}

void Mix::inserted(std::uint64_t record) {
  POWERCUT_ASSERT(record >= records_ && record < next_ && next_ - records_ <= kWindow, "inserts under way have their place");
  acknowledged_[record % kWindow] = true;
  for (; acknowledged_[records_ % kWindow]; ++records_) acknowledged_[records_ % kWindow] = false;
  latest_.grow(records_);
}

}  // namespace powercut::measure
