// How much does it take to find each planted bug? For 20 first seeds each, the crash states of `powercut run`; beside it the
// recoveries of `powercut explore`. Both as they are by default but for
// the workloads, those of one session, and with one job; the tables of docs/DEFECTS.md. The numbers
// are counts, the same on every machine. With the argument `explore` that column alone, in a minute or two.
#include "faultfs/assert.h"
#include "properties/campaign.h"
#include "properties/exploration.h"
#include "recovery/ledger_engine.h"
#include "tools/explore_defaults.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <string_view>
#include <vector>

namespace powercut {
namespace {

constexpr std::uint64_t kStarts = 20;
constexpr std::uint64_t kSeedsBetweenStarts = 100'000;
constexpr std::uint64_t kMostStates = 1'000'000;

properties::CampaignPlan plan_for(const engine::EngineKind& kind, const engine::Defect& defect) {
  properties::CampaignPlan plan;
  plan.kind = &kind;
  plan.defects = {std::string(defect.name)};
  plan.model = faultfs::preset("posix").value();
  plan.workloads.assign(properties::workloads_alone().begin(), properties::workloads_alone().end());
  return plan;
}

// Recoveries until exploration meets the first violation, and how many further crashes that took; "none" if it does not.
std::string explored(properties::CampaignPlan plan) {
  set_for_exploration(plan);
  plan.steps.least = plan.steps.most = tools::kExploreSteps;
  plan.long_of_16 = tools::kExploreLongOf16;
  const auto campaign = std::move(properties::Campaign::make(plan)).value();
  std::vector<properties::Case> cases;
  for (std::uint64_t seed = 1; seed <= tools::kExploreSeeds; ++seed) cases.push_back(campaign.case_of(seed));
  properties::ExplorationPlan exploration;
  exploration.limits.most_at_point = tools::kExploreAtPoint;
  exploration.limits.most_further = tools::kExploreFurther;
  const std::atomic<bool> stop{false};
  const auto report = properties::explore_cases(cases, exploration, stop, nullptr);
  POWERCUT_ASSERT(report.has_value(), "the default exploration can be run");
  if (report.value().ended != properties::ExplorationReport::Ended::kViolation) return "none | ";
  return fmt::format("{} | {}", report.value().figures.count.recoveries, report.value().failing_nested);
}

// The crash states of `powercut run`, and the steps of the shrunk case.
std::string searched(properties::CampaignPlan plan) {
  auto campaign = std::move(properties::Campaign::make(std::move(plan))).value();
  std::vector<std::uint64_t> states;
  std::vector<std::size_t> steps;
  for (std::uint64_t start = 0; start < kStarts; ++start) {
    properties::SearchCount count;
    std::uint64_t seed = 1 + start * kSeedsBetweenStarts;
    while (count.states < kMostStates && !campaign.run(seed, nullptr, count)) ++seed;
    states.push_back(count.states);
    const auto simplest = campaign.simplest_case(seed);
    POWERCUT_ASSERT(simplest.has_value(), "a seed that failed fails again");
    steps.push_back(simplest->steps.size());
  }
  std::sort(states.begin(), states.end());
  std::sort(steps.begin(), steps.end());
  return fmt::format("{} | {} | {}", states[kStarts / 2], states.back(), steps[kStarts / 2]);
}

int run(bool explores_only) {
  const auto kind = recovery::make_ledger_kind();
  fmt::print(
      "| defect | what it is | crash states, median | most | steps of the shrunk case, median | explore: recoveries | further "
      "crashes |\n| --- | --- | --- | --- | --- | --- | --- |\n");
  for (const engine::Defect& defect : kind->defects()) {
    if (defect.needs == engine::Needs::kFault) continue;
    const auto plan = plan_for(*kind, defect);
    const bool searches = !explores_only && defect.needs == engine::Needs::kPowerFailure;
    fmt::print("| `{}` | {} | {} | {} |\n", defect.name, defect.summary, searches ? searched(plan) : " | | ", explored(plan));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace powercut

int main(int count, char** arguments) { return powercut::run(count > 1 && std::string_view(arguments[1]) == "explore"); }
