// Every planted bug is found, and found simple. They are the proof that the framework finds what it should.
#include "properties/campaign.h"
#include "properties/explore.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

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

namespace {

// "aborted read (G1a)"; of other oracles than isolation the name of the oracle.
std::string name_of(const Violation& violation) {
  const std::string summary = violation.summary;
  return violation.oracle == Oracle::kIsolated ? summary.substr(0, summary.find(':')) : std::string(to_string(violation.oracle));
}

// A planted bug of concurrency, what it may rightly be called, and a case of two sessions that is as small as can be.
struct Concurrency {
  std::string_view defect;
  std::string_view workload;
  std::vector<std::string_view> names;  // begin with
  std::uint32_t count = 2;              // rows of the set-up
  Steps steps = {};
};

Step step(std::uint32_t session, engine::Isolation level, std::vector<Operation> operations, bool commits = true) {
  Step made;
  made.session = session;
  made.isolation = level;
  made.commit = commits;
  made.operations = std::move(operations);
  return made;
}

std::vector<Concurrency> concurrency_defects() {
  using Kind = OperationKind;
  constexpr auto kCommitted = engine::Isolation::kReadCommitted;
  constexpr auto kRepeatable = engine::Isolation::kRepeatableRead;
  constexpr auto kSerializable = engine::Isolation::kSerializable;
  const Operation open_2{Kind::kInsert, 1, 2, 0, 0};
  const Operation open_3{Kind::kInsert, 1, 3, 0, 0};
  const Operation look_at_2{Kind::kGet, 1, 2, 0, 0};
  const Operation look_at_all{Kind::kScan, 1, 0, 9, 0};
  const Operation hold_0{Kind::kGetForUpdate, 1, 0, 0, 0};
  const Operation hold_1{Kind::kGetForUpdate, 1, 1, 0, 0};
  const Operation transfer{Kind::kTransfer, 1, 0, 1, 1};
  const Operation save{Kind::kSavepoint, 1, 0, 0, 0};
  const Operation back{Kind::kRollbackTo, 1, 0, 0, 0};
  Step checkpoint;
  checkpoint.kind = StepKind::kCheckpoint;
  checkpoint.session = 1;
  return {
      // A reader is told of a transaction that a crash undoes.
      {"locks-before-log", "sessions", {"aborted read"}, 2, {step(0, kCommitted, {open_2}), step(1, kCommitted, {look_at_2})}},
      // A statement that changes the rows of a range keeps those that it leaves alone by the range alone: they change as well.
      {"range-unlocked",
       "sessions",
       {"phantom", "read skew", "write skew", "lost update", "consistent"},
       2,
       {step(0, kSerializable, {look_at_all, open_2}), step(1, kSerializable, {look_at_all, open_3})}},
      {"ack-of-other-sync", "sessions", {"durable"}, 2, {step(0, kCommitted, {open_2}), step(1, kCommitted, {open_3})}},
      // What others wrote is overwritten, read although it is rolled back, or in the way of the rollback.
      {"write-lock-short",
       "sessions",
       {"dirty write", "aborted read", "intermediate read", "circular", "lost update", "read skew", "consistent", "alive"},
       2,
       {step(0, kCommitted, {open_2, look_at_2}, false), step(1, kCommitted, {look_at_2})}},
      {"deadlock-undetected",
       "sessions",
       {"alive"},
       2,
       {step(0, kCommitted, {hold_0, hold_1}), step(1, kCommitted, {hold_1, hold_0})}},
      {"victim-half-undone",
       "sessions",
       {"atomic", "aborted read", "consistent"},
       2,
       {step(0, kCommitted, {hold_0, open_2, hold_1}), step(1, kCommitted, {hold_1, open_3, hold_0})}},
      {"read-lock-short",
       "sessions",
       {"lost update", "read skew", "write skew", "consistent"},
       2,
       {step(0, kRepeatable, {transfer}), step(1, kRepeatable, {transfer})}},
      {"committed-read-unlocked",
       "sessions",
       {"aborted read", "intermediate read", "circular"},
       2,
       {step(0, kCommitted, {open_2}, false), step(1, kCommitted, {look_at_2})}},
      // The value is taken when the row that had it is to come back: neither a rollback nor recovery gets on.
      {"unique-value-unlocked",
       "orders",
       {"alive", "consistent"},
       1,
       {step(0, kCommitted, {{Kind::kErase, 1, 0, 0, 0}}, false), step(1, kCommitted, {{Kind::kInsert, 1, 1, 0, 0}})}},
      {"reference-unlocked",
       "orders",
       {"consistent"},
       1,
       {step(0, kCommitted, {{Kind::kPut, 4, 0, 0, 0}}), step(0, kCommitted, {{Kind::kErase, 4, 0, 0, 0}}, false),
        step(1, kCommitted, {{Kind::kErase, 1, 0, 0, 0}})}},
      {"checkpoint-lists-committing",
       "sessions",
       {"durable", "atomic", "alive", "consistent"},
       2,
       {step(0, kCommitted, {open_2}), checkpoint}},
      {"savepoint-gives-locks-back",
       "sessions",
       {"dirty write", "aborted read", "intermediate read", "circular", "lost update", "read skew", "write skew", "phantom",
        "consistent", "alive", "ordered", "atomic", "durable"},
       2,
       {step(0, kCommitted, {open_2, save, back, look_at_2}, false), step(1, kCommitted, {look_at_2})}},
  };
}

bool is_among(const std::string& name, const std::vector<std::string_view>& right) {
  return std::any_of(right.begin(), right.end(), [&](std::string_view each) { return name.starts_with(each); });
}

CampaignPlan plan_of(const engine::EngineKind& kind, std::string_view workload) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.model = faultfs::preset("posix").value();
  plan.workloads = {find_workload(workload).value()};
  return plan;
}

}  // namespace

