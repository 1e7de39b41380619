// Fibers: many lines of execution over one thread. Which of them runs next is a pick, and time is virtual, so a whole
// interleaving is a list of numbers: drawn, recorded, replayed, enumerated and shrunk like every other choice.
//
// A fiber runs until it yields, parks or ends. yield() asks who goes on: pick 0 is the fiber itself. park() takes it out
// until somebody wakes it or its limit is over. Between these calls nothing else runs, so what lies between is atomic and
// needs no latch.
//
// Time passes only where nothing else can happen, or where a pick lets the earliest limit end early: so "the wait timed out
// just before it would have been granted" is among the interleavings.
//
// With a source of completions (real I/O) the scheduler waits there when no fiber is ready, time is the source's clock, and a
// limit ends when it is over, never by a pick. Such a run cannot be replayed.
#pragma once

#include "faultfs/choices.h"
#include "faultfs/result.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::faultfs {

using FiberId = std::uint32_t;

// What wakes fibers from outside: the completions of requests that the kernel works on. For a Scheduler.
class Completions {
 public:
  // Some request has not completed, so waiting is not for ever.
  virtual bool pending() const = 0;
  // Wakes the fibers whose requests have completed. Does not block.
  virtual void poll() = 0;
  // The same, but blocks until one completes or so many nanoseconds are over. May return early for no reason; is also called
  // with nothing pending, to sleep.
  virtual void wait(std::uint64_t nanoseconds) = 0;
  // Nanoseconds of a clock that goes on by itself and never back.
  virtual std::uint64_t clock() const = 0;

 protected:
  ~Completions() = default;
};

class Scheduler {
 public:
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  // What a parked fiber waits for; asked only when somebody wants to know.
  class Wait {
   public:
    virtual std::string text() const = 0;

   protected:
    ~Wait() = default;
  };

  enum class Woken : unsigned char {
    kWoken,
    kTimedOut,
    kStopped,  // everything ends: no more waiting
  };

  // Stacks are kept from one run to the next, each with a page below it that must not be touched.
  explicit Scheduler(std::size_t stack_bytes = kStackBytes);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  // The source must outlive the runs, or be taken away with nullptr. Not while fibers run.
  //
  // With a source, every 64th time that somebody might take over it is polled, and a fiber that yields then goes behind those
  // that are ready, whatever the picks: so neither completions nor fibers starve, even with FirstChoice.
  void set_completions(Completions* completions);
  bool has_completions() const { return completions_ != nullptr; }

  // A fiber that begins when it is first picked. Fibers are numbered from 0 in the order of spawning, anew after each run.
  FiberId spawn(std::string name, std::function<void()> body);

  // Runs until all fibers have ended, also those that they spawn. kDeadlock when some waited for ever, naming each and what
  // it waited for; they were stopped then. Not from within a fiber.
  Result<void> run(Choices& choices);

  // From a fiber: parks return kStopped from now on, those that are parked do so too, and nothing is asked any more. The
  // fibers still run to their ends.
  void stop();
  bool stopped() const { return stopped_; }

  bool in_fiber() const { return current_ != kNobody; }
  FiberId current() const { return current_; }
  // Whether a fiber beside the one that runs can go on.
  bool others_can_go_on() const { return !ready_.empty(); }
  const std::string& name(FiberId fiber) const;
  // What a fiber waits for; empty when it does not.
  std::string waits_for(FiberId fiber) const;
  bool is_parked(FiberId fiber) const;
  bool has_ended(FiberId fiber) const;

  // Nanoseconds since the run began: virtual, or of the clock of the completions.
  std::uint64_t now() const { return completions_ == nullptr ? now_ : completions_->clock() - began_; }

  // Says what the running fiber works on besides its stack, until it says otherwise: the processor's caches are asked for it
  // before the fiber's turn comes. One object of whoever spawned it, one of what it calls.
  enum class Whose : unsigned char { kSpawner, kCallee };
  void works_on(Whose whose, const void* object, std::size_t bytes);

  // Lets another fiber go on, if a pick says so. `where` is for people who read the picks.
  void yield(std::string_view where);
  // Waits until woken, or for so many nanoseconds of now(). `wait` must live until it returns.
  Woken park(const Wait& wait, std::uint64_t limit = kNoLimit);
  // The fiber can go on; no effect unless it is parked. It runs when it is picked.
  void wake(FiberId fiber);

 private:
  struct Fiber;
  struct Stack;
  class StackOfPool;
  static constexpr FiberId kNobody = std::numeric_limits<FiberId>::max();
  static constexpr std::size_t kStackBytes = std::size_t{256} << 10U;
  static constexpr std::uint32_t kTurnsPerPoll = 64;

  FiberId choose(bool current_can_go_on, std::string_view where);
  void time_out(FiberId fiber);
  void end_limits();
  void wait_for_completions();
  FiberId take_ready(std::size_t at);
  void limit_wait(Fiber& self, std::uint64_t limit);
  void switch_to(FiberId next);
  void fetch_ahead();
  void arrived(FiberId here);
  void report_stall();
  Fiber& at(FiberId id) { return *fibers_[id]; }

  std::size_t stack_bytes_;
  std::vector<Stack> free_stacks_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::unique_ptr<Fiber> main_;
  std::deque<FiberId> ready_;                           // can go on, but do not run; the longest waiting first
  std::set<std::pair<std::uint64_t, FiberId>> limits_;  // of the parked that have one
  Choices* choices_ = nullptr;
  Completions* completions_ = nullptr;
  std::uint32_t turns_ = 0;  // since the completions were polled
  std::uint64_t began_ = 0;  // by their clock
  FiberId current_ = kNobody;
  FiberId left_ = kNobody;   // the fiber that ended last, whose stack is free when the next has arrived
  std::uint64_t now_ = 0;    // without completions
  std::size_t running_ = 0;  // fibers that have not ended
  bool stopped_ = false;
  std::string stall_;
};

}  // namespace powercut::faultfs
