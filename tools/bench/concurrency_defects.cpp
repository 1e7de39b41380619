// How much does it take to find each planted bug of concurrency? For five first seeds each the cases of `powercut run`, and the
// recoveries of `powercut explore`, by workload; both as they are by default but with one job. The table of docs/DEFECTS.md. The
// numbers are counts, the same on every machine. With names of defects as arguments, those alone.
#include "faultfs/assert.h"
#include "properties/campaign.h"
#include "properties/exploration.h"
#include "recovery/ledger_engine.h"
#include "tools/explore_defaults.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace powercut {
namespace {

constexpr std::uint64_t kStarts = 5;
constexpr std::uint64_t kSeedsBetweenStarts = 100'000;
constexpr std::uint64_t kMostCases = 2'000;
constexpr std::array<std::string_view, 3> kWorkloads{"sessions", "orders", "ddl"};

properties::CampaignPlan plan_for(const engine::EngineKind& kind, const engine::Defect& defect, std::string_view workload) {
  properties::CampaignPlan plan;
  plan.kind = &kind;
  plan.defects = {std::string(defect.name)};
  plan.model = faultfs::preset("posix").value();
  plan.workloads = {properties::find_workload(workload).value()};
  return plan;
}

// "isolated, lost update"; of other oracles the name alone.
std::string name_of(const properties::Violation& violation) {
  const std::string name(to_string(violation.oracle));
  return violation.oracle == properties::Oracle::kIsolated ? violation.summary.substr(0, violation.summary.find(':')) : name;
}

struct Searched {
  std::uint64_t cases = 0;  // the median
  std::string text;
};

Searched searched(properties::CampaignPlan plan, std::map<std::string, int>& names) {
  auto campaign = std::move(properties::Campaign::make(std::move(plan))).value();
  std::vector<std::uint64_t> cases;
  std::vector<std::uint64_t> states;
  std::vector<std::size_t> steps;
  for (std::uint64_t start = 0; start < kStarts; ++start) {
    properties::SearchCount count;
    const std::uint64_t first = 1 + start * kSeedsBetweenStarts;
    std::uint64_t seed = first;
    std::optional<properties::Failure> failure;
    while (seed < first + kMostCases && !(failure = campaign.run(seed, nullptr, count))) ++seed;
    cases.push_back(seed - first + 1);
    states.push_back(count.states);
    if (!failure) continue;
    ++names[name_of(failure->violation)];
    const auto simplest = campaign.simplest_case(seed);
    POWERCUT_ASSERT(simplest.has_value(), "a seed that failed fails again");
    steps.push_back(simplest->steps.size());
  }
  std::sort(cases.begin(), cases.end());
  std::sort(states.begin(), states.end());
  std::sort(steps.begin(), steps.end());
  if (cases[kStarts / 2] > kMostCases) return {cases[kStarts / 2], "not in " + std::to_string(kMostCases) + " | | "};
  return {cases[kStarts / 2],
          fmt::format("{} | {} | {} | {}", cases[kStarts / 2], cases.back() > kMostCases ? "-" : std::to_string(cases.back()),
                      states[kStarts / 2], steps[steps.size() / 2])};
}

std::string explored(properties::CampaignPlan plan) {
  set_for_exploration(plan);
  plan.steps.least = plan.steps.most = tools::kExploreSteps;
  plan.side_by_side_steps = tools::kExploreStepsSideBySide;
  const auto campaign = std::move(properties::Campaign::make(plan)).value();
  std::vector<properties::Case> cases;
  for (std::uint64_t seed = 1; seed <= tools::kExploreSeeds; ++seed) cases.push_back(campaign.case_of(seed));
  properties::ExplorationPlan exploration;
  exploration.limits.most_at_point = tools::kExploreAtPoint;
  exploration.limits.most_further = tools::kExploreFurther;
  exploration.limits.most_preemptions = tools::kExplorePreemptions;
  exploration.limits.most_schedules = tools::kExploreSchedules;
  exploration.limits.sampled_schedules = tools::kExploreSampledSchedules;
  exploration.most_recoveries = 3'000'000;
  const std::atomic<bool> stop{false};
  const auto report = properties::explore_cases(cases, exploration, stop, nullptr);
  POWERCUT_ASSERT(report.has_value(), "the default exploration can be run");
  const auto& result = report.value();
  if (result.ended != properties::ExplorationReport::Ended::kViolation) {
    return fmt::format("none in {} ({:.0f} s)", result.figures.count.recoveries, result.figures.wall_seconds);
  }
  return fmt::format("{} (case {}, {:.0f} s)", result.figures.count.recoveries, result.failing_case + 1,
                     result.figures.wall_seconds);
}

int run(std::vector<std::string_view> wanted) {
  const auto kind = recovery::make_ledger_kind();
  const bool no_explore = !wanted.empty() && wanted.front() == "run";
  const bool no_run = !wanted.empty() && wanted.front() == "explore";
  if (no_explore || no_run) wanted.erase(wanted.begin());
  std::vector<std::string_view> workloads(kWorkloads.begin(), kWorkloads.end());
  for (const std::string_view known : kWorkloads) {
    if (std::erase(wanted, known) > 0) workloads = {known};
  }
  for (const engine::Defect& defect : kind->defects()) {
    if (defect.needs != engine::Needs::kSessions) continue;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), defect.name) == wanted.end()) continue;
    for (const std::string_view workload : workloads) {
      std::map<std::string, int> names;
      const auto plan = plan_for(*kind, defect, workload);
      const std::string found = no_run ? "" : searched(plan, names).text;
      const std::string systematically = no_explore ? "" : explored(plan);
      fmt::print("| `{}` | {} | {} | {} |", defect.name, workload, found, systematically);
      for (const auto& [name, times] : names) fmt::print(" {}×{}", name, times);
      fmt::print("\n");
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace powercut

int main(int count, char** arguments) { return powercut::run({arguments + 1, arguments + count}); }
