// RocksDB and power failures: the modes keep what they promise, and what was found is found again.
#include "engine/rocksdb/rocksdb_engine.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "tests/support/findings.h"
#include "tests/support/property.h"

#include <atomic>

namespace powercut::testing {
namespace {

using namespace properties;

CampaignPlan plan_for(const engine::EngineKind& kind, std::string_view model, std::vector<engine::Option> options) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.options = std::move(options);
  plan.model = faultfs::preset(model).value();
  plan.workloads = {find_workload("bank").value(), find_workload("kv").value()};
  return plan;
}

void check_seeds(const CampaignPlan& plan, std::uint64_t seeds) {
  auto campaign = std::move(Campaign::make(plan)).value();
  SearchCount count;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto failure = campaign.run(seed, nullptr, count);
    INFO("seed " << seed << (failure ? ": " + failure->violation.summary : ""));
    REQUIRE_FALSE(failure);
  }
}

// Each value that is worth trying of every option that promises as much as the first.
const std::vector<engine::Option> kSynced{
    {"wal", "on"}, {"sync", "yes"}, {"recovery", "point-in-time"}, {"directory-sync", "always"}};

}  // namespace

TEST_CASE("rocksdb with synced writes keeps all that it promises") {
  const auto kind = engine::make_rocksdb_kind();
  for (const std::string_view model : {"ext4-ordered", "xfs", "btrfs"}) {
    INFO(model);
    check_seeds(plan_for(*kind, model, kSynced), 12);
  }
  auto as_on_btrfs = kSynced;
  as_on_btrfs.back().value = "as-on-btrfs";
  check_seeds(plan_for(*kind, "btrfs", as_on_btrfs), 12);
}

TEST_CASE("rocksdb with synced writes keeps all that it promises through errors of the disk") {
  const auto kind = engine::make_rocksdb_kind();
  CampaignPlan plan = plan_for(*kind, "ext4-ordered", kSynced);
  plan.faults = {faultfs::FaultKind::kWriteError, faultfs::FaultKind::kFailedSync, faultfs::FaultKind::kFullDisk,
                 faultfs::FaultKind::kReadError};
  check_seeds(plan, 24);
}

TEST_CASE("rocksdb that finds the disk full in a compaction does not try for ever") {
  const auto kind = engine::make_rocksdb_kind();
  auto options = kSynced;
  options.push_back({"track-wals", "no"});
  CampaignPlan plan = plan_for(*kind, "ext4-ordered", std::move(options));
  plan.workloads.push_back(find_workload("savepoints").value());
  plan.faults = {faultfs::FaultKind::kFullDisk};
  auto campaign = std::move(Campaign::make(plan)).value();
  SearchCount count;
  CHECK_FALSE(campaign.run(37, nullptr, count));
}

TEST_CASE("rocksdb that does not sync is seen to lose what it acknowledged") {
  const auto kind = engine::make_rocksdb_kind();
  CampaignPlan plan = plan_for(*kind, "ext4-ordered", {{"wal", "on"}, {"sync", "no"}, {"flush", "manual"}});
  plan.judged_by = JudgedBy::kAll;
  auto campaign = std::move(Campaign::make(plan)).value();
  SearchCount count;
  const auto failure = campaign.run(1, nullptr, count);
  REQUIRE(failure);
  CHECK(failure->violation.oracle == Oracle::kDurable);
}

TEST_CASE("what was found about rocksdb is found again") {
  CHECK(replay_findings(engine::make_rocksdb_kind(), POWERCUT_FINDINGS) == 7);
}

}  // namespace powercut::testing
