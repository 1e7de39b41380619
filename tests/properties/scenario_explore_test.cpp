// Scenario files in every order: each interleaving of their sessions, and each crash state of each.
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "properties/replay.h"
#include "properties/scenario_workload.h"
#include "recovery/ledger_engine.h"
#include "tests/support/scenario_files.h"

#include <atomic>

namespace powercut::testing {
namespace {

using namespace properties;

// The case of a scenario file; nothing if it is one that cannot be explored.
std::optional<Case> case_of(const engine::EngineKind& kind, const std::string& text, std::vector<std::string> defects = {}) {
  const auto scenario = parse_scenario(text, "x");
  REQUIRE(scenario.has_value());
  auto explored = scenario_case(scenario.value());
  if (explored.has_error()) {
    CHECK(explored.error().code() == ErrorCode::kInvalidArgument);
    CHECK(explored.error().context().rfind("x:", 0) == 0);
    return std::nullopt;
  }
  Case made;
  made.setting.kind = &kind;
  made.setting.scenario = text;
  made.setting.own_workload = explored.value().workload;
  made.setting.workload = made.setting.own_workload.get();
  made.setting.model = scenario.value().model;
  for (const auto& each : scenario.value().options) made.setting.options.push_back(each.option);
  made.setting.defects = std::move(defects);
  made.setting.nested = 0;
  made.steps = std::move(explored).value().steps;
  set_for_exploration(made.setting);
  return made;
}

ExplorationReport explore(const Case& explored, std::uint32_t preemptions, std::uint32_t jobs = 1) {
  ExplorationPlan plan;
  plan.limits.most_preemptions = preemptions;
  plan.jobs = jobs;
  const std::atomic<bool> stop{false};
  auto report = explore_cases({explored}, plan, stop, nullptr);
  REQUIRE(report.has_value());
  return std::move(report).value();
}

std::string explored_file(const std::string& name) {
  return file_text(std::filesystem::path(POWERCUT_SCENARIOS) / "explored" / (name + ".scenario"));
}

}  // namespace

TEST_CASE("the scenarios for it hold in all interleavings that there are, in every crash state, and after a second crash") {
  const auto kind = recovery::make_ledger_kind();
  for (const std::string name : {"transfers-that-cross", "transfer-and-audit", "last-item"}) {
    INFO(name);
    auto explored = *case_of(*kind, explored_file(name));
    explored.setting.nested = 1;
    const auto report = explore(explored, 100);
    CHECK(report.ended == ExplorationReport::Ended::kDone);
    CHECK(report.cases[0].schedules.exhaustive);
    CHECK(report.cases[0].coverage.exhaustive);
    CHECK(report.cases[0].nested_coverage.exhaustive);
    CHECK(report.cases[0].schedules.schedules >= 150);
    CHECK(report.figures.distinct_outcomes >= 8);
  }
}

TEST_CASE("what no scenario file shows in its own order, another order does") {
  const auto kind = recovery::make_ledger_kind();
  struct Planted {
    std::string file;
    std::string defect;
    Oracle oracle;
  };
  for (const auto& [file, defect, oracle] : {Planted{"transfer-and-audit", "locks-before-log", Oracle::kIsolated},
                                             Planted{"transfers-that-cross", "deadlock-undetected", Oracle::kAlive},
                                             Planted{"transfers-that-cross", "victim-half-undone", Oracle::kConsistent},
                                             Planted{"last-item", "ack-before-sync", Oracle::kDurable}}) {
    INFO(file << " " << defect);
    const auto explored = case_of(*kind, explored_file(file), {defect});
    for (const std::uint32_t jobs : {1U, 3U}) {
      const auto report = explore(*explored, 2, jobs);
      REQUIRE(report.ended == ExplorationReport::Ended::kViolation);
      const auto simplest = simplest_case(*explored, {}, report.failing_point, report.failing_nested);
      REQUIRE(simplest);
      CHECK(simplest->failure.violation.oracle == oracle);
      // The file goes with the case, which fails the same way wherever it is read.
      std::vector<std::unique_ptr<engine::EngineKind>> engines;
      engines.push_back(recovery::make_ledger_kind());
      const auto read = case_from_json(to_json(*simplest), engines);
      REQUIRE(read.has_value());
      const auto replayed = replay(read.value(), true);
      REQUIRE(replayed.has_value());
      CHECK(replayed.value().trace_hash == simplest->trace_hash);
      CHECK(replayed.value().violation->summary == simplest->failure.violation.summary);
    }
  }
}

TEST_CASE("every scenario file that can be explored holds in other orders and in every crash state") {
  const auto kind = recovery::make_ledger_kind();
  std::size_t explored = 0;
  for (const auto& path : scenario_files()) {
    INFO(path.string());
    const auto one = case_of(*kind, file_text(path));
    if (!one) continue;
    ++explored;
    const auto report = explore(*one, 1);
    CHECK(report.ended == ExplorationReport::Ended::kDone);
    CHECK((report.cases[0].schedules.exhaustive || report.cases[0].schedules.preemptions == 1));
  }
  CHECK(explored >= 110);
}

}  // namespace powercut::testing
