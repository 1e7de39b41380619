// The explorer loses nothing: beside an enumerator that resolves every atom before recovery starts.
#include "properties/explore.h"
#include "faultfs/exhaustive_choices.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace powercut::testing {
namespace {

using namespace properties;

struct Outcomes {
  std::set<std::string> distinct;  // a violation in words, or the hash of the recovered state
  std::uint64_t recoveries = 0;
};

std::string outcome(const Checker& checker, const std::optional<Violation>& violation) {
  return violation ? std::string(to_string(violation->oracle)) + ": " + violation->summary : hash_text(checker.outcome());
}

// As the explorer does it: what is not read is not asked.
Outcomes lazily(Checker& checker, const CrashMoment& moment) {
  Outcomes outcomes;
  faultfs::ExhaustiveChoices choices;
  choices.start(faultfs::ExhaustiveChoices::Base::kFirst);
  while (choices.next()) {
    outcomes.distinct.insert(outcome(checker, checker.check(moment, choices)));
    ++outcomes.recoveries;
  }
  return outcomes;
}

// Every combination of versions of everything that is pending, settled before the engine reads the first byte.
Outcomes by_brute_force(Checker& checker, const CrashMoment& moment) {
  Outcomes outcomes;
  faultfs::ExhaustiveChoices choices;
  choices.start(faultfs::ExhaustiveChoices::Base::kFirst);
  faultfs::SimDisk settled;
  faultfs::RecordedChoices nothing_to_ask({});
  while (choices.next()) {
    settled.boot(moment.disk, choices);
    moment.disk.for_each_pending([&](const faultfs::PendingChange& change) {
      std::array<byte, 512> atom{};
      if (change.kind == faultfs::ChainKind::kName) static_cast<void>(settled.lookup(change.inode, change.name));
      if (change.kind == faultfs::ChainKind::kSize) static_cast<void>(settled.size(change.inode));
      if (change.kind == faultfs::ChainKind::kAtom) static_cast<void>(settled.read(change.inode, change.index * atom.size(), atom));
    });
    const CrashMoment after{moment.point, moment.step, moment.where, settled, moment.model, moment.interrupted, moment.set_up};
    outcomes.distinct.insert(outcome(checker, checker.check(after, nothing_to_ask)));
    ++outcomes.recoveries;
  }
  CHECK(nothing_to_ask.picks().empty());
  return outcomes;
}

Case case_of(const engine::EngineKind& kind, std::string_view workload, std::uint64_t seed, std::uint32_t steps,
             std::string_view model = "posix", const std::vector<std::string>& defects = {}) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.defects = defects;
  plan.model = faultfs::preset(model).value();
  plan.workloads = {find_workload(workload).value()};
  plan.steps = {steps, steps};
  return std::move(Campaign::make(plan)).value().case_of(seed);
}

}  // namespace

TEST_CASE("asking only what recovery reads gives the same outcomes as trying every combination") {
  constexpr double kMostBits = 16;
  const auto kind = recovery::make_ledger_kind();
  std::uint64_t lazy_recoveries = 0;
  std::uint64_t brute_recoveries = 0;
  std::size_t compared = 0;
  double largest = 0;
  for (const std::string_view defect :
       {"", "ack-before-sync", "no-page-image", "torn-record-accepted", "no-undo", "checkpoint-before-data-sync"}) {
    std::vector<std::string> defects;
    if (!defect.empty()) defects.emplace_back(defect);
    std::size_t violations = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      const std::string_view model = seed % 4 == 0 ? "ext4-ordered" : "posix";
      const Case explored = case_of(*kind, workloads()[seed % 3]->name(), seed, 6, model, defects);
      const auto engine = std::move(kind->make(explored.setting.options, defects)).value();
      Setting setting = explored.setting;
      setting.nested = 0;
      Checker checker(*engine, setting);
      Timeline timeline;
      faultfs::RecordedChoices nothing({});
      faultfs::SimDisk counting;
      const auto compare = [&](const CrashMoment& moment) {
        counting.boot(moment.disk, nothing);
        const double bits = counting.open_bits();
        if (bits > kMostBits) return true;
        const Outcomes lazy = lazily(checker, moment);
        const Outcomes brute = by_brute_force(checker, moment);
        INFO(defect << " seed " << seed << " crash point " << moment.point << ", 2^" << bits << " states");
        CHECK(lazy.distinct == brute.distinct);
        CHECK(lazy.recoveries <= brute.recoveries);
        lazy_recoveries += lazy.recoveries;
        brute_recoveries += brute.recoveries;
        largest = std::max(largest, bits);
        ++compared;
        for (const std::string& text : lazy.distinct) violations += text.find(": ") != std::string::npos ? 1 : 0;
        return true;
      };
      faultfs::RecordedChoices nobody_else({});
      static_cast<void>(timeline.run(*engine, explored.setting, explored.steps, nobody_else, compare));
    }
    INFO(defect);
    CHECK((violations > 0) == !defect.empty());
  }
  CHECK(compared > 1000);
  CHECK(largest > 15);
  CHECK(brute_recoveries > 10 * lazy_recoveries);
}

