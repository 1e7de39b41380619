// LevelDB under power failures: where it keeps what it promises, and the cases in which it does not (docs/FINDINGS.md).
#include "engine/leveldb/leveldb_engine.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/promises.h"
#include "tests/support/findings.h"
#include "tests/support/property.h"

#include <algorithm>

namespace powercut::testing {
namespace {

using namespace properties;

// The first of these seeds that fails in the mode.
std::optional<Failure> first_failure(std::string_view mode, std::string_view model, std::uint64_t seeds,
                                     JudgedBy judged_by = JudgedBy::kGuarantee) {
  const auto kind = engine::make_leveldb_kind();
  const auto modes = kind->modes();
  CampaignPlan plan;
  plan.kind = kind.get();
  plan.model = faultfs::preset(model).value();
  plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
  plan.options = std::find_if(modes.begin(), modes.end(), [&](const auto& each) { return each.name == mode; })->options;
  plan.judged_by = judged_by;
  auto campaign = std::move(Campaign::make(plan)).value();
  SearchCount count;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (auto failure = campaign.run(seed, nullptr, count)) return failure;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("with synced writes LevelDB keeps its promises where names are journalled and appends come before sizes") {
  for (const auto model : {"ext4-ordered", "xfs", "prefix"}) {
    for (const auto mode : {"sync", "sync-paranoid"}) {
      const auto failure = first_failure(mode, model, 60);
      INFO(mode << " " << model << (failure ? ": " + failure->violation.summary : ""));
      CHECK_FALSE(failure);
    }
  }
}

TEST_CASE("without synced writes LevelDB loses acknowledged transactions, and only the last where nothing is reordered") {
  CHECK_FALSE(first_failure("nosync", "prefix", 60));
  const auto lost = first_failure("nosync", "prefix", 60, JudgedBy::kAll);
  REQUIRE(lost);
  CHECK(lost->violation.oracle == Oracle::kDurable);
  const auto hole = first_failure("nosync", "ext4-ordered", 60);
  REQUIRE(hole);
  CHECK(hole->violation.oracle == Oracle::kOrdered);
}

TEST_CASE("each finding replays to the violation and the trace that its file records") {
  CHECK(replay_findings(engine::make_leveldb_kind(), POWERCUT_LEVELDB_FINDINGS) >= 10);
}

}  // namespace powercut::testing
