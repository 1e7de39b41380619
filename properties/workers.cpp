#include "properties/workers.h"

#include "faultfs/assert.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

namespace powercut::properties {
namespace {

constexpr std::uint64_t kNoItem = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kOutcomeSlots = std::size_t{1} << 20U;  // 8 MiB
constexpr std::size_t kMostOutcomes = kOutcomeSlots / 4 * 3;
// A worker that does not finish a recovery or an item in this time hangs.
constexpr std::chrono::seconds kHang{60};
constexpr std::chrono::milliseconds kBetweenProgress{200};
// How long the parent sleeps between two looks at its workers (nanoseconds): short work should end at once.
constexpr long kShortestNap = 500'000;
constexpr long kLongestNap = 20'000'000;

}  // namespace

// What a worker tells, in memory that all processes share.
struct alignas(64) WorkerFigures {
  std::atomic<std::uint64_t> items{0};
  std::atomic<std::uint64_t> states{0};
  std::atomic<std::uint64_t> recoveries{0};
  std::array<std::atomic<std::uint64_t>, kOracleCount> breaches{};
  std::atomic<std::uint64_t> processor_nanoseconds{0};
  std::atomic<std::uint64_t> item{kNoItem};  // that it is working on
};

struct SharedWork {
  std::atomic<std::uint64_t> next_item{0};
  std::atomic<std::uint64_t> failing_item{kNoItem};  // the lowest so far
  std::atomic<std::uint64_t> outcome_count{0};
  std::array<WorkerFigures, kMostJobs> workers;
  std::array<std::atomic<std::uint64_t>, kOutcomeSlots> outcomes;  // a hash set, 0 is empty
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

namespace {

void lower(std::atomic<std::uint64_t>& value, std::uint64_t to) {
  std::uint64_t seen = value.load();
  while (to < seen && !value.compare_exchange_weak(seen, to)) {
  }
}

std::uint64_t processor_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

class Pool {
 public:
  Pool(const WorkPlan& plan, const std::function<void(Worker&)>& body, SharedWork& shared)
      : plan_(plan), body_(body), shared_(shared) {}

  Result<WorkReport> run(const std::atomic<bool>& stop, const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    shared_.next_item = plan_.first_item;
    const std::uint64_t end = plan_.first_item + std::min(plan_.items, kNoItem - 1 - plan_.first_item);
    for (std::uint32_t job = 0; job < plan_.jobs; ++job) {
      const pid_t child = fork();
      if (child == 0) {
        become_child();
        Worker worker(shared_, shared_.workers[job], end);
        body_(worker);
        shared_.workers[job].item = kNoItem;
        _exit(0);
      }
      if (child < 0) {
        kill_all();
        return Error(ErrorCode::kIo, std::string("fork: ") + std::strerror(errno));
      }
      workers_.push_back({child, kNoItem, 0, began});
    }
    auto told = began;
    for (long nap = kShortestNap; alive() > 0; nap = std::min(nap * 2, kLongestNap)) {
      const timespec time{0, nap};
      nanosleep(&time, nullptr);
      if (stop.load()) {
        report_.interrupted = true;
        kill_all();
        break;
      }
      reap();
      stop_hanging();
      const auto now = std::chrono::steady_clock::now();
      if (!progress || now - told < kBetweenProgress) continue;
      told = now;
      report_.figures.wall_seconds = std::chrono::duration<double>(now - began).count();
      collect();
      if (progress(report_.figures)) continue;
      report_.interrupted = true;
      kill_all();
    }
    report_.figures.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    collect();
    if (shared_.failing_item != kNoItem) report_.failing_item = shared_.failing_item.load();
    for (const Death& death : deaths_) {
      if (report_.failing_item == death.item) report_.worker_death = death.how;
    }
    return report_;
  }

 private:
  struct Process {
    pid_t process = 0;  // 0: ended
    std::uint64_t item = kNoItem;
    std::uint64_t recoveries = 0;
    std::chrono::steady_clock::time_point since;  // these two were as they are
    bool hangs = false;
  };
  struct Death {
    std::uint64_t item = kNoItem;
    std::string how;
  };

  std::size_t alive() const {
    std::size_t count = 0;
    for (const Process& worker : workers_) count += worker.process != 0 ? 1 : 0;
    return count;
  }

  void kill_all() {
    for (Process& worker : workers_) {
      if (worker.process == 0) continue;
      kill(worker.process, SIGKILL);
      waitpid(worker.process, nullptr, 0);
      worker.process = 0;
    }
  }

  // A worker that ended before its item was done: that item fails.
  void reap() {
    for (std::size_t job = 0; job < workers_.size(); ++job) {
      Process& worker = workers_[job];
      int status = 0;
      if (worker.process == 0 || waitpid(worker.process, &status, WNOHANG) != worker.process) continue;
      worker.process = 0;
      const std::uint64_t item = shared_.workers[job].item.load();
      if (item == kNoItem) continue;
      std::string how = how_it_ended(status);
      if (worker.hangs) how = "it did not end within " + std::to_string(kHang.count()) + " seconds";
      deaths_.push_back({item, how});
      lower(shared_.failing_item, item);
    }
  }

  void stop_hanging() {
    const auto now = std::chrono::steady_clock::now();
    for (std::size_t job = 0; job < workers_.size(); ++job) {
      Process& worker = workers_[job];
      const std::uint64_t item = shared_.workers[job].item.load();
      const std::uint64_t recoveries = shared_.workers[job].recoveries.load();
      if (item != worker.item || recoveries != worker.recoveries) {
        worker.item = item;
        worker.recoveries = recoveries;
        worker.since = now;
      } else if (worker.process != 0 && item != kNoItem && now - worker.since > kHang && !worker.hangs) {
        worker.hangs = true;
        kill(worker.process, SIGKILL);
      }
    }
  }

