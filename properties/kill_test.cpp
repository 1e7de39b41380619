#include "properties/kill_test.h"

#include "faultfs/hash.h"
#include "faultfs/random.h"
#include "faultfs/scratch_directory.h"
#include "properties/campaign.h"
#include "properties/workers.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <utility>

namespace powercut::properties {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

// A child that does not end its round in this time hangs.
constexpr std::chrono::seconds kHang{60};
constexpr std::chrono::milliseconds kLook{50};  // for Ctrl-C
constexpr std::size_t kJournalBytes = std::size_t{64} << 20U;
constexpr std::uint32_t kRoundsOfADatabase = 24;  // on average

// Where a child is to be killed.
struct Aim {
  enum class Kind : unsigned char { kWhenIdle, kByClock, kAtOperation };
  Kind kind = Kind::kWhenIdle;
  std::uint64_t at = 0;  // nanoseconds after it began, or the number of an operation
};

// How long the last child took that was not killed on its way, in both measures.
struct Extent {
  std::uint64_t operations = 0;
  std::uint64_t nanoseconds = 0;
};

// A third of the moments is in recovery, which is short. Some children are left alone until they are idle: so the extent is
// known, also when it changes.
Aim draw_aim(Random& random, const Extent& of_recovery, const Extent& of_round) {
  const std::uint32_t kind = random.below(8);
  const Extent& extent = random.below(3) == 0 ? of_recovery : of_round;
  const std::uint64_t part = random.below(1U << 20U);
  const auto scaled = [&](std::uint64_t whole) { return (whole * part) >> 20U; };
  if (kind == 0 || extent.operations == 0) return {};
  if (kind < 4) return {Aim::Kind::kByClock, scaled(extent.nanoseconds)};
  return {Aim::Kind::kAtOperation, scaled(extent.operations)};
}

class KillTest {
 public:
  KillTest(const KillPlan& plan, SharedMemory memory, faultfs::ScratchDirectory scratch, const std::atomic<bool>& stop)
      : plan_(plan),
        memory_(std::move(memory)),
        journal_({static_cast<byte*>(memory_.get()), kJournalBytes}),
        scratch_(std::move(scratch)),
        stop_(stop),
        random_(plan.seed) {}

  Result<KillReport> run(const KillProgress& progress) {
    const auto began = Clock::now();
    for (std::uint32_t round = 0; round <= plan_.rounds && !report_.violation; ++round) {
      // After the last one another looks at what it left.
      const bool last = round == plan_.rounds;
      if (!last && (round == 0 || random_.below(kRoundsOfADatabase) == 0)) POWERCUT_TRYV(begin_database());
      POWERCUT_TRYV(one(last ? Aim{} : draw_aim(random_, of_recovery_, of_round_)));
      if (stop_.load()) {
        report_.interrupted = true;
        break;
      }
      if (!last) report_.figures.rounds = round + 1;
      report_.round = round;
      report_.figures.wall_seconds = std::chrono::duration<double>(Clock::now() - began).count();
      if (progress) progress(report_.figures);
    }
    return std::move(report_);
  }

 private:
  Result<void> begin_database() {
    if (!directory_.empty()) POWERCUT_TRYV(scratch_.remove(directory_));
    POWERCUT_TRY(directory_, scratch_.add(std::to_string(report_.figures.databases)));
    workload_ = plan_.workloads[report_.figures.databases % plan_.workloads.size()];
    const std::uint64_t seed = combine(plan_.seed, ++report_.figures.databases);
    options_ = drawn_options(*plan_.kind, plan_.options, plan_.defects, seed);
    POWERCUT_TRY(engine_, plan_.kind->make(options_, plan_.defects));
    set_up_ = {};
    set_up_.kind = StepKind::kSetUp;
    set_up_.count = workload_->draw_count(random_);
    model_ = Model(workload_->tables().size(), sessions());
    of_recovery_ = {};
    of_round_ = {};
    return success();
  }

  std::uint32_t sessions() const { return workload_->sessions() == 1 ? 1 : plan_.sessions; }

  Steps draw_steps() {
    Steps steps;
    while (steps.size() < plan_.steps) {
      Step step = workload_->draw_step(random_, set_up_.count);
      step.session = random_.below(sessions());
      step.isolation = plan_.isolation.value_or(static_cast<engine::Isolation>(random_.below(4)));
      steps.push_back(std::move(step));
    }
    return steps;
  }