TEST_CASE("every planted bug of concurrency is found within 2,000 cases, under its name, and shrinks to five steps in the median") {
  constexpr std::uint64_t kMostCases = 2000;
  const auto kind = recovery::make_ledger_kind();
  const auto all = concurrency_defects();
  for (const engine::Defect& defect : kind->defects()) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Concurrency& each) { return each.defect == defect.name; });
    INFO(defect.name);
    CHECK(known == (defect.needs == engine::Needs::kSessions));
  }
  std::vector<std::size_t> steps;
  std::map<std::string_view, std::uint64_t> seeds;  // looked at, by workload
  for (const Concurrency& each : all) {
    INFO(each.defect);
    CampaignPlan plan = plan_of(*kind, each.workload);
    plan.defects = {std::string(each.defect)};
    auto campaign = std::move(Campaign::make(plan)).value();
    SearchCount count;
    std::uint64_t seed = 1;
    std::optional<Failure> failure;
    while (seed <= kMostCases && !(failure = campaign.run(seed, nullptr, count))) ++seed;
    REQUIRE(failure);
    INFO(failure->violation.summary);
    CHECK(is_among(name_of(failure->violation), each.names));
    const auto simplest = campaign.simplest_case(seed);
    REQUIRE(simplest);
    steps.push_back(simplest->steps.size());
    seeds[each.workload] = std::max(seeds[each.workload], seed);
  }
  std::sort(steps.begin(), steps.end());
  CHECK(steps[steps.size() / 2] <= 5);
  for (const auto& [workload, last] : seeds) {
    auto sound = std::move(Campaign::make(plan_of(*kind, workload))).value();
    for (std::uint64_t seed = 1; seed <= last; ++seed) {
      SearchCount count;
      INFO(workload << " seed " << seed);
      REQUIRE_FALSE(sound.run(seed, nullptr, count));
    }
  }
}

TEST_CASE("exploring the interleavings of two sessions finds every planted bug of concurrency, and none without it") {
  const auto kind = recovery::make_ledger_kind();
  for (const Concurrency& each : concurrency_defects()) {
    INFO(each.defect);
    Step set_up;
    set_up.kind = StepKind::kSetUp;
    set_up.count = each.count;
    Steps steps{set_up};
    steps.insert(steps.end(), each.steps.begin(), each.steps.end());
    Setting setting;
    setting.kind = kind.get();
    setting.model = faultfs::preset("posix").value();
    setting.workload = find_workload(each.workload).value();
    setting.nested = 0;
    ExplorePlan plan;
    plan.most_at_point = 200;
    plan.most_preemptions = 1;
    for (const bool planted : {true, false}) {
      setting.defects.clear();
      if (planted) setting.defects.emplace_back(each.defect);
      const auto engine = std::move(kind->make({}, setting.defects)).value();
      Explorer explorer(*engine, setting);
      const auto failure = explorer.explore(steps, plan, nullptr, nullptr, nullptr, nullptr);
      REQUIRE(failure.has_value() == planted);
      if (planted) {
        INFO(failure->violation.summary);
        CHECK(is_among(name_of(failure->violation), each.names));
      } else {
        CHECK(explorer.schedules().preemptions == 1);
      }
    }
  }
}

}  // namespace powercut::testing