  void collect() {
    WorkFigures& figures = report_.figures;
    figures.items = 0;
    figures.count = {};
    std::uint64_t nanoseconds = 0;
    for (const WorkerFigures& worker : shared_.workers) {
      figures.items += worker.items;
      figures.count.states += worker.states;
      figures.count.recoveries += worker.recoveries;
      for (std::size_t at = 0; at < kOracleCount; ++at) figures.count.breaches[at] += worker.breaches[at];
      nanoseconds += worker.processor_nanoseconds;
    }
    figures.processor_seconds = static_cast<double>(nanoseconds) / 1e9;
    figures.distinct_outcomes = shared_.outcome_count;
    figures.outcomes_at_least = figures.distinct_outcomes >= kMostOutcomes;
  }

  const WorkPlan& plan_;
  const std::function<void(Worker&)>& body_;
  SharedWork& shared_;
  WorkReport report_;
  std::vector<Process> workers_;
  std::vector<Death> deaths_;
};

}  // namespace

void SearchCount::add(const SearchCount& other) {
  states += other.states;
  recoveries += other.recoveries;
  for (std::size_t at = 0; at < kOracleCount; ++at) breaches[at] += other.breaches[at];
}

void WorkFigures::add(const WorkFigures& other) {
  items += other.items;
  count.add(other.count);
  distinct_outcomes += other.distinct_outcomes;
  outcomes_at_least = outcomes_at_least || other.outcomes_at_least;
  processor_seconds += other.processor_seconds;
  wall_seconds += other.wall_seconds;
}

// --- In the worker ---

Worker::Worker(SharedWork& shared, WorkerFigures& figures, std::uint64_t end)
    : shared_(shared), figures_(figures), end_(end), began_(processor_nanoseconds()) {}

std::optional<std::uint64_t> Worker::claim() {
  const std::uint64_t item = shared_.next_item++;
  if (item >= end_ || item > shared_.failing_item.load()) return std::nullopt;
  figures_.item = item;
  return item;
}

void Worker::failed(std::uint64_t item) { lower(shared_.failing_item, item); }

void Worker::done() { ++figures_.items; }

void Worker::count(const SearchCount& since) {
  figures_.states.fetch_add(since.states, std::memory_order_relaxed);
  figures_.recoveries.fetch_add(since.recoveries, std::memory_order_relaxed);
  for (std::size_t at = 0; at < kOracleCount; ++at) {
    if (since.breaches[at] != 0) figures_.breaches[at].fetch_add(since.breaches[at], std::memory_order_relaxed);
  }
  figures_.processor_nanoseconds.store(processor_nanoseconds() - began_, std::memory_order_relaxed);
}

void Worker::outcome(std::uint64_t hash) {
  if (hash == 0) hash = 1;
  for (std::size_t at = hash % kOutcomeSlots;; at = (at + 1) % kOutcomeSlots) {
    std::uint64_t seen = shared_.outcomes[at].load(std::memory_order_relaxed);
    if (seen == hash || shared_.outcome_count.load(std::memory_order_relaxed) >= kMostOutcomes) return;
    if (seen != 0) continue;
    if (shared_.outcomes[at].compare_exchange_strong(seen, hash)) {
      ++shared_.outcome_count;
      return;
    }
    if (seen == hash) return;
  }
}

// --- In the parent ---

Result<SharedMemory> SharedMemory::make(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error(ErrorCode::kIo, std::string("mmap: ") + std::strerror(errno));
  return SharedMemory(memory, bytes);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}

SharedMemory::~SharedMemory() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

Result<WorkReport> run_workers(const WorkPlan& plan, const std::function<void(Worker&)>& body, const std::atomic<bool>& stop,
                               const Progress& progress) {
  if (plan.jobs == 0 || plan.jobs > kMostJobs) {
    return Error(ErrorCode::kInvalidArgument,
                 "jobs: " + std::to_string(plan.jobs) + " is not from 1 to " + std::to_string(kMostJobs));
  }
  POWERCUT_TRY(const SharedMemory memory, SharedMemory::make(sizeof(SharedWork)));
  return Pool(plan, body, *new (memory.get()) SharedWork).run(stop, progress);
}

void become_child() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int fatal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTERM}) std::signal(fatal, SIG_DFL);
  std::signal(SIGINT, SIG_IGN);
}

std::string how_it_ended(int status) {
  if (!WIFSIGNALED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
  return "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
}

Result<std::string> in_child(const std::function<std::string()>& work, const std::atomic<bool>& stop) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return Error(ErrorCode::kIo, std::string("pipe: ") + std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) return Error(ErrorCode::kIo, std::string("fork: ") + std::strerror(errno));
  if (child == 0) {
    become_child();
    close(ends[0]);
    const std::string result = work();
    for (std::size_t at = 0; at < result.size();) {
      const auto written = write(ends[1], result.data() + at, result.size() - at);
      if (written < 0 && errno != EINTR) _exit(1);
      if (written > 0) at += static_cast<std::size_t>(written);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string result;
  bool interrupted = false;
  for (;;) {
    pollfd waiting{ends[0], POLLIN, 0};
    const int ready = poll(&waiting, 1, 50);
    if (stop.load()) {
      interrupted = true;
      kill(child, SIGKILL);
      break;
    }
    if (ready <= 0) continue;
    std::array<char, 65536> piece;
    const auto got = read(ends[0], piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    result.append(piece.data(), static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (interrupted) return Error(ErrorCode::kStopped, "interrupted");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Error(ErrorCode::kStopped, how_it_ended(status));
  return result;
}

}  // namespace powercut::properties
