// Something that one fiber does at a time, and that others wait for. Where I/O suspends nobody, nobody ever finds it under way.
#pragma once

#include "faultfs/assert.h"
#include "faultfs/scheduler.h"

#include <string_view>
#include <utility>
#include <vector>

namespace powercut::ledger {

class Busy {
 public:
  // `what`: what is waited for, for people.
  Busy(faultfs::Scheduler* scheduler, std::string_view what) : scheduler_(scheduler), what_(what) {}
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

  bool under_way() const { return under_way_; }

  // While it lives it is under way.
  class Doing {
   public:
    explicit Doing(Busy& busy) : busy_(busy) { busy_.under_way_ = true; }
    Doing(const Doing&) = delete;
    Doing& operator=(const Doing&) = delete;
    ~Doing() {
      busy_.under_way_ = false;
      for (const faultfs::FiberId fiber : std::exchange(busy_.waiting_, {})) busy_.scheduler_->wake(fiber);
    }

   private:
    Busy& busy_;
  };

  // Until nobody does it. kStopped when the scheduler ends everything.
  Result<void> wait() {
    if (!under_way_) return success();
    return wait_long();
  }

 private:
  class Text final : public faultfs::Scheduler::Wait {
   public:
    explicit Text(std::string_view what) : what_(what) {}
    std::string text() const override { return std::string(what_); }

   private:
    std::string_view what_;
  };

  Result<void> wait_long() {
    POWERCUT_ASSERT(scheduler_ != nullptr && scheduler_->in_fiber(), "only fibers find each other at work");
    const Text text(what_);
    while (under_way_) {
      waiting_.push_back(scheduler_->current());
      if (scheduler_->park(text) == faultfs::Scheduler::Woken::kStopped) {
        std::erase(waiting_, scheduler_->current());
        if (under_way_) return Error(ErrorCode::kStopped, "everything ends during " + std::string(what_));
      }
    }
    return success();
  }

  faultfs::Scheduler* scheduler_;
  std::string_view what_;
  bool under_way_ = false;
  std::vector<faultfs::FiberId> waiting_;
};

}  // namespace powercut::ledger
