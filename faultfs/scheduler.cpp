#include "faultfs/scheduler.h"

#include "faultfs/assert.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/context/fiber.hpp>
#include <boost/context/stack_context.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

// AddressSanitizer must be told of each switch, or it takes one stack for another.
#if defined(__SANITIZE_ADDRESS__)
#define POWERCUT_ASAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POWERCUT_ASAN_FIBERS 1
#endif
#endif
#ifdef POWERCUT_ASAN_FIBERS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace powercut::faultfs {
namespace {

using Context = boost::context::fiber;
using boost::context::stack_context;

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

// Of a stack, about the frame in which its fiber waits.
constexpr std::ptrdiff_t kLineBytes = 64;
constexpr std::ptrdiff_t kFetchedBelow = 4 * kLineBytes;
constexpr std::ptrdiff_t kFetchedAbove = 16 * kLineBytes;
constexpr std::size_t kMostWorkedOn = 1024;

#ifdef POWERCUT_ASAN_FIBERS
constexpr std::size_t kStackFactor = 4;  // its redzones make frames larger
#else
constexpr std::size_t kStackFactor = 1;
#endif

}  // namespace

struct Scheduler::Stack {
  void* memory = nullptr;  // the untouchable page first
  std::size_t bytes = 0;   // of all
};

struct alignas(kLineBytes) Scheduler::Fiber {
  // What each switch needs, in one line of the caches.
  Context context;
  const char* frame = nullptr;  // where its stack ended when it was left; at first, where it begins
  const Wait* wait = nullptr;   // parked on it
  std::uint64_t limit = kNoLimit;
  std::array<const char*, 2> works_on{};
  std::array<std::uint16_t, 2> works_on_bytes{};
  Woken woken = Woken::kWoken;
  bool ended = false;
  std::string name;
  std::function<void()> body;
  Stack stack;
#ifdef POWERCUT_ASAN_FIBERS
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  std::size_t size = 0;
#endif
};

// Gives Boost.Context a stack that the scheduler owns.
class Scheduler::StackOfPool {
 public:
  StackOfPool(const Stack& stack, FiberId id) : stack_(stack), unused_(id % kColours * kColourBytes) {}
  stack_context allocate() const {
    stack_context context;
    context.size = stack_.bytes - page_bytes() - unused_;
    context.sp = static_cast<char*>(stack_.memory) + stack_.bytes - unused_;
    return context;
  }
  void deallocate(stack_context& /*context*/) const noexcept {}

 private:
  // Stacks begin at different places of a page, or the processor's caches would keep the same few lines for all; but not so far
  // down that the few frames of a fiber that waits would lie in two pages.
  static constexpr std::size_t kColours = 8;
  static constexpr std::size_t kColourBytes = 256;

  Stack stack_;
  std::size_t unused_;
};

Scheduler::Scheduler(std::size_t stack_bytes) : stack_bytes_(stack_bytes * kStackFactor), main_(std::make_unique<Fiber>()) {}

Scheduler::~Scheduler() {
  POWERCUT_ASSERT(running_ == 0, "a scheduler ends after its fibers");
  fibers_.clear();
  for (const Stack& stack : free_stacks_) {
#ifdef POWERCUT_ASAN_FIBERS
    // What is mapped there next must not inherit what the frames of the fibers left.
    __asan_unpoison_memory_region(stack.memory, stack.bytes);
#endif
    munmap(stack.memory, stack.bytes);
  }
}

const std::string& Scheduler::name(FiberId id) const { return fibers_[id]->name; }

std::string Scheduler::waits_for(FiberId id) const { return is_parked(id) ? fibers_[id]->wait->text() : std::string(); }

bool Scheduler::is_parked(FiberId id) const { return fibers_[id]->wait != nullptr; }

bool Scheduler::has_ended(FiberId id) const { return fibers_[id]->ended; }

void Scheduler::set_completions(Completions* completions) {
  POWERCUT_ASSERT(choices_ == nullptr, "time does not change its meaning while fibers run");
  completions_ = completions;
  if (completions_ != nullptr) began_ = completions_->clock();
}

