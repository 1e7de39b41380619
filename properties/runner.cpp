#include "properties/runner.h"

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
#include <vector>

namespace powercut::properties {
namespace {

constexpr std::uint64_t kNoSeed = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kOutcomeSlots = std::size_t{1} << 20U;  // 8 MiB
constexpr std::size_t kMostOutcomes = kOutcomeSlots / 4 * 3;
// A worker that does not finish a case in this time hangs.
constexpr std::chrono::seconds kHang{60};

// What a worker tells, in memory that all processes share.
struct alignas(64) WorkerFigures {
  std::atomic<std::uint64_t> cases{0};
  std::atomic<std::uint64_t> states{0};
  std::atomic<std::uint64_t> recoveries{0};
  std::atomic<std::uint64_t> processor_nanoseconds{0};
  std::atomic<std::uint64_t> seed{kNoSeed};  // that it is running
};

struct Shared {
  std::atomic<std::uint64_t> next_seed{0};
  std::atomic<std::uint64_t> failing_seed{kNoSeed};  // the lowest so far
  std::atomic<std::uint64_t> outcome_count{0};
  std::array<WorkerFigures, kMostJobs> workers;
  std::array<std::atomic<std::uint64_t>, kOutcomeSlots> outcomes;  // a hash set, 0 is empty
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

void lower(std::atomic<std::uint64_t>& value, std::uint64_t to) {
  std::uint64_t seen = value.load();
  while (to < seen && !value.compare_exchange_weak(seen, to)) {
  }
}

void add_outcome(Shared& shared, std::uint64_t outcome) {
  if (outcome == 0) outcome = 1;
  for (std::size_t at = outcome % kOutcomeSlots;; at = (at + 1) % kOutcomeSlots) {
    std::uint64_t seen = shared.outcomes[at].load(std::memory_order_relaxed);
    if (seen == outcome || shared.outcome_count.load(std::memory_order_relaxed) >= kMostOutcomes) return;
    if (seen != 0) continue;
    if (shared.outcomes[at].compare_exchange_strong(seen, outcome)) {
      ++shared.outcome_count;
      return;
    }
    if (seen == outcome) return;
  }
}

std::uint64_t processor_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// A child lives no longer than its parent, ends as the engine makes it end, and leaves Ctrl-C to the parent.
void become_child() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int fatal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTERM}) std::signal(fatal, SIG_DFL);
  std::signal(SIGINT, SIG_IGN);
}