  // One child, its death, and what it said before.
  Result<void> one(const Aim& aim) {
    KillRound round{*engine_, *workload_, plan_.backend, directory_, set_up_, model_, draw_steps(), random_.next()};
    if (aim.kind == Aim::Kind::kAtOperation) round.last_operation = aim.at;
    journal_.clear();
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) return Error(ErrorCode::kIo, std::string("pipe: ") + std::strerror(errno));
    const auto began = Clock::now();
    const pid_t child = fork();
    if (child == 0) {
      become_child();
      close(ends[0]);
      run_kill_child(round, journal_, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
      close(ends[0]);
      return Error(ErrorCode::kIo, std::string("fork: ") + std::strerror(errno));
    }
    const bool by_clock = aim.kind == Aim::Kind::kByClock;
    const auto limit = began + (by_clock ? nanoseconds(aim.at) : nanoseconds(kHang));
    const bool waits = wait_until(limit, ends[0]);
    const auto took = static_cast<std::uint64_t>(nanoseconds(Clock::now() - began).count());
    kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    close(ends[0]);
    if (stop_.load()) return success();
    const bool killed_here = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed_here) {
      violated({Oracle::kAlive, "the engine ended its process: " + how_it_ended(status), {}});
    } else if (!waits && !by_clock) {
      violated({Oracle::kAlive, "the engine did not end its work within " + std::to_string(kHang.count()) + " seconds", {}});
    } else {
      learn(aim, took);
    }
    return success();
  }

  // Until the child writes a byte: true. Until it closes the pipe, the time is over or all is to end: false.
  bool wait_until(Clock::time_point limit, int pipe) {
    for (;;) {
      const auto now = Clock::now();
      if (now >= limit || stop_.load()) return false;
      const auto left = std::min<nanoseconds>(limit - now, kLook);
      const timespec time{0, static_cast<long>(left.count())};
      pollfd waiting{pipe, POLLIN, 0};
      if (ppoll(&waiting, 1, &time, nullptr) <= 0) continue;
      char signal = 0;
      return read(pipe, &signal, 1) == 1;
    }
  }

  void learn(const Aim& aim, std::uint64_t took) {
    const std::size_t in_doubt = model_.in_doubt().size();
    const KillJournal::Told told = journal_.replay(model_);
    if (told.violation) return violated(*told.violation);
    KillFigures& figures = report_.figures;
    figures.acknowledged += told.acknowledged;
    if (told.found) {
      const auto found = static_cast<std::uint64_t>(std::popcount(*told.found));
      ++figures.recoveries;
      figures.found += found;
      figures.not_found += in_doubt - found;
      of_recovery_.operations = journal_.operations_of_recovery();
    }
    ++(told.done ? figures.killed_idle : told.found ? figures.killed_at_work : figures.killed_in_recovery);
    if (told.done && aim.kind != Aim::Kind::kByClock) {
      of_round_ = {journal_.operations(), took};
      // Recovery and work take about as long for each operation.
      of_recovery_.nanoseconds = took * of_recovery_.operations / std::max<std::uint64_t>(1, of_round_.operations);
    }
    report_.last_kill = std::string(told.done    ? "when it was idle"
                                    : told.found ? "at its work"
                                                 : "in recovery") +
                        (aim.kind == Aim::Kind::kByClock ? ", by the clock" : "") + ", after " +
                        std::to_string(journal_.operations()) + " operations on files";
  }

  void violated(Violation violation) {
    report_.violation = std::move(violation);
    report_.kept = directory_;
    scratch_.keep();
    report_.workload = std::string(workload_->name());
    report_.options = options_;
  }

  const KillPlan& plan_;
  SharedMemory memory_;
  KillJournal journal_;
  faultfs::ScratchDirectory scratch_;
  const std::atomic<bool>& stop_;
  Random random_;
  KillReport report_;

  // Of the database that there is.
  std::string directory_;
  const Workload* workload_ = nullptr;
  std::vector<engine::Option> options_;
  std::unique_ptr<engine::Engine> engine_;
  Step set_up_;
  Model model_{1};
  Extent of_recovery_;
  Extent of_round_;
};

Result<void> check(const KillPlan& plan) {
  POWERCUT_TRYV(plan.kind->make(plan.options, plan.defects));
  if (plan.sessions == 0 || plan.sessions > Model::kMostSessions) {
    return Error(ErrorCode::kInvalidArgument,
                 "sessions: " + std::to_string(plan.sessions) + " is not from 1 to " + std::to_string(Model::kMostSessions));
  }
  if (plan.rounds == 0 || plan.steps == 0) return Error(ErrorCode::kInvalidArgument, "rounds and steps must be at least 1");
  return success();
}

}  // namespace

Result<KillReport> run_kill_test(const KillPlan& plan, const std::atomic<bool>& stop, const KillProgress& progress) {
  POWERCUT_TRYV(check(plan));
  // What is refused here, every child would be.
  POWERCUT_TRYV(faultfs::open_host_backend(plan.backend, plan.directory));
  POWERCUT_TRY(SharedMemory memory, SharedMemory::make(kJournalBytes));
  POWERCUT_TRY(auto scratch, faultfs::ScratchDirectory::make(plan.directory));
  return KillTest(plan, std::move(memory), std::move(scratch), stop).run(progress);
}

}  // namespace powercut::properties
