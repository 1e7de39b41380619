// What a failure is blamed on is the planted bug: the right writes, issued where they are, and the right sync missing.
#include "properties/blame.h"
#include "properties/campaign.h"
#include "properties/exploration.h"
#include "properties/replay.h"
#include "properties/source_lines.h"
#include "properties/statements.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <algorithm>
#include <atomic>

namespace powercut::testing {
namespace {

using namespace properties;
using Kind = Blame::Kind;

// The simplest failure that the exhaustive explorer finds in small cases.
std::optional<Case> failure_of(const engine::EngineKind& kind, std::string_view defect) {
  const std::atomic<bool> stop{false};
  ExplorationPlan plan;
  plan.jobs = 2;
  plan.limits.most_at_point = 5'000;
  CampaignPlan campaign;
  campaign.kind = &kind;
  campaign.defects = {std::string(defect)};
  campaign.model = faultfs::preset("posix").value();
  campaign.workloads.assign(workloads_alone().begin(), workloads_alone().end());
  campaign.steps = {6, 6};
  const Campaign made = std::move(Campaign::make(campaign)).value();
  std::vector<Case> cases;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) cases.push_back(made.case_of(seed));
  const auto report = explore_cases(cases, plan, stop, nullptr).value();
  if (report.ended != ExplorationReport::Ended::kViolation) return std::nullopt;
  return simplest_case(cases[report.failing_case], plan.limits, report.failing_point, report.failing_nested);
}

bool names(const std::vector<BlamedChange>& changes, std::string_view path, std::string_view function) {
  return std::any_of(changes.begin(), changes.end(), [&](const BlamedChange& change) {
    const std::string text = change.kind == faultfs::ChainKind::kName ? change.path + "/" + change.name : change.path;
    return text.find(path) != std::string::npos && change.source.find(function) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("a planted bug is blamed on the writes and the missing sync that it is about") {
  struct Expected {
    std::string_view defect;
    Kind kind;
    std::string_view lost;  // path; empty: nothing
    std::string_view lost_by;
    std::string_view kept;
    std::string_view kept_by;
    std::string_view missing;
  };
  static constexpr Expected kExpected[] = {
      {"ack-before-sync", Kind::kUnwritten, "", "", "", "", "no write and no sync came between its beginning and the answer"},
      {"ack-of-earlier-record", Kind::kRecovery, "", "", "", "", "and nothing more"},
      {"page-before-log", Kind::kTooEarly, "", "", "db/data", "BufferPool::write_back", "what must be written before"},
      {"no-page-image", Kind::kTorn, "db/data", "BufferPool::write_back", "db/data", "BufferPool::write_back",
       "no sync of db/data came between"},
      {"segment-name-unsynced", Kind::kOrder, "db/data", "write_first_pages", "db/control", "Control::create",
       "no sync of directory db came between"},
      {"database-name-unsynced", Kind::kLost, "//db", "create", "", "", "/ was never synced after"},
      {"control-name-unsynced", Kind::kLost, "db/control", "Control::create", "", "", "db was never synced after"},
      {"control-unsynced-rename", Kind::kOrder, "db/control.tmp", "Control::create", "db/control", "Control::create",
       "no sync of db/control.tmp came between"},
      {"checkpoint-before-data-sync", Kind::kOrder, "db/data", "BufferPool::write_back", "db/control", "Control::checkpointed",
       "no sync of db/data came between"},
      {"checkpoint-syncs-own-writes", Kind::kOrder, "db/data", "BufferPool::write_back", "db/control", "Control::checkpointed",
       "no sync of db/data came between"},
      {"checkpoint-end-unflushed", Kind::kTooEarly, "", "", "db/control", "Control::checkpointed", "what must be written before"},
      {"checkpoint-trusts-too-much", Kind::kTooEarly, "", "", "db/control", "Control::checkpointed", "what must be written before"},
      {"redone-log-released", Kind::kTooEarly, "", "", "db/control", "Control::", "what must be written before"},
      {"control-rewritten", Kind::kOrder, "db/control", "Control::write", "db/control", "Control::write",
       "no sync of db/control came between"},
      {"torn-record-accepted", Kind::kTorn, "db/log-00000001", "Log::write_", "db/log-00000001", "Log::write_",
       "no sync of db/log-00000001"},
      {"torn-record-skipped", Kind::kTorn, "db/log-00000001", "Log::write_", "db/log-00000001", "Log::write_",
       "no sync of db/log-00000001"},
      {"checksum-of-first-sector", Kind::kTorn, "db/log-00000001", "Log::write_", "db/log-00000001", "Log::write_",
       "no sync of db/log-00000001"},
      {"no-undo", Kind::kTorn, "db/log-00000001", "Log::write_", "db/log-00000001", "Log::write_", "no sync of db/log-00000001"},
      {"undo-without-clr", Kind::kTorn, "db/log-00000001", "Log::write_", "db/log-00000001", "Log::write_",
       "no sync of db/log-00000001"},
      {"clr-not-redone", Kind::kTooEarly, "", "", "db/log-00000001", "Log::write_", "what must be written before"},
  };
  const auto kind = recovery::make_ledger_kind();
  for (const Expected& expected : kExpected) {
    const auto failing = failure_of(*kind, expected.defect);
    INFO(expected.defect);
    REQUIRE(failing);
    const Blame found = blame(*failing).value();
    INFO(found.sentence);
    CHECK(found.minimal);
    CHECK(to_string(found.kind) == to_string(expected.kind));
    CHECK(found.lost.empty() == expected.lost.empty());
    CHECK(found.kept.empty() == expected.kept.empty());
    if (!expected.lost.empty()) CHECK(names(found.lost, expected.lost, expected.lost_by));
    if (!expected.kept.empty()) CHECK(names(found.kept, expected.kept, expected.kept_by));
    INFO(found.missing);
    CHECK(found.missing.find(expected.missing) != std::string::npos);
    // Every write that is blamed is in the sentence, with its source line.
    for (const auto* changes : {&found.lost, &found.kept}) {
      for (const BlamedChange& change : *changes) {
        CHECK(change.operation > 0);
        CHECK(found.sentence.find("#" + std::to_string(change.operation)) != std::string::npos);
        CHECK(change.source.find(".cpp:") != std::string::npos);
        CHECK(change.source.front() != '/');
      }
    }
  }
}

TEST_CASE("blame is the same each time, and a case that does not fail has none") {
  const auto kind = recovery::make_ledger_kind();
  const auto failing = failure_of(*kind, "no-page-image");
  REQUIRE(failing);
  CHECK(blame(*failing).value().sentence == blame(*failing).value().sentence);
  Case sound = *failing;
  sound.setting.defects.clear();
  REQUIRE(blame(sound).has_error());
  CHECK(blame(sound).error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("what a session saw of another is told by their statements and not by writes") {
  const auto kind = recovery::make_ledger_kind();
  // One shows when the power fails, the other with the power on.
  for (const std::string_view defect : {"locks-before-log", "committed-read-unlocked"}) {
    INFO(defect);
    CampaignPlan plan;
    plan.kind = kind.get();
    plan.defects = {std::string(defect)};
    plan.model = faultfs::preset("posix").value();
    plan.workloads = {find_workload("sessions").value()};
    auto campaign = std::move(Campaign::make(plan)).value();
    std::optional<Case> failing;
    for (std::uint64_t seed = 1; seed <= 100 && !failing; ++seed) failing = campaign.simplest_case(seed);
    REQUIRE(failing);
    REQUIRE(failing->failure.violation.oracle == Oracle::kIsolated);
    const Blame found = blame(*failing).value();
    CHECK(to_string(found.kind) == "anomaly");
    CHECK(found.lost.empty());
    CHECK(found.kept.empty());
    CHECK(found.sentence.find("reached the disk") == std::string::npos);
    CHECK(found.sentence.find(" read accounts[") != std::string::npos);
    const auto& involved = failing->failure.violation.transactions;
    REQUIRE(involved.size() == 2);
    for (const std::string& transaction : involved) {
      const auto of_it = [&](const std::string& line) { return line.starts_with(transaction + ", session "); };
      CHECK(std::any_of(found.statements.begin(), found.statements.end(), of_it));
      CHECK(found.sentence.find(transaction) != std::string::npos);
    }
    CHECK(found.statements.size() <= kMostStatements + 1 + involved.size());
    CHECK(found.turns.starts_with("session 0: its first "));
  }
}

TEST_CASE("every operation of a told replay has its source line, and none has if there is no debug information") {
  const auto kind = recovery::make_ledger_kind();
  const auto failing = failure_of(*kind, "no-page-image");
  REQUIRE(failing);
  std::size_t operations = 0;
  const auto replayed = replay(*failing, true);
  REQUIRE(replayed.has_value());
  for (const std::string& line : replayed.value().narrative.history) {
    if (line.find('#') == std::string::npos) continue;
    ++operations;
    INFO(line);
    CHECK(line.find(".cpp:") != std::string::npos);
    CHECK(line.find("faultfs/") == std::string::npos);
  }
  CHECK(operations > 10);
  const int on_the_stack = 0;
  const void* const nowhere[] = {&on_the_stack};
  CHECK(SourceLines().text(nowhere) == "(no source line: built without debug information)");
}

}  // namespace powercut::testing