std::string how_it_ended(int status) {
  if (!WIFSIGNALED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
  return "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
}

[[noreturn]] void work(Campaign& campaign, Shared& shared, WorkerFigures& figures, std::uint64_t end) {
  become_child();
  const std::uint64_t start = processor_nanoseconds();
  for (;;) {
    const std::uint64_t seed = shared.next_seed++;
    if (seed >= end || seed > shared.failing_seed.load()) break;
    figures.seed = seed;
    SearchCount count;
    const auto failure = campaign.run(
        seed, [&](std::uint64_t outcome) { add_outcome(shared, outcome); }, count);
    ++figures.cases;
    figures.states += count.states;
    figures.recoveries += count.recoveries;
    figures.processor_nanoseconds = processor_nanoseconds() - start;
    if (failure) lower(shared.failing_seed, seed);
  }
  figures.seed = kNoSeed;
  _exit(0);
}

class Runner {
 public:
  Runner(Campaign& campaign, const RunnerPlan& plan, Shared& shared) : campaign_(campaign), plan_(plan), shared_(shared) {}

  Result<RunnerReport> run(const std::atomic<bool>& stop, const Progress& progress) {
    const auto began = std::chrono::steady_clock::now();
    shared_.next_seed = plan_.first_seed;
    const std::uint64_t end = plan_.first_seed + std::min(plan_.seeds, kNoSeed - 1 - plan_.first_seed);
    for (std::uint32_t job = 0; job < plan_.jobs; ++job) {
      const pid_t child = fork();
      if (child == 0) work(campaign_, shared_, shared_.workers[job], end);
      if (child < 0) {
        kill_all();
        return Error(ErrorCode::kIo, std::string("fork: ") + std::strerror(errno));
      }
      workers_.push_back({child, kNoSeed, began});
    }
    for (std::uint64_t naps = 1; alive() > 0; ++naps) {
      const timespec nap{0, 20'000'000};
      nanosleep(&nap, nullptr);
      if (stop.load()) {
        report_.interrupted = true;
        kill_all();
        break;
      }
      reap();
      stop_hanging();
      report_.figures.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
      if (!progress || naps % 10 != 0) continue;
      collect();
      progress(report_.figures);
    }
    report_.figures.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    collect();
    if (shared_.failing_seed != kNoSeed) report_.failing_seed = shared_.failing_seed.load();
    for (const Death& death : deaths_) {
      if (report_.failing_seed == death.seed) report_.worker_death = death.how;
    }
    return report_;
  }

 private:
  struct Worker {
    pid_t process = 0;  // 0: ended
    std::uint64_t seed = kNoSeed;
    std::chrono::steady_clock::time_point since;  // it runs that seed
    bool hangs = false;
  };
  struct Death {
    std::uint64_t seed = kNoSeed;
    std::string how;
  };

  std::size_t alive() const {
    std::size_t count = 0;
    for (const Worker& worker : workers_) count += worker.process != 0 ? 1 : 0;
    return count;
  }

  void kill_all() {
    for (Worker& worker : workers_) {
      if (worker.process == 0) continue;
      kill(worker.process, SIGKILL);
      waitpid(worker.process, nullptr, 0);
      worker.process = 0;
    }
  }

  // A worker that ended by a signal was running a seed: that seed fails.
  void reap() {
    for (std::size_t job = 0; job < workers_.size(); ++job) {
      Worker& worker = workers_[job];
      int status = 0;
      if (worker.process == 0 || waitpid(worker.process, &status, WNOHANG) != worker.process) continue;
      worker.process = 0;
      const std::uint64_t seed = shared_.workers[job].seed.load();
      if (seed == kNoSeed) continue;
      std::string how = how_it_ended(status);
      if (worker.hangs) how = "it did not end within " + std::to_string(kHang.count()) + " seconds";
      deaths_.push_back({seed, how});
      lower(shared_.failing_seed, seed);
    }
  }

  void stop_hanging() {
    const auto now = std::chrono::steady_clock::now();
    for (std::size_t job = 0; job < workers_.size(); ++job) {
      Worker& worker = workers_[job];
      const std::uint64_t seed = shared_.workers[job].seed.load();
      if (seed != worker.seed) {
        worker.seed = seed;
        worker.since = now;
      } else if (worker.process != 0 && seed != kNoSeed && now - worker.since > kHang && !worker.hangs) {
        worker.hangs = true;
        kill(worker.process, SIGKILL);
      }
    }
  }

  void collect() {
    RunnerFigures& figures = report_.figures;
    figures.cases = 0;
    figures.count = {};
    std::uint64_t nanoseconds = 0;
    for (const WorkerFigures& worker : shared_.workers) {
      figures.cases += worker.cases;
      figures.count.states += worker.states;
      figures.count.recoveries += worker.recoveries;
      nanoseconds += worker.processor_nanoseconds;
    }
    figures.processor_seconds = static_cast<double>(nanoseconds) / 1e9;
    figures.distinct_outcomes = shared_.outcome_count;
    figures.outcomes_at_least = figures.distinct_outcomes >= kMostOutcomes;
  }

  Campaign& campaign_;
  const RunnerPlan& plan_;
  Shared& shared_;
  RunnerReport report_;
  std::vector<Worker> workers_;
  std::vector<Death> deaths_;
};

}  // namespace

Result<RunnerReport> run_campaign(Campaign& campaign, const RunnerPlan& plan, const std::atomic<bool>& stop,
                                  const Progress& progress) {
  if (plan.jobs == 0 || plan.jobs > kMostJobs) {
    return Error(ErrorCode::kInvalidArgument,
                 "jobs: " + std::to_string(plan.jobs) + " is not from 1 to " + std::to_string(kMostJobs));
  }
  void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error(ErrorCode::kIo, std::string("mmap: ") + std::strerror(errno));
  auto* const shared = new (memory) Shared;
  auto report = Runner(campaign, plan, *shared).run(stop, progress);
  munmap(memory, sizeof(Shared));
  return report;
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
