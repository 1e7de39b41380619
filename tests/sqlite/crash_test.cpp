// SQLite when the power fails: each mode keeps what SQLite's documentation promises of it, and no more than that is promised.
#include "engine/sqlite/sqlite_engine.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "tests/support/findings.h"
#include "tests/support/property.h"

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

namespace powercut::testing {
namespace {

using namespace properties;

CampaignPlan plan_of(const engine::EngineKind& kind, const std::vector<engine::Option>& options,
                     JudgedBy judged_by = JudgedBy::kGuarantee) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.judged_by = judged_by;
  plan.options = options;
  plan.model = faultfs::preset("posix").value();
  plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
  return plan;
}

bool promises_all(const engine::EngineKind& kind, const engine::Mode& mode) {
  const auto promised = kind.make(mode.options, {}).value()->guarantee(faultfs::preset("posix").value());
  return promised.recovers && promised.durable && promised.ordered && promised.atomic && promised.consistent;
}

// The first of the seeds that fails, if any does.
std::optional<std::uint64_t> failing_seed(Campaign& campaign, std::uint64_t seeds) {
  SearchCount count;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (campaign.run(seed, nullptr, count)) return seed;
  }
  return std::nullopt;
}

std::string trace_of_failure(const engine::EngineKind& kind) {
  const auto plan = plan_of(kind, {{"synchronous", "normal"}, {"journal", "persist"}}, JudgedBy::kAll);
  auto campaign = std::move(Campaign::make(plan)).value();
  const auto seed = failing_seed(campaign, 100);
  const auto found = seed ? campaign.simplest_case(*seed) : std::nullopt;
  return found ? hash_text(found->trace_hash) : "none";
}

}  // namespace

TEST_CASE("modes of SQLite that promise everything keep it") {
  const auto kind = engine::make_sqlite_kind();
  std::size_t modes = 0;
  for (const engine::Mode& mode : kind->modes()) {
    if (!promises_all(*kind, mode)) continue;
    INFO(mode.name);
    auto campaign = std::move(Campaign::make(plan_of(*kind, mode.options))).value();
    CHECK(failing_seed(campaign, std::getenv("POWERCUT_DEEP") != nullptr ? 1000 : 60) == std::nullopt);
    ++modes;
  }
  CHECK(modes == 7);
}

TEST_CASE("modes of SQLite that do not promise everything keep what they promise, and not everything") {
  const auto kind = engine::make_sqlite_kind();
  for (const engine::Mode& mode : kind->modes()) {
    if (promises_all(*kind, mode)) continue;
    INFO(mode.name);
    auto campaign = std::move(Campaign::make(plan_of(*kind, mode.options))).value();
    CHECK(failing_seed(campaign, 60) == std::nullopt);
    auto held_to_all = std::move(Campaign::make(plan_of(*kind, mode.options, JudgedBy::kAll))).value();
    CHECK(failing_seed(held_to_all, 60) != std::nullopt);
  }
}

TEST_CASE("SQLite without powersafe overwrite promises nothing less, with it nothing where writes harm their neighbours") {
  const auto kind = engine::make_sqlite_kind();
  auto model = faultfs::preset("posix").value();
  model.in_flight_garbage = true;
  for (const auto psow : {"yes", "no"}) {
    const std::vector<engine::Option> options{{"psow", psow}};
    CHECK(kind->make(options, {}).value()->guarantee(model).recovers == (psow == std::string_view("no")));
  }
}

TEST_CASE("every crash state of ten transfers holds with SQLite's log, and with a journal that is kept") {
  const auto kind = engine::make_sqlite_kind();
  const std::atomic<bool> stop{false};
  for (const auto journal : {"wal", "persist"}) {
    INFO(journal);
    auto plan = plan_of(*kind, {{"journal", journal}, {"synchronous", "full"}});
    plan.workloads = {find_workload("bank").value()};
    plan.nested = 0;
    plan.steps = {10, 10};
    set_for_exploration(plan);
    const auto campaign = std::move(Campaign::make(plan)).value();
    const auto explored = explore_cases({campaign.case_of(1)}, {}, stop, nullptr);
    REQUIRE(explored.has_value());
    CHECK(explored.value().ended == ExplorationReport::Ended::kDone);
    CHECK(explored.value().cases.front().coverage.exhaustive);
    CHECK(explored.value().cases.front().total_bits > 12);
  }
}

TEST_CASE("disks that report their errors cost SQLite nothing that it promised, unless a sync fails") {
  const auto kind = engine::make_sqlite_kind();
  for (const auto fault : {faultfs::FaultKind::kReadError, faultfs::FaultKind::kWriteError, faultfs::FaultKind::kFullDisk,
                           faultfs::FaultKind::kShortRead, faultfs::FaultKind::kShortWrite}) {
    for (const auto journal : {"wal", "persist"}) {
      INFO(faultfs::info(fault).name << " " << journal);
      auto plan = plan_of(*kind, {{"journal", journal}, {"synchronous", "full"}});
      plan.faults = {fault};
      auto campaign = std::move(Campaign::make(plan)).value();
      CHECK(failing_seed(campaign, 60) == std::nullopt);
    }
  }
}

TEST_CASE("SQLite leaves the same trace again, in one process and in another") {
  const auto kind = engine::make_sqlite_kind();
  const std::string trace = trace_of_failure(*kind);
  REQUIRE(trace != "none");
  CHECK(trace_of_failure(*kind) == trace);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string its_trace = trace_of_failure(*kind);
    _exit(write(ends[1], its_trace.data(), its_trace.size()) == static_cast<ssize_t>(its_trace.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string its_trace(trace.size(), ' ');
  CHECK(read(ends[0], its_trace.data(), its_trace.size()) == static_cast<ssize_t>(its_trace.size()));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(its_trace == trace);
}

TEST_CASE("what was found of SQLite can be seen again") {
  // Another release may do other things with its files; then a case is another one.
  if (std::string_view(sqlite3_libversion()) != "3.40.1") return;
  CHECK(replay_findings(engine::make_sqlite_kind(), POWERCUT_SQLITE_FINDINGS) == 5);
}

}  // namespace powercut::testing
