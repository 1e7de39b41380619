// How many crash states does it take to find each planted bug? For 20 first seeds each, `powercut run` as it is by
// default, one job; the table of docs/DEFECTS.md. The numbers are counts, the same on every machine.
#include "faultfs/assert.h"
#include "properties/campaign.h"
#include "recovery/ledger_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace powercut {
namespace {

constexpr std::uint64_t kStarts = 20;
constexpr std::uint64_t kSeedsBetweenStarts = 100'000;
constexpr std::uint64_t kMostStates = 1'000'000;

int run() {
  const auto kind = recovery::make_ledger_kind();
  fmt::print(
      "| defect | what it is | crash states, median | most | steps of the shrunk case, median |\n| --- | --- | --- | --- | --- "
      "|\n");
  for (const engine::Defect& defect : kind->defects()) {
    if (defect.needs != engine::Needs::kPowerFailure) continue;
    properties::CampaignPlan plan;
    plan.kind = kind.get();
    plan.defects = {std::string(defect.name)};
    plan.model = faultfs::preset("posix").value();
    plan.workloads.assign(properties::workloads().begin(), properties::workloads().end());
    auto campaign = std::move(properties::Campaign::make(plan)).value();
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
    fmt::print("| `{}` | {} | {} | {} | {} |\n", defect.name, defect.summary, states[kStarts / 2], states.back(),
               steps[kStarts / 2]);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace powercut

int main() { return powercut::run(); }
