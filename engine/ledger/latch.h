// Who works in the engine: one fiber at a time, from the begin of a statement to its end.
//
// Where nothing but yields and parks lets others run, this costs two comparisons. It matters where I/O suspends a fiber: then
// what a statement has seen of the pages stays true until it opens the latch, and it does that only where it waits and can
// look again: for a lock, for the log, for a page.
//
// I/O itself needs no latch: whoever does it changes what is shared in one go before and after.
#pragma once

#include "faultfs/result.h"
#include "faultfs/scheduler.h"

#include <cstdint>
#include <deque>
#include <utility>

namespace powercut::ledger {

class Latch {
 public:
  // `scheduler` may be null: there are no others then.
  explicit Latch(faultfs::Scheduler* scheduler) : scheduler_(scheduler) {}
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  // Of the fiber that made it; within another of the same fiber it does nothing.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : latch_(std::exchange(other.latch_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (latch_ != nullptr) latch_->leave();
    }

   private:
    friend class Latch;
    explicit Turn(Latch* latch) : latch_(latch) {}
    Latch* latch_;
  };

  // Waits until it is free; of those who wait, the first that runs then has it. kStopped when the scheduler ends everything while
  // somebody else is inside.
  Result<Turn> enter() {
    if (scheduler_ == nullptr || !scheduler_->in_fiber()) return Turn(nullptr);
    if (depth_ == 0) {
      owner_ = scheduler_->current();
      depth_ = 1;
    } else if (owner_ == scheduler_->current()) {
      ++depth_;
    } else {
      POWERCUT_TRYV(wait());
    }
    return Turn(this);
  }

  // Runs `wait` while others may enter; kStopped as of enter(). Others change everything but what is locked or pinned.
  template <class Wait>
  auto opened(Wait&& wait) -> decltype(wait()) {
    if (!is_mine() || kept_closed_ > 0) return wait();
    const std::uint32_t depth = std::exchange(depth_, 1);
    leave();
    auto result = wait();
    // One that was stopped in between has nothing more to leave.
    POWERCUT_TRYV(enter_again(depth));
    return result;
  }
  // Whether opened() opens it.
  bool may_open() const { return is_mine() && kept_closed_ == 0; }

  // Keeps it closed while it lives: what is done then is one step for everybody else, whatever it waits for.
  class Closed {
   public:
    explicit Closed(Latch& latch) : latch_(latch) { ++latch_.kept_closed_; }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;
    ~Closed() { --latch_.kept_closed_; }

   private:
    Latch& latch_;
  };

 private:
  bool is_mine() const { return depth_ > 0 && owner_ == scheduler_->current(); }
  // Until it is this fiber's, at depth 1.
  Result<void> wait();
  Result<void> enter_again(std::uint32_t depth);
  void leave() {
    if (is_mine() && --depth_ == 0 && !waiting_.empty()) wake_waiting();
  }
  void wake_waiting();

  faultfs::Scheduler* scheduler_;
  std::uint32_t depth_ = 0;  // of nested turns; 0: nobody is inside
  std::uint32_t kept_closed_ = 0;
  faultfs::FiberId owner_ = 0;
  std::deque<faultfs::FiberId> waiting_;
};

}  // namespace powercut::ledger
