#include "engine/ledger/latch.h"

#include <algorithm>

namespace powercut::ledger {
namespace {

class ForTurn final : public faultfs::Scheduler::Wait {
 public:
  std::string text() const override { return "its turn in the engine"; }
};

}  // namespace

Result<void> Latch::wait() {
  const faultfs::FiberId self = scheduler_->current();
  const ForTurn wait;
  while (depth_ > 0) {
    waiting_.push_back(self);
    if (scheduler_->park(wait) != faultfs::Scheduler::Woken::kStopped) continue;
    std::erase(waiting_, self);
    if (depth_ > 0) return Error(ErrorCode::kStopped, "everything ends while another session works in the engine");
  }
  owner_ = self;
  depth_ = 1;
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

// It is not handed over: then whoever leaves it would have to wait at once for its next turn, and so would all after it, for as
// long as there is somebody in line.
void Latch::wake_waiting() {
  while (!waiting_.empty()) {
    scheduler_->wake(waiting_.front());
    waiting_.pop_front();
  }
}

}  // namespace powercut::ledger
