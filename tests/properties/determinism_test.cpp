// The same seed gives the same bytes: in every build, with every number of jobs, from a seed or from a file.
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/replay.h"
#include "properties/workers.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <atomic>

namespace powercut::testing {
namespace {

using namespace properties;

CampaignPlan plan_with(const engine::EngineKind& kind, std::string_view defect) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.defects = {std::string(defect)};
  plan.model = faultfs::preset("posix").value();
  plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
  return plan;
}

}  // namespace

TEST_CASE("a seed's steps, failure and trace are the same in every build") {
  // Recorded once; release, debug, sanitizer and clang builds must all give them.
  struct Golden {
    std::string_view defect;
    std::uint64_t seed;
    std::string_view trace_hash;
    std::string_view workload = {};  // else those of one session take turns
  };
  static constexpr Golden kGolden[] = {
      {"ack-before-sync", 1, "fa9bbba306e98859"},
      {"no-page-image", 2, "3211833c23d9e5eb"},
      {"unique-index-unlogged", 2, "217d0a938775b791"},
      {"ack-before-sync", 1, "18860ae3e448c338", "sessions"},
      {"committed-read-unlocked", 6, "2e6d042574e70a1b", "sessions"},
      {"ack-before-sync", 2, "bba3e0d0f3e3caca", "orders"},
      {"write-lock-short", 34, "41c003232ee6c02f", "orders"},
  };
  const auto kind = recovery::make_ledger_kind();
  for (const Golden& golden : kGolden) {
    CampaignPlan plan = plan_with(*kind, golden.defect);
    if (!golden.workload.empty()) plan.workloads = {find_workload(golden.workload).value()};
    auto campaign = std::move(Campaign::make(plan)).value();
    const auto found = campaign.simplest_case(golden.seed);
    INFO(golden.defect << " " << golden.workload);
    REQUIRE(found);
    CHECK(hash_text(found->trace_hash) == golden.trace_hash);
  }
}

TEST_CASE("a case file replays to the trace that it records") {
  std::vector<std::unique_ptr<engine::EngineKind>> engines;
  engines.push_back(recovery::make_ledger_kind());
  for (const std::string_view defect : {"no-undo", "checkpoint-forgets-active", "control-rewritten"}) {
    auto campaign = std::move(Campaign::make(plan_with(*engines[0], defect))).value();
    SearchCount count;
    std::uint64_t seed = 1;
    while (!campaign.run(seed, nullptr, count)) ++seed;
    const auto found = campaign.simplest_case(seed);
    REQUIRE(found);
    const auto read = case_from_json(to_json(*found), engines);
    REQUIRE(read.has_value());
    for (const bool narrate : {false, true}) {
      const auto replayed = replay(read.value(), narrate);
      REQUIRE(replayed.has_value());
      CHECK(replayed.value().trace_hash == found->trace_hash);
      REQUIRE(replayed.value().violation);
      CHECK(replayed.value().violation->summary == found->failure.violation.summary);
    }
    // One pick more or less is another trace.
    Case other = *found;
    other.failure.crash_point = found->failure.crash_point == 0 ? 1 : found->failure.crash_point - 1;
    CHECK(replay(other, false).value().trace_hash != found->trace_hash);
  }
}

TEST_CASE("the lowest failing seed is found with any number of jobs") {
  const auto kind = recovery::make_ledger_kind();
  const std::atomic<bool> stop{false};
  std::optional<std::uint64_t> expected;
  for (const std::uint32_t jobs : {1U, 2U, 5U}) {
    auto campaign = std::move(Campaign::make(plan_with(*kind, "drop-frees-early"))).value();
    const auto report = run_campaign(campaign, {1, 2000, jobs}, stop, nullptr);
    REQUIRE(report.has_value());
    REQUIRE(report.value().failing_item);
    if (!expected) expected = report.value().failing_item;
    CHECK(report.value().failing_item == expected);
  }
}

TEST_CASE("without a failure every number of jobs counts the same") {
  const auto kind = recovery::make_ledger_kind();
  const std::atomic<bool> stop{false};
  CampaignPlan plan = plan_with(*kind, "ack-before-sync");
  plan.defects.clear();
  std::vector<std::uint64_t> counts;
  for (const std::uint32_t jobs : {1U, 3U}) {
    auto campaign = std::move(Campaign::make(plan)).value();
    const auto report = run_campaign(campaign, {1, 60, jobs}, stop, nullptr).value();
    CHECK_FALSE(report.failing_item);
    counts.push_back(report.figures.items);
    counts.push_back(report.figures.count.states);
    counts.push_back(report.figures.count.recoveries);
    counts.push_back(report.figures.distinct_outcomes);
  }
  CHECK(std::equal(counts.begin(), counts.begin() + 4, counts.begin() + 4));
}

}  // namespace powercut::testing
