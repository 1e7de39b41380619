// Every case in which powercut once found a bug of ours must pass from now on.
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "properties/replay.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <atomic>
#include <filesystem>

namespace powercut::testing {
using namespace properties;

TEST_CASE("a bug that was found once does not come back") {
  std::vector<std::unique_ptr<engine::EngineKind>> engines;
  engines.push_back(recovery::make_ledger_kind());
  const std::atomic<bool> stop{false};
  std::size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(POWERCUT_REGRESSIONS)) {
    INFO(entry.path().string());
    const auto found = read_case_file(entry.path().string(), engines);
    REQUIRE(found.has_value());
    const auto replayed = replay(found.value(), false);
    REQUIRE(replayed.has_value());
    CHECK_FALSE(replayed.value().violation);
    // And nothing like it: the whole case, explored, in the interleaving in which it was found.
    ExplorationPlan plan;
    plan.limits.schedule = found.value().failure.schedule;
    const bool alone = found.value().setting.workload->sessions() == 1;
    if (!alone) plan.limits.most_at_point = 1'000;  // their logs are longer than the others'
    const auto explored = explore_cases({found.value()}, plan, stop, nullptr);
    REQUIRE(explored.has_value());
    CHECK(explored.value().ended == ExplorationReport::Ended::kDone);
    CHECK((explored.value().cases.front().coverage.exhaustive || !alone));
    ++cases;
  }
  CHECK(cases >= 2);
}

}  // namespace powercut::testing
