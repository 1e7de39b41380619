#include "engine/ledger/latch.h"

#include <algorithm>

namespace powercut::ledger {
namespace {

class ForTurn final : public faultfs::Scheduler::Wait {
 public:
  std::string text() const override { return "its turn in the engine"; }
};

}  // namespace

// Handed over by who leaves, in the order of asking.
Result<void> Latch::wait() {
  const faultfs::FiberId self = scheduler_->current();
  waiting_.push_back(self);
  const ForTurn wait;
  while (owner_ != self) {
    if (scheduler_->park(wait) != faultfs::Scheduler::Woken::kStopped || owner_ == self) continue;
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), self));
    return Error(ErrorCode::kStopped, "everything ends while another session works in the engine");
  }
  return success();
}

Result<void> Latch::enter_again(std::uint32_t depth) {
  if (depth_ > 0) {
    POWERCUT_TRYV(wait());
  } else {
    owner_ = scheduler_->current();
  }
  depth_ = depth;
  return success();
}

void Latch::leave() {
  if (!is_mine() || --depth_ > 0 || waiting_.empty()) return;
  owner_ = waiting_.front();
  waiting_.pop_front();
  depth_ = 1;
  scheduler_->wake(owner_);
}

}  // namespace powercut::ledger
