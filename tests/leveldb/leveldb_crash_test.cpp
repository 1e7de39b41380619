// LevelDB under power failures: where it keeps what it promises, and the cases in which it does not (docs/FINDINGS.md).
#include "engine/leveldb/leveldb_engine.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/replay.h"
#include "tests/support/property.h"

#include <filesystem>

namespace powercut::testing {
namespace {

using namespace properties;

// The first of these seeds that fails.
std::optional<Failure> first_failure(std::string_view model, std::vector<engine::Option> options, std::uint64_t seeds) {
  const auto kind = engine::make_leveldb_kind();
  CampaignPlan plan;
  plan.kind = kind.get();
  plan.model = faultfs::preset(model).value();
  plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
  plan.options = std::move(options);
  auto campaign = std::move(Campaign::make(plan)).value();
  SearchCount count;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (auto failure = campaign.run(seed, nullptr, count)) return failure;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("with synced writes LevelDB loses nothing where names are journalled") {
  for (const auto model : {"ext4-ordered", "xfs", "prefix"}) {
    const auto failure = first_failure(model, {{"sync", "yes"}, {"reuse-logs", "no"}, {"paranoid-checks", "no"}}, 60);
    INFO(model << (failure ? ": " + failure->violation.summary : ""));
    CHECK_FALSE(failure);
  }
}

TEST_CASE("without synced writes LevelDB loses acknowledged transactions") {
  const auto failure = first_failure("ext4-ordered", {{"sync", "no"}, {"reuse-logs", "no"}, {"paranoid-checks", "no"}}, 60);
  REQUIRE(failure);
  CHECK(failure->violation.oracle == Oracle::kDurable);
}

TEST_CASE("each finding replays to the violation and the trace that its file records") {
  std::vector<std::unique_ptr<engine::EngineKind>> engines;
  engines.push_back(engine::make_leveldb_kind());
  std::size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(POWERCUT_LEVELDB_FINDINGS)) {
    INFO(entry.path().string());
    const auto found = read_case_file(entry.path().string(), engines);
    REQUIRE(found.has_value());
    for (int time = 0; time < 2; ++time) {
      const auto replayed = replay(found.value(), false);
      REQUIRE(replayed.has_value());
      REQUIRE(replayed.value().violation);
      CHECK(replayed.value().violation->summary == found.value().failure.violation.summary);
      CHECK(replayed.value().trace_hash == found.value().trace_hash);
    }
    ++cases;
  }
  CHECK(cases >= 2);
}

}  // namespace powercut::testing