TEST_CASE("the correct engine holds in every crash state of small cases, and the report says exhaustive") {
  const auto kind = recovery::make_ledger_kind();
  const std::atomic<bool> stop{false};
  for (const std::string_view workload : {"bank", "savepoints"}) {
    ExplorationPlan plan;
    plan.jobs = 2;
    plan.limits.most_at_point = 100'000;
    const auto report = explore_cases({case_of(*kind, workload, 2, 6)}, plan, stop, nullptr).value();
    INFO(workload);
    CHECK(report.ended == ExplorationReport::Ended::kDone);
    const CaseReport& one = report.cases.front();
    CHECK(one.coverage.exhaustive);
    CHECK(one.nested_coverage.exhaustive);
    CHECK(one.rounds == 2);
    CHECK(one.points_done == one.points);
    CHECK(one.points > 20);
    CHECK(one.largest_bits > 10);
    CHECK(one.figures.distinct_outcomes > 5);
  }
}

TEST_CASE("what the explorer finds is the same with any number of jobs, is made simple, and replays") {
  const auto kind = recovery::make_ledger_kind();
  const std::atomic<bool> stop{false};
  for (const std::string_view defect : {"no-page-image", "undo-without-clr", "redone-log-released"}) {
    std::optional<std::string> expected;
    for (const std::uint32_t jobs : {1U, 2U, 3U}) {
      ExplorationPlan plan;
      plan.jobs = jobs;
      plan.limits.most_at_point = 20'000;
      const std::vector<Case> cases{case_of(*kind, "bank", 1, 6, "posix", {std::string(defect)}),
                                    case_of(*kind, "savepoints", 2, 6, "posix", {std::string(defect)})};
      const auto report = explore_cases(cases, plan, stop, nullptr).value();
      INFO(defect << " with " << jobs << " jobs");
      REQUIRE(report.ended == ExplorationReport::Ended::kViolation);
      const auto simplest = simplest_case(cases[report.failing_case], plan.limits, report.failing_point, report.failing_nested);
      REQUIRE(simplest);
      CHECK(simplest->steps.size() <= 4);
      const std::string text = to_json(*simplest);
      if (!expected) expected = text;
      CHECK(text == *expected);
    }
  }
}

TEST_CASE("an exploration stops at its budget and says what was covered") {
  const auto kind = recovery::make_ledger_kind();
  const std::atomic<bool> stop{false};
  ExplorationPlan plan;
  plan.most_recoveries = 500;
  const auto report = explore_cases({case_of(*kind, "bank", 2, 12)}, plan, stop, nullptr).value();
  CHECK(report.ended == ExplorationReport::Ended::kBudget);
  CHECK(report.figures.count.recoveries == 500);
  CHECK(report.cases.front().rounds < 2);

  // A crash point that costs more than it may: few losses, and a sample.
  plan.most_recoveries = std::numeric_limits<std::uint64_t>::max();
  plan.limits.most_at_point = 3;
  const auto sampled = explore_cases({case_of(*kind, "kv", 7, 3)}, plan, stop, nullptr).value();
  CHECK(sampled.ended == ExplorationReport::Ended::kDone);
  CHECK_FALSE(sampled.cases.front().coverage.exhaustive);
  CHECK(sampled.cases.front().coverage.losses >= 0);
}

}  // namespace powercut::testing