FiberId Scheduler::spawn(std::string name, std::function<void()> body) {
  const auto id = static_cast<FiberId>(fibers_.size());
  auto made = std::make_unique<Fiber>();
  made->name = std::move(name);
  made->body = std::move(body);
  if (free_stacks_.empty()) {
    Stack stack;
    stack.bytes = (stack_bytes_ + page_bytes() - 1) / page_bytes() * page_bytes() + page_bytes();
    stack.memory = mmap(nullptr, stack.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    POWERCUT_ASSERT(stack.memory != MAP_FAILED, "there is memory for a fiber's stack");
    POWERCUT_ASSERT(mprotect(stack.memory, page_bytes(), PROT_NONE) == 0, "a page below a stack can be protected");
    free_stacks_.push_back(stack);
  }
  made->stack = free_stacks_.back();
  made->frame = static_cast<const char*>(made->stack.memory) + made->stack.bytes;
  free_stacks_.pop_back();
#ifdef POWERCUT_ASAN_FIBERS
  made->bottom = static_cast<char*>(made->stack.memory) + page_bytes();
  made->size = made->stack.bytes - page_bytes();
  // The frames that the fiber before was in when it ended never returned: what guarded them is still in the way.
  __asan_unpoison_memory_region(made->bottom, made->size);
#endif
  made->context = Context(std::allocator_arg, StackOfPool(made->stack, id), [this, id](Context&& /*nobody*/) {
    arrived(id);
    Fiber& self = at(id);
    self.body();
    self.body = nullptr;
    self.ended = true;
    --running_;
    // The last fiber goes back to run().
    const FiberId next = running_ == 0 ? kNobody : choose(false, "an end");
    left_ = id;
    Fiber& onward = next == kNobody ? *main_ : at(next);
#ifdef POWERCUT_ASAN_FIBERS
    __sanitizer_start_switch_fiber(nullptr, onward.bottom, onward.size);
#endif
    current_ = next;
    return std::move(onward.context);
  });
  fibers_.push_back(std::move(made));
  ready_.push_back(id);
  ++running_;
  return id;
}

Result<void> Scheduler::run(Choices& choices) {
  POWERCUT_ASSERT(!in_fiber(), "run() is not called from a fiber");
  choices_ = &choices;
  now_ = 0;
  if (completions_ != nullptr) began_ = completions_->clock();
  stopped_ = false;
  stall_.clear();
  if (running_ > 0) switch_to(choose(false, "the begin"));
  POWERCUT_ASSERT(running_ == 0, "run() ends when all fibers have");
  fibers_.clear();
  choices_ = nullptr;
  if (!stall_.empty()) return Error(ErrorCode::kDeadlock, stall_);
  return success();
}

void Scheduler::stop() {
  stopped_ = true;
  for (FiberId id = 0; id < fibers_.size(); ++id) {
    Fiber& waiting = at(id);
    if (waiting.wait == nullptr) continue;
    wake(id);
    waiting.woken = Woken::kStopped;
  }
}

void Scheduler::works_on(Whose whose, const void* object, std::size_t bytes) {
  Fiber& self = at(current_);
  self.works_on[static_cast<std::size_t>(whose)] = static_cast<const char*>(object);
  self.works_on_bytes[static_cast<std::size_t>(whose)] = static_cast<std::uint16_t>(std::min(bytes, kMostWorkedOn));
}

void Scheduler::yield(std::string_view where) {
  if (stopped_) return;
  switch_to(choose(true, where));
}

Scheduler::Woken Scheduler::park(const Wait& wait, std::uint64_t limit) {
  if (stopped_) return Woken::kStopped;
  Fiber& self = at(current_);
  self.wait = &wait;
  self.woken = Woken::kWoken;
  if (limit != kNoLimit) limit_wait(self, limit);
  switch_to(choose(false, "a wait"));
  return self.woken;
}

void Scheduler::limit_wait(Fiber& self, std::uint64_t limit) {
  const std::uint64_t begin = now();
  if (limit >= kNoLimit - begin) return;
  self.limit = begin + limit;
  limits_.emplace(self.limit, current_);
}

void Scheduler::wake(FiberId id) {
  Fiber& waiting = at(id);
  if (waiting.wait == nullptr) return;
  waiting.wait = nullptr;
  if (waiting.limit != kNoLimit) limits_.erase({waiting.limit, id});
  waiting.limit = kNoLimit;
  ready_.push_back(id);
}

void Scheduler::time_out(FiberId id) {
  now_ = std::max(now_, at(id).limit);
  wake(id);
  at(id).woken = Woken::kTimedOut;
}

// Of real time.
void Scheduler::end_limits() {
  if (limits_.empty()) return;
  const std::uint64_t here = now();
  while (!limits_.empty() && limits_.begin()->first <= here) time_out(limits_.begin()->second);
}

void Scheduler::wait_for_completions() {
  while (ready_.empty() && (completions_->pending() || !limits_.empty())) {
    const std::uint64_t here = now();
    const std::uint64_t end = limits_.empty() ? kNoLimit : limits_.begin()->first;
    if (end > here) completions_->wait(end == kNoLimit ? kNoLimit : end - here);
    end_limits();
  }
}

FiberId Scheduler::take_ready(std::size_t at) {
  const FiberId taken = ready_[at];
  if (at == 0) {
    ready_.pop_front();
    return taken;
  }
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
  return taken;
}

// Who runs next. The options: the fiber that runs, if it can go on; those that are ready, the longest waiting first; and, of
// virtual time, that the earliest limit is over.
FiberId Scheduler::choose(bool current_can_go_on, std::string_view where) {
  if (completions_ != nullptr) {
    if (++turns_ >= kTurnsPerPoll) {
      turns_ = 0;
      completions_->poll();
      end_limits();
      if (current_can_go_on && !ready_.empty()) {
        ready_.push_back(current_);
        current_can_go_on = false;
      }
    }
    if (!current_can_go_on) wait_for_completions();
  }
  if (!current_can_go_on && ready_.empty()) {
    if (limits_.empty()) {
      report_stall();
      stop();
    } else {
      time_out(limits_.begin()->second);
    }
    return take_ready(0);
  }
  const std::uint32_t own = current_can_go_on ? 1 : 0;
  const auto untimed = static_cast<std::uint32_t>(ready_.size()) + own;
  std::uint32_t picked = 0;
  if (!stopped_) {
    ChoiceLabel label{"fiber", current_, 0, !current_can_go_on};
    label.name = where;
    label.free_options = current_can_go_on ? 1 : untimed;
    picked = choices_->pick(untimed + (limits_.empty() || completions_ != nullptr ? 0 : 1), label);
  }
  if (picked < own) return current_;
  if (current_can_go_on) ready_.push_back(current_);
  if (picked < untimed) return take_ready(picked - own);
  time_out(limits_.begin()->second);
  return take_ready(ready_.size() - 1);
}

void Scheduler::report_stall() {
  for (FiberId id = 0; id < fibers_.size(); ++id) {
    if (is_parked(id)) stall_ += (stall_.empty() ? "" : "; ") + name(id) + " waits for ever for " + waits_for(id);
  }
}

// Of a thousand fibers none is in the processor's caches any more when its turn comes. What comes up next but one is asked for,
// and of what comes up next the end of its stack and what it works on. (In a function that is called, the compiler takes it for
// nothing.)
[[gnu::always_inline]] inline void Scheduler::fetch_ahead() {
  if (ready_.size() < 2) return;
  __builtin_prefetch(&at(ready_[1]));
  const Fiber& next = at(ready_[0]);
  for (std::ptrdiff_t offset = -kFetchedBelow; offset < kFetchedAbove; offset += kLineBytes) {
    __builtin_prefetch(next.frame + offset, 0, 2);
  }
  for (const std::size_t whose : {0U, 1U}) {
    for (std::ptrdiff_t offset = 0; offset < next.works_on_bytes[whose]; offset += kLineBytes) {
      __builtin_prefetch(next.works_on[whose] + offset, 0, 2);
    }
  }
}

void Scheduler::switch_to(FiberId next) {
  const FiberId here = current_;
  if (next == here) return;
  Fiber& from = here == kNobody ? *main_ : at(here);
  Fiber& to = at(next);
  current_ = next;
  from.frame = static_cast<const char*>(__builtin_frame_address(0));
  fetch_ahead();
#ifdef POWERCUT_ASAN_FIBERS
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
#endif
  std::move(to.context).resume_with([&from](Context&& left) {
    from.context = std::move(left);
    return Context();
  });
  arrived(here);
}

// After each switch, on the stack that was switched to.
void Scheduler::arrived([[maybe_unused]] FiberId here) {
#ifdef POWERCUT_ASAN_FIBERS
  Fiber& self = here == kNobody ? *main_ : at(here);
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(self.fake_stack, &bottom, &size);
  // Where run() was called: nobody told where that stack is.
  if (main_->bottom == nullptr) {
    main_->bottom = bottom;
    main_->size = size;
  }
#endif
  if (left_ == kNobody) return;
  free_stacks_.push_back(at(left_).stack);
  left_ = kNobody;
}

}  // namespace powercut::faultfs
