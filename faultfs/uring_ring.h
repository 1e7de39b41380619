// Requests to the kernel through one io_uring of one thread: whoever runs one gets its result, as from a system call.
//
// From a fiber of the scheduler, running a request suspends that fiber and others go on; from elsewhere it blocks. Either way
// the kernel is done with the request, and with its memory, when run() returns, also when the fibers were stopped meanwhile.
//
// Requests of fibers are submitted at once while the device is idle, else up to eight together, at the latest when the
// scheduler polls or waits.
//
// For UringFileSystem, in the thread that opened it.
#pragma once

#include "faultfs/assert.h"
#include "faultfs/scheduler.h"

#include <liburing.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace powercut::faultfs {

// Lines for people about what was asked for and refused; each is kept once.
class UringNotes {
 public:
  void say(std::string line);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

class UringRing final : public Completions {
 public:
  struct Setup {
    std::uint32_t depth = 64;        // requests that can be queued before they are submitted
    bool submission_thread = false;  // a thread of the kernel submits (IORING_SETUP_SQPOLL)
    bool polled = false;             // a second ring whose completions are polled for (IORING_SETUP_IOPOLL)
  };

  // The scheduler, if there is one, and the notes must outlive it. kUnsupported where the kernel refuses io_uring or lacks an
  // operation of it (Linux before 5.15).
  static Result<std::unique_ptr<UringRing>> open(const Setup& setup, Scheduler* scheduler, UringNotes& notes);
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;
  ~UringRing();

  // prepare(io_uring_sqe&) says what to do. Returns what the system call would, or -errno. `wait` is for people who ask what
  // the fiber waits for. `polled`: a direct read or write, through the second ring if there is one.
  template <class Prepare>
  int run(const Scheduler::Wait& wait, Prepare&& prepare, bool polled = false) {
    Queue& queue = polled && uses_polled() ? *polled_ : main_;
    Request request;
    add(queue, request, std::forward<Prepare>(prepare), 0);
    finish(wait, queue, request);
    return request.result;
  }

  // The same for results.size() requests that are under way together; prepare(io_uring_sqe&, which).
  template <class Prepare>
  void run_each(const Scheduler::Wait& wait, std::span<int> results, Prepare&& prepare) {
    std::vector<Request> requests(results.size());
    for (std::size_t at = 0; at < results.size(); ++at) {
      add(
          main_, requests[at], [&](io_uring_sqe& entry) { prepare(entry, at); }, 0);
    }
    for (std::size_t at = 0; at < results.size(); ++at) {
      finish(wait, main_, requests[at]);
      results[at] = requests[at].result;
    }
  }

  // The second begins when the first has succeeded in full; it is -ECANCELED when that has not.
  struct Linked {
    int first = 0;
    int second = 0;
  };
  template <class First, class Second>
  Linked run_linked(const Scheduler::Wait& wait, First&& prepare_first, Second&& prepare_second) {
    Request first;
    Request second;
    // A chain ends where the kernel stops taking requests: so the two go alone, and together.
    while (!has_submission_thread() && io_uring_sq_ready(&main_.ring) > 0) submit(main_);
    make_room(main_, 2);
    add(main_, first, std::forward<First>(prepare_first), IOSQE_IO_LINK);
    add(main_, second, prepare_second, 0);
    const bool together = submit(main_) >= 2 || has_submission_thread();
    finish(wait, main_, first);
    finish(wait, main_, second);
    if (first.result >= 0 && !together) second.result = run(wait, prepare_second);
    return {first.result, second.result};
  }

  bool uses_polled() const { return polled_ != nullptr && !has_dropped_polled_; }
  // From now on all goes through the first ring.
  void drop_polled() { has_dropped_polled_ = true; }

  // The flags that the kernel took (IORING_SETUP_…).
  std::uint32_t flags() const { return main_.ring.flags; }

  // For tests: sees each request before the kernel does, and may shorten it. Unless it returns 0 that is the request's result, and
  // the kernel does nothing.
  using Fault = std::function<int(io_uring_sqe&)>;
  void set_fault(Fault fault) { fault_ = std::move(fault); }

  // Of the kernel's own tables: memory (as buffer 0) and open files; 0 or -errno.
  int register_memory(std::span<byte> memory);
  // Empty places, and behind them, unless it is -1, a descriptor that the kernel is to keep open until the ring's last request is
  // done, also when the process has ended.
  int register_files(std::uint32_t slots, int kept);
  int set_file(std::uint32_t slot, int descriptor);

  bool pending() const override { return in_flight() > 0; }
  void poll() override;
  void wait(std::uint64_t nanoseconds) override;
  std::uint64_t clock() const override;

 private:
  struct Request {
    int result = 0;
    int instead = 0;  // unless 0, the result whatever the kernel says
    bool done = false;
    FiberId fiber = 0;  // to be woken, if there is one
    bool of_fiber = false;
  };
  struct Queue {
    io_uring ring{};
    std::uint32_t in_flight = 0;  // queued and submitted
  };

  UringRing(Scheduler* scheduler, const io_uring& main) : scheduler_(scheduler), main_{main} {}

  template <class Prepare>
  void add(Queue& queue, Request& request, Prepare&& prepare, std::uint32_t flags) {
    make_room(queue, 1);
    io_uring_sqe* const entry = io_uring_get_sqe(&queue.ring);
    POWERCUT_ASSERT(entry != nullptr, "room was made for it");
    prepare(*entry);
    if (fault_) request.instead = fault_(*entry);
    if (request.instead != 0) io_uring_prep_nop(entry);
    entry->flags = static_cast<std::uint8_t>(entry->flags | flags);
    io_uring_sqe_set_data(entry, &request);
    ++queue.in_flight;
    request.of_fiber = in_fiber();
    if (request.of_fiber) request.fiber = scheduler_->current();
  }
  bool has_submission_thread() const { return (main_.ring.flags & IORING_SETUP_SQPOLL) != 0; }
  bool in_fiber() const { return scheduler_ != nullptr && scheduler_->in_fiber(); }
  std::uint32_t in_flight() const { return main_.in_flight + (polled_ == nullptr ? 0 : polled_->in_flight); }
  // For so many requests at once, in both directions.
  void make_room(Queue& queue, std::uint32_t requests);
  // Returns how many the kernel took.
  int submit(Queue& queue);
  // Returns whether any had completed.
  bool reap(Queue& queue);
  void finish(const Scheduler::Wait& wait, Queue& queue, const Request& request);

  Scheduler* scheduler_;
  Queue main_;
  std::unique_ptr<Queue> polled_;
  bool has_dropped_polled_ = false;
  Fault fault_;
};

}  // namespace powercut::faultfs
