// Every planted bug is found, and found simple. They are the proof that the framework finds what it should.
#include "properties/campaign.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <algorithm>
#include <set>

namespace powercut::testing {
using namespace properties;

TEST_CASE("every planted bug is found within 20,000 crash states, and shrinks to five steps in the median") {
  const auto kind = recovery::make_ledger_kind();
  std::vector<std::size_t> steps;
  REQUIRE(kind->defects().size() >= 16);
  for (const engine::Defect& defect : kind->defects()) {
    // Random power failures do not reach the others; tests/engine/defects_test.cpp does.
    if (defect.needs != engine::Needs::kPowerFailure) continue;
    INFO(defect.name);
    CampaignPlan plan;
    plan.kind = kind.get();
    plan.defects = {std::string(defect.name)};
    plan.model = faultfs::preset("posix").value();
    plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
    auto campaign = std::move(Campaign::make(plan)).value();
    SearchCount count;
    std::uint64_t seed = 1;
    while (count.states < 20'000 && !campaign.run(seed, nullptr, count)) ++seed;
    REQUIRE(count.states < 20'000);
    const auto simplest = campaign.simplest_case(seed);
    REQUIRE(simplest);
    CHECK_FALSE(simplest->failure.violation.summary.empty());
    steps.push_back(simplest->steps.size());
  }
  std::sort(steps.begin(), steps.end());
  CHECK(steps[steps.size() / 2] <= 5);
}

TEST_CASE("without a planted bug the same search finds nothing") {
  const auto kind = recovery::make_ledger_kind();
  for (const faultfs::PresetInfo& model : faultfs::presets()) {
    CampaignPlan plan;
    plan.kind = kind.get();
    plan.model = faultfs::preset(model.name).value();
    plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
    auto campaign = std::move(Campaign::make(plan)).value();
    SearchCount count;
    std::set<std::uint64_t> outcomes;
    const std::uint64_t seeds = std::getenv("POWERCUT_DEEP") != nullptr ? 6000 : 600;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      INFO("model " << model.name << " seed " << seed);
      REQUIRE_FALSE(campaign.run(
          seed, [&](std::uint64_t outcome) { outcomes.insert(outcome); }, count));
    }
    CHECK(count.states > 10 * seeds);
    CHECK(outcomes.size() > seeds);
  }
}

}  // namespace powercut::testing
