#include "properties/exploration.h"

#include "faultfs/assert.h"
#include "properties/replay.h"
#include "properties/shrink.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>

namespace powercut::properties {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMostPoints = 1U << 16U;
constexpr std::uint32_t kBeginNoFurther = kMostPoints / 2;  // of them, where every interleaving adds some
constexpr std::uint64_t kUnknown = std::numeric_limits<std::uint64_t>::max();
// What making a failure simple may cost: in all, and at a crash point of a candidate.
constexpr std::uint64_t kSimplifyRecoveries = 300'000;
constexpr std::uint64_t kSimplifyAtPoint = 2'000;

// What workers tell of a round, in memory that all processes share. Each point is written by the one worker that claimed it.
struct Round {
  struct Point {
    std::atomic<bool> done{false};
    PointReport report;
  };
  std::atomic<std::uint64_t> points{kUnknown};  // set by whoever reaches the end of the timeline
  std::atomic<std::uint64_t> recoveries{0};
  std::atomic<bool> budget_spent{false};
  std::atomic<bool> power_on_failure{false};
  ScheduleCoverage schedules;  // before points
  std::array<Point, kMostPoints> point;
};

// With a fault there is one crash.
std::uint32_t nested_of(const Case& one) { return one.setting.fault ? 0 : std::min(one.setting.nested, Checker::kMostNested); }

// log2(2^a + 2^b), where a negative number stands for nothing.
double add_bits(double a, double b) {
  if (a < 0 || b < 0) return std::max(a, b);
  const double high = std::max(a, b);
  return high + std::log2(1 + std::exp2(std::min(a, b) - high));
}

// One round of one case.
class CaseRound {
 public:
  CaseRound(const ExplorationPlan& plan, const ExplorationProgress& before, Clock::time_point until, CaseReport& report)
      : plan_(plan), progress_(before), until_(until), report_(report) {}

  // Tells how it ended.
  Result<ExplorationReport::Ended> run(ExplorationReport& all, const std::atomic<bool>& stop,
                                       const std::function<void(const ExplorationProgress&)>& tell) {
    using Ended = ExplorationReport::Ended;
    const std::uint32_t nested = progress_.nested;
    POWERCUT_TRY(const SharedMemory memory, SharedMemory::make(sizeof(Round)));
    Round& round = *new (memory.get()) Round;
    POWERCUT_TRY(const WorkReport work, run_round(nested, round, stop, tell));
    collect(round, work);
    all.figures.add(work.figures);
    if (round.points != kUnknown && round.points > kMostPoints) {
      return Error(ErrorCode::kInvalidArgument, "the case has " + std::to_string(round.points) + " crash points, more than " +
                                                    std::to_string(kMostPoints) + ": give it fewer steps");
    }
    if (work.failing_item && !work.interrupted) {
      const bool powered_on = round.power_on_failure && *work.failing_item >= round.points;
      all.failing_point = powered_on ? kNoCrash : static_cast<std::uint32_t>(*work.failing_item);
      all.failing_nested = nested;
      all.worker_death = work.worker_death;
      return Ended::kViolation;
    }
    if (stop.load()) return Ended::kInterrupted;
    if (work.interrupted || round.budget_spent) return Ended::kBudget;
    ++report_.rounds;
    return Ended::kDone;
  }

 private:
  Result<WorkReport> run_round(std::uint32_t nested, Round& round, const std::atomic<bool>& stop,
                               const std::function<void(const ExplorationProgress&)>& tell) {
    Setting setting = report_.explored.setting;
    setting.nested = nested;
    POWERCUT_TRY(const auto engine, setting.kind->make(setting.options, setting.defects));
    const std::uint64_t most = plan_.most_recoveries - std::min(plan_.most_recoveries, progress_.recoveries);
    const auto body = [&](Worker& worker) {
      Explorer explorer(*engine, setting);
      std::optional<std::uint64_t> claimed = worker.claim();
      std::uint64_t seen = 0;
      const auto claim = [&](std::uint32_t point) { return claimed && *claimed == point && point < kMostPoints; };
      const auto point_done = [&](const PointReport& report) {
        round.point[report.point].report = report;
        round.point[report.point].done = true;
        worker.done();
        worker.count({report.states, 0});
        claimed = worker.claim();
        return claimed.has_value();
      };
      const auto enough = [&](std::uint64_t recoveries) {
        worker.count({0, recoveries - seen});
        const bool spent = round.recoveries.fetch_add(recoveries - seen) + (recoveries - seen) >= most;
        seen = recoveries;
        if (spent) round.budget_spent = true;
        return spent;
      };
      ExplorePlan limits = plan_.limits;
      limits.most_points = kBeginNoFurther;
      const auto failure = explorer.explore(report_.explored.steps, limits, claim, point_done, enough,
                                            [&](std::uint64_t outcome) { worker.outcome(outcome); });
      worker.count({0, explorer.recoveries() - seen, explorer.breaches()});
      round.recoveries += explorer.recoveries() - seen;
      if (failure && failure->crash_point != kNoCrash) worker.failed(explorer.failing_point());
      if (claimed && !round.budget_spent && (!failure || failure->crash_point == kNoCrash)) {
        // The timeline ended below the point that this worker would have taken.
        round.points = explorer.crash_points();
        round.schedules = explorer.schedules();
        if (failure) {
          round.power_on_failure = true;
          worker.failed(explorer.crash_points());
        }
      }
    };
    WorkPlan work;
    work.jobs = plan_.jobs;
    const std::uint64_t recoveries_before = progress_.recoveries;
    auto done = run_workers(work, body, stop, [&](const WorkFigures& figures) {
      if (round.points != kUnknown) progress_.points = static_cast<std::uint32_t>(round.points);
      progress_.points_done = static_cast<std::uint32_t>(figures.items);
      progress_.recoveries = recoveries_before + figures.count.recoveries;
      progress_.total_bits = -1;
      for (const Round::Point& point : round.point) {
        if (point.done && !point.report.same_as_before) progress_.total_bits = add_bits(progress_.total_bits, point.report.bits);
      }
      if (tell) tell(progress_);
      return Clock::now() < until_;
    });
    if (done.has_value()) progress_.recoveries = recoveries_before + done.value().figures.count.recoveries;
    return done;
  }

