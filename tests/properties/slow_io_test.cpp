// Campaigns in which every file operation lets other sessions go on.
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/replay.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::testing {
namespace {

using namespace properties;

CampaignPlan slow_plan(const engine::EngineKind& kind, std::string_view workload) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.model = faultfs::preset("posix").value();
  plan.workloads = {find_workload(workload).value()};
  plan.slow_io = true;
  return plan;
}

// The first seed that fails.
std::uint64_t failing_seed(Campaign& campaign, std::uint64_t most) {
  SearchCount count;
  std::uint64_t seed = 1;
  while (seed <= most && !campaign.run(seed, nullptr, count)) ++seed;
  REQUIRE(seed <= most);
  return seed;
}

}  // namespace

TEST_CASE("with slow I/O nothing is found, whatever the options") {
  const std::uint64_t seeds = std::getenv("POWERCUT_DEEP") != nullptr ? 2000 : 60;
  const std::vector<engine::Option> all = {{"early-release", "yes"}, {"log-block", "512"}, {"page-batch", "4"}, {"frames", "8"}};
  const auto kind = recovery::make_ledger_kind();
  for (const std::string_view workload : {"sessions", "orders", "ddl"}) {
    for (const bool with_options : {false, true}) {
      CampaignPlan plan = slow_plan(*kind, workload);
      if (with_options) plan.options = all;
      auto campaign = std::move(Campaign::make(plan)).value();
      SearchCount count;
      for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto failure = campaign.run(seed, nullptr, count);
        INFO(workload << (with_options ? " with options" : "") << " seed " << seed
                      << (failure ? ": " + failure->violation.summary : ""));
        REQUIRE_FALSE(failure);
      }
      CHECK(count.states > seeds);
    }
  }
}

TEST_CASE("with slow I/O planted bugs of concurrency are found, and replay from their files to the same trace") {
  std::vector<std::unique_ptr<engine::EngineKind>> engines;
  engines.push_back(recovery::make_ledger_kind());
  for (const char* const defect : {"locks-before-log", "ack-of-other-sync"}) {
    INFO(defect);
    CampaignPlan plan = slow_plan(*engines[0], "sessions");
    plan.defects = {defect};
    auto campaign = std::move(Campaign::make(plan)).value();
    const auto found = campaign.simplest_case(failing_seed(campaign, 300));
    REQUIRE(found);
    CHECK(found->setting.slow_io);
    const auto read = case_from_json(to_json(*found), engines);
    REQUIRE(read.has_value());
    CHECK(read.value().setting.slow_io);
    for (const bool narrate : {false, true}) {
      const auto replayed = replay(read.value(), narrate);
      REQUIRE(replayed.has_value());
      CHECK(replayed.value().trace_hash == found->trace_hash);
      REQUIRE(replayed.value().violation);
      CHECK(replayed.value().violation->summary == found->failure.violation.summary);
    }
    // Where I/O suspends nobody it is another run.
    Case fast = *found;
    fast.setting.slow_io = false;
    CHECK(replay(fast, false).value().trace_hash != found->trace_hash);
  }
}

}  // namespace powercut::testing
