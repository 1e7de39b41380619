// The engine owes under each fault what it owes, and planted bugs that only a failing disk shows are found.
#include "properties/campaign.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <cstdlib>

namespace powercut::testing {
namespace {

using namespace properties;

Campaign campaign_with(const engine::EngineKind& kind, faultfs::FaultKind fault, const std::vector<std::string>& defects) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.defects = defects;
  plan.model = faultfs::preset("posix").value();
  plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
  plan.faults = {fault};
  return std::move(Campaign::make(plan)).value();
}

}  // namespace

TEST_CASE("the correct engine keeps what it owes under every fault") {
  const auto kind = recovery::make_ledger_kind();
  const std::uint64_t seeds = std::getenv("POWERCUT_DEEP") != nullptr ? 10'000 : 400;
  for (std::size_t fault = 0; fault < faultfs::fault_kinds().size(); ++fault) {
    auto campaign = campaign_with(*kind, static_cast<faultfs::FaultKind>(fault), {});
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      SearchCount count;
      const auto failure = campaign.run(seed, nullptr, count);
      INFO(faultfs::fault_kinds()[fault].name << " seed " << seed << ": " << (failure ? failure->violation.summary : ""));
      REQUIRE_FALSE(failure);
    }
  }
}

TEST_CASE("planted bugs that only a failing disk shows are found under it, and never without") {
  struct Found {
    std::string_view defect;
    std::string_view fault;
  };
  static constexpr Found kFound[] = {{"log-sync-retried", "failed-sync"},     {"recovered-log-unsynced", "failed-sync"},
                                     {"full-disk-skipped", "full-disk"},      {"page-write-error-ignored", "write-error"},
                                     {"page-written-short", "short-write"},   {"log-read-once", "short-read"},
                                     {"read-error-ends-log", "sector-error"}, {"unreadable-is-new", "read-error"},
                                     {"page-checksum-unchecked", "bit-rot"},  {"page-place-unchecked", "misdirected-write"}};
  const auto kind = recovery::make_ledger_kind();
  for (const auto& [defect, fault] : kFound) {
    auto campaign = campaign_with(*kind, faultfs::fault_kind(fault).value(), {std::string(defect)});
    std::optional<Failure> failure;
    std::uint64_t seed = 0;
    while (!failure && ++seed <= 3000) {
      SearchCount count;
      failure = campaign.run(seed, nullptr, count);
    }
    INFO(defect << " under " << fault);
    REQUIRE(failure);
    const auto simplest = campaign.simplest_case(seed);
    REQUIRE(simplest);
    CHECK(simplest->setting.fault);
  }
}

}  // namespace powercut::testing