  void collect(const Round& round, const WorkReport& work) {
    report_.figures.add(work.figures);
    report_.figures.distinct_outcomes = work.figures.distinct_outcomes;
    report_.points = round.points == kUnknown ? 0 : static_cast<std::uint32_t>(round.points);
    report_.schedules = round.schedules;
    report_.points_done = report_.points_same = 0;
    report_.largest_bits = 0;
    report_.states = 0;
    report_.total_bits = -1;
    report_.coverage = report_.nested_coverage = Coverage{};
    for (const Round::Point& point : round.point) {
      if (!point.done) continue;
      ++report_.points_done;
      report_.states += point.report.states;
      if (point.report.same_as_before) {
        ++report_.points_same;
        continue;
      }
      report_.largest_bits = std::max(report_.largest_bits, point.report.bits);
      report_.total_bits = add_bits(report_.total_bits, point.report.bits);
      report_.coverage.add(point.report.coverage);
      report_.nested_coverage.add(point.report.nested_coverage);
    }
    report_.total_bits = std::max(report_.total_bits, 0.0);
  }

  const ExplorationPlan& plan_;
  ExplorationProgress progress_;
  Clock::time_point until_;
  CaseReport& report_;
};

}  // namespace

Result<ExplorationReport> explore_cases(const std::vector<Case>& cases, const ExplorationPlan& plan, const std::atomic<bool>& stop,
                                        const std::function<void(const ExplorationProgress&)>& progress) {
  using Ended = ExplorationReport::Ended;
  const auto began = Clock::now();
  constexpr double kForever = 1e9;
  const auto until = began + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(std::min(plan.most_time.count(), kForever)));
  ExplorationReport report;
  std::uint32_t most_nested = 0;
  for (const Case& one : cases) {
    report.cases.push_back({});
    report.cases.back().explored = one;
    most_nested = std::max(most_nested, nested_of(one));
  }
  for (std::uint32_t nested = 0; nested <= most_nested; ++nested) {
    for (std::size_t number = 0; number < cases.size() && report.ended == Ended::kDone; ++number) {
      if (nested > nested_of(cases[number])) continue;
      report.failing_case = number;
      ExplorationProgress before;
      before.case_number = number;
      before.nested = nested;
      before.recoveries = report.figures.count.recoveries;
      const auto tell = [&](ExplorationProgress now) {
        now.seconds = std::chrono::duration<double>(Clock::now() - began).count();
        if (progress) progress(now);
      };
      CaseRound round(plan, before, until, report.cases[number]);
      POWERCUT_TRY(report.ended, round.run(report, stop, tell));
      if (report.ended == Ended::kDone && Clock::now() >= until) report.ended = Ended::kBudget;
    }
  }
  report.figures.wall_seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return report;
}

std::optional<Case> simplest_case(const Case& explored, const ExplorePlan& limits, std::uint32_t failing_point,
                                  std::uint32_t failing_nested) {
  Case failing = explored;
  failing.setting.nested = failing_nested;
  const auto made = failing.setting.kind->make(failing.setting.options, failing.setting.defects);
  POWERCUT_ASSERT(made.has_value(), "the engine took these options before");
  Explorer explorer(*made.value(), failing.setting);
  const auto failure = explorer.explore(
      failing.steps, limits, [&](std::uint32_t point) { return point == failing_point; }, nullptr, nullptr, nullptr);
  if (!failure) return std::nullopt;

  const Finder finder = [&](const Steps& steps, const Failure& known, std::uint64_t& recoveries_left) {
    ExplorePlan plan = limits;
    plan.schedule = known.schedule;
    plan.only = known.violation.oracle;
    plan.most_at_point = std::min(plan.most_at_point, kSimplifyAtPoint);
    const std::uint64_t until = explorer.recoveries() + recoveries_left;
    auto found = explorer.explore(
        steps, plan, nullptr, nullptr, [&](std::uint64_t recoveries) { return recoveries >= until; }, nullptr);
    recoveries_left = until - std::min(until, explorer.recoveries());
    return found;
  };
  Searcher searcher(*made.value(), failing.setting);
  Shrunk shrunk = shrink(searcher, shrinkable(failing.steps), *failure, finder, kSimplifyRecoveries);
  failing.steps = std::move(shrunk.steps);
  failing.failure = std::move(shrunk.failure);
  complete(failing);
  return failing;
}

}  // namespace powercut::properties
