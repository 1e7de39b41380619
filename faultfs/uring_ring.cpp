#include "faultfs/uring_ring.h"

#include "faultfs/host_calls.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace powercut::faultfs {
namespace {

constexpr std::uint32_t kSubmittedTogether = 8;
constexpr std::uint32_t kThreadIdleMilliseconds = 20;  // then the submitting thread sleeps until it is woken

struct Flag {
  std::uint32_t bit;
  const char* name;
};
// What one thread that waits for its own requests can spare the kernel. Given up from the first on, until the kernel takes
// the rest: each needs those after it.
constexpr Flag kForOneThread[] = {{IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN (Linux 6.1)"},
                                  {IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER (Linux 6.0)"},
                                  {IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG (Linux 5.19)"},
                                  {IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN (Linux 5.19)"},
                                  {IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL (Linux 5.18)"}};

constexpr int kOperations[] = {IORING_OP_READ,   IORING_OP_WRITE,    IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED,
                               IORING_OP_WRITEV, IORING_OP_FSYNC,    IORING_OP_FALLOCATE,  IORING_OP_OPENAT,
                               IORING_OP_STATX,  IORING_OP_RENAMEAT, IORING_OP_UNLINKAT,   IORING_OP_MKDIRAT};

// 0 or -errno.
int set_up(io_uring& ring, std::uint32_t depth, std::uint32_t wanted, UringNotes& notes) {
  io_uring_params params{};
  params.flags = wanted | IORING_SETUP_CLAMP;
  params.sq_thread_idle = kThreadIdleMilliseconds;
  int failed = io_uring_queue_init_params(depth, &ring, &params);
  for (const Flag& flag : kForOneThread) {
    if (failed != -EINVAL) break;
    if ((params.flags & flag.bit) == 0) continue;
    const std::uint32_t left = params.flags & ~flag.bit;
    notes.say(std::string("io_uring: this kernel has no ") + flag.name + "; without it");
    params = {};
    params.flags = left;
    params.sq_thread_idle = kThreadIdleMilliseconds;
    failed = io_uring_queue_init_params(depth, &ring, &params);
  }
  return failed;
}

std::uint32_t all_for_one_thread() {
  std::uint32_t flags = 0;
  for (const Flag& flag : kForOneThread) flags |= flag.bit;
  return flags;
}

// What a thread of the kernel submits runs nothing in ours.
constexpr std::uint32_t kNotWithSubmissionThread =
    IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

}  // namespace

void UringNotes::say(std::string line) {
  if (std::find(lines_.begin(), lines_.end(), line) == lines_.end()) lines_.push_back(std::move(line));
}

Result<std::unique_ptr<UringRing>> UringRing::open(const Setup& setup, Scheduler* scheduler, UringNotes& notes) {
  io_uring main{};
  int failed = -EINVAL;
  if (setup.submission_thread) {
    failed = set_up(main, setup.depth, (all_for_one_thread() & ~kNotWithSubmissionThread) | IORING_SETUP_SQPOLL, notes);
    if (failed != 0) {
      notes.say(std::string("io_uring: a submission thread (SQPOLL) was refused: ") + std::strerror(-failed) + "; without it");
    }
  }
  if (failed != 0) failed = set_up(main, setup.depth, all_for_one_thread(), notes);
  if (failed != 0) {
    return Error(ErrorCode::kUnsupported, std::string("io_uring is refused here (no kernel support, a security policy, or "
                                                      "kernel.io_uring_disabled): ") +
                                              std::strerror(-failed));
  }
  auto made = std::unique_ptr<UringRing>(new UringRing(scheduler, main));
  const std::unique_ptr<io_uring_probe, void (*)(io_uring_probe*)> probe(io_uring_get_probe_ring(&made->main_.ring),
                                                                         &io_uring_free_probe);
  if (probe == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "io_uring is refused here: it may be set up, but not asked what it has (io_uring_register)");
  }
  const bool has_all = std::all_of(std::begin(kOperations), std::end(kOperations),
                                   [&](int operation) { return io_uring_opcode_supported(probe.get(), operation) != 0; });
  if (!has_all) return Error(ErrorCode::kUnsupported, "io_uring of this kernel lacks operations (it needs Linux 5.15)");
  if (setup.polled) {
    auto polled = std::make_unique<Queue>();
    const int refused = set_up(polled->ring, setup.depth, all_for_one_thread() | IORING_SETUP_IOPOLL, notes);
    if (refused == 0) {
      made->polled_ = std::move(polled);
    } else {
      notes.say(std::string("io_uring: polled completions (IOPOLL) were refused: ") + std::strerror(-refused) + "; without them");
    }
  }
  return made;
}

UringRing::~UringRing() {
  POWERCUT_ASSERT(!pending(), "the file system is closed when nothing uses it any more");
  io_uring_queue_exit(&main_.ring);
  if (polled_ != nullptr) io_uring_queue_exit(&polled_->ring);
}

int UringRing::register_memory(std::span<byte> memory) {
  const iovec vector{memory.data(), memory.size()};
  const int failed = io_uring_register_buffers(&main_.ring, &vector, 1);
  return failed != 0 || polled_ == nullptr ? failed : io_uring_register_buffers(&polled_->ring, &vector, 1);
}

int UringRing::register_files(std::uint32_t slots, int kept) {
  // Not sparse by flag: a list of -1 is understood by every kernel.
  std::vector<int> files(slots, -1);
  if (kept >= 0) files.push_back(kept);
  if (files.empty()) return 0;
  const auto count = static_cast<unsigned>(files.size());
  const int failed = io_uring_register_files(&main_.ring, files.data(), count);
  return failed != 0 || polled_ == nullptr ? failed : io_uring_register_files(&polled_->ring, files.data(), count);
}

int UringRing::set_file(std::uint32_t slot, int descriptor) {
  const int set = io_uring_register_files_update(&main_.ring, slot, &descriptor, 1);
  if (set < 0) return set;
  if (polled_ == nullptr) return 0;
  return std::min(0, io_uring_register_files_update(&polled_->ring, slot, &descriptor, 1));
}

void UringRing::make_room(Queue& queue, std::uint32_t requests) {
  // Completions that do not fit make the kernel refuse requests, or drop completions, depending on its age.
  while (queue.in_flight + requests > queue.ring.cq.ring_entries) wait(Scheduler::kNoLimit);
  while (io_uring_sq_space_left(&queue.ring) < requests) {
    submit(queue);
    if (has_submission_thread()) io_uring_sqring_wait(&queue.ring);
  }
}

int UringRing::submit(Queue& queue) {
  while (io_uring_sq_ready(&queue.ring) > 0) {
    const int taken = io_uring_submit(&queue.ring);
    if (taken >= 0) return taken;
    POWERCUT_ASSERT(taken == -EINTR || taken == -EAGAIN || taken == -EBUSY || taken == -ENOMEM,
                    "the kernel takes requests from the thread that opened the ring");
    // It has no memory for more, or wants its completions taken first.
    if (!reap(queue)) std::this_thread::yield();
  }
  return 0;
}

bool UringRing::reap(Queue& queue) {
  bool any = false;
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&queue.ring, &completion) == 0) {
    auto* const request = static_cast<Request*>(io_uring_cqe_get_data(completion));
    const int result = completion->res;
    io_uring_cqe_seen(&queue.ring, completion);
    request->result = request->instead != 0 ? request->instead : result;
    request->done = true;
    --queue.in_flight;
    any = true;
    if (request->of_fiber) scheduler_->wake(request->fiber);
  }
  return any;
}

void UringRing::poll() {
  submit(main_);
  // Completions may need the kernel to run in this thread before they show.
  if (main_.in_flight > 0) io_uring_get_events(&main_.ring);
  reap(main_);
  if (polled_ != nullptr && polled_->in_flight > 0) {
    submit(*polled_);
    reap(*polled_);
  }
}

void UringRing::wait(std::uint64_t nanoseconds) {
  if (polled_ != nullptr && polled_->in_flight > 0) {
    const std::uint64_t begin = clock();
    submit(main_);
    submit(*polled_);
    while (!reap(*polled_) && !reap(main_) && clock() - begin < nanoseconds) {
    }
    return;
  }
  if (reap(main_)) return;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  __kernel_timespec limit{static_cast<std::int64_t>(nanoseconds / kSecond), static_cast<long long>(nanoseconds % kSecond)};
  io_uring_cqe* ignored = nullptr;
  // Its errors are of the waiting, and the caller looks again: a signal, the limit, a kernel that wants completions taken first.
  io_uring_submit_and_wait_timeout(&main_.ring, &ignored, 1, nanoseconds == Scheduler::kNoLimit ? nullptr : &limit, nullptr);
  reap(main_);
}

std::uint64_t UringRing::clock() const {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

void UringRing::finish(const Scheduler::Wait& wait_text, Queue& queue, const Request& request) {
  if (request.of_fiber) {
    // Where nobody else can go on, the wait itself submits, in one call of the kernel.
    const std::uint32_t queued = io_uring_sq_ready(&queue.ring);
    const bool waits_next = &queue == &main_ && !scheduler_->others_can_go_on();
    if (!waits_next && (queued == queue.in_flight || queued >= kSubmittedTogether || has_submission_thread())) submit(queue);
    while (!request.done && scheduler_->park(wait_text) != Scheduler::Woken::kStopped) {
    }
  }
  // Not of a fiber, or stopped: the memory is still the kernel's.
  while (!request.done) wait(Scheduler::kNoLimit);
}

}  // namespace powercut::faultfs
