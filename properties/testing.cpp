#include "properties/testing.h"

#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "properties/exploration_text.h"
#include "properties/finding.h"
#include "properties/numbers.h"
#include "properties/replay.h"
#include "properties/workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

namespace powercut::properties {
namespace {

const std::atomic<bool> kNeverStop{false};

Verdict could_not(const Error& error) {
  Verdict verdict;
  verdict.report = "powercut could not judge it: " + error.message();
  return verdict;
}

std::uint32_t jobs_of(const TestSetting& setting) {
  return setting.jobs > 0 ? setting.jobs : std::clamp(std::thread::hardware_concurrency(), 1U, kMostJobs);
}

Result<CampaignPlan> campaign_plan(const engine::EngineKind& kind, const TestSetting& setting) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.options = setting.options;
  plan.model = setting.model;
  plan.faults = setting.faults;
  plan.judged_by = setting.judged_by;
  plan.nested = setting.nested;
  const bool alone = !kind.has_sessions() || !setting.faults.empty();
  const auto there_are = alone ? workloads_alone() : workloads();
  plan.workloads.assign(there_are.begin(), there_are.end());
  if (!setting.workloads.empty()) plan.workloads.clear();
  for (const std::string& name : setting.workloads) {
    POWERCUT_TRY(const Workload* const workload, find_workload(name));
    if (alone && workload->sessions() > 1) {
      return Error(
          ErrorCode::kInvalidArgument,
          fmt::format("workload {} has several sessions; {} has one at a time, or faults were asked for", name, kind.name()));
    }
    plan.workloads.push_back(workload);
  }
  if (setting.nested > Checker::kMostNested) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("nested {}: must be from 0 to {}", setting.nested, Checker::kMostNested));
  }
  return plan;
}

// "toy · bank, kv · model posix, atom 512".
std::string heading(const CampaignPlan& plan) {
  std::string workloads;
  for (const Workload* workload : plan.workloads) workloads.append(workloads.empty() ? "" : ", ").append(workload->name());
  std::string faults;
  for (const auto fault : plan.faults) faults.append(faults.empty() ? " · fault " : ", ").append(faultfs::info(fault).name);
  return fmt::format("{} · {} · model {}, atom {}{}", plan.kind->name(), workloads, plan.model.name, atom_text(plan.model), faults);
}

void tell(Verdict& verdict, const Finding& finding, const std::string& where, const std::string& trouble = {}) {
  verdict.holds = false;
  verdict.violation = finding.violation;
  verdict.case_file = finding.case_file;
  verdict.trace_hash = finding.trace_hash;
  verdict.report = where + "\n" + to_text(finding) + trouble;
}

void keep(Verdict& verdict, Result<Finding> found, const std::string& where, const std::string& directory) {
  if (found.has_error()) {
    verdict.report = could_not(found.error()).report;
    return;
  }
  const auto stored = store(found.value(), directory);
  tell(verdict, found.value(), where,
       stored.has_error() ? "the case file could not be written: " + stored.error().message() + "\n" : std::string());
}

Result<Verdict> seeds_checked(const engine::EngineKind& kind, const SeedsPlan& asked, const TestSetting& setting) {
  POWERCUT_TRY(CampaignPlan plan, campaign_plan(kind, setting));
  plan.steps.most = std::max(1U, asked.steps);
  const std::string where = heading(plan);
  POWERCUT_TRY(Campaign campaign, Campaign::make(std::move(plan)));
  POWERCUT_TRY(const WorkReport report, run_campaign(campaign, {asked.first_seed, asked.seeds, jobs_of(setting)}, kNeverStop,
                                                     [](const WorkFigures&) { return true; }));
  const WorkFigures& figures = report.figures;
  Verdict verdict;
  verdict.cases = figures.items;
  verdict.recoveries = figures.count.recoveries;
  verdict.log2_crash_states = std::log2(static_cast<double>(std::max<std::uint64_t>(1, figures.count.states)));
  if (!report.failing_item) {
    verdict.holds = true;
    const std::string breaches = to_text(figures.count.breaches);
    verdict.report = fmt::format("{}\nno violation in {}: {} crash states at random, {} recoveries\n{}", where,
                                 counted(figures.items, "case"), grouped(figures.count.states), grouped(figures.count.recoveries),
                                 breaches.empty() ? "" : "broken, and not promised: " + breaches + "\n");
    return verdict;
  }
  const std::uint64_t seed = *report.failing_item;
  if (!report.worker_death.empty()) {
    tell(verdict, death(seed, ": " + report.worker_death), where);
  } else {
    keep(verdict,
         investigate(
             kind, seed, [&] { return campaign.simplest_case(seed); }, kNeverStop),
         where, setting.case_directory);
  }
  return verdict;
}

Result<Verdict> states_checked(const engine::EngineKind& kind, const StatesPlan& asked, const TestSetting& setting) {
  POWERCUT_TRY(CampaignPlan plan, campaign_plan(kind, setting));
  if (asked.seeds == 0) return Error(ErrorCode::kInvalidArgument, "seeds 0: there is no case to explore");
  plan.steps.least = plan.steps.most = std::max(1U, asked.steps);
  set_for_exploration(plan);
  const std::string where = heading(plan);
  POWERCUT_TRY(const Campaign campaign, Campaign::make(std::move(plan)));
  std::vector<Case> cases;
  for (std::uint64_t at = 0; at < asked.seeds; ++at) cases.push_back(campaign.case_of(asked.first_seed + at));
  ExplorationPlan exploration;
  exploration.jobs = jobs_of(setting);
  exploration.limits.most_at_point = std::max<std::uint64_t>(1, asked.most_at_point);
  exploration.limits.most_preemptions = asked.most_preemptions;
  exploration.limits.most_schedules = asked.most_schedules;
  POWERCUT_TRY(const ExplorationReport report, explore_cases(cases, exploration, kNeverStop, nullptr));
  const CaseReport all = sum(report);
  Verdict verdict;
  verdict.cases = report.cases.size();
  verdict.crash_points = all.points_done;
  verdict.recoveries = report.figures.count.recoveries;
  verdict.log2_crash_states = all.total_bits;
  if (report.ended != ExplorationReport::Ended::kViolation) {
    verdict.holds = true;
    verdict.exhaustive = exhaustive(report);
    const std::string breaches = to_text(report.figures.count.breaches);
    verdict.report = fmt::format("{}\n{} · {} · {} recoveries\n{}\n{}", where, counted(verdict.cases, "case"),
                                 counted(verdict.crash_points, "crash point"), grouped(verdict.recoveries), conclusion(report),
                                 breaches.empty() ? "" : "broken, and not promised: " + breaches + "\n");
    return verdict;
  }
  const Case& explored = report.cases[report.failing_case].explored;
  if (!report.worker_death.empty()) {
    tell(verdict, death(explored.seed, ": " + report.worker_death), where);
    return verdict;
  }
  const auto simplest = [&] { return simplest_case(explored, exploration.limits, report.failing_point, report.failing_nested); };
  keep(verdict, investigate(kind, explored.seed, simplest, kNeverStop), where, setting.case_directory);
  return verdict;
}

Result<Verdict> replayed(const engine::EngineKind& kind, const std::string& path) {
  POWERCUT_TRY(Case failing, read_case_file(path, kind));
  Verdict verdict;
  verdict.cases = 1;
  verdict.case_file = path;
  const auto fails = in_child(
      [&] {
        const auto again = replay(failing, false);
        return again.has_error() ? again.error().message() : std::string(again.value().violation ? "fails" : "holds");
      },
      kNeverStop);
  if (fails.has_error()) {
    tell(verdict, death(failing.seed, ": " + fails.error().context()), path);
  } else if (fails.value() == "holds") {
    verdict.holds = true;
    verdict.report = path + "\ndoes not fail any more: every promise was kept\n";
  } else if (fails.value() == "fails") {
    const auto simplest = [&] {
      complete(failing);
      return std::optional<Case>(failing);
    };
    auto found = investigate(kind, failing.seed, simplest, kNeverStop);
    if (found.has_error()) return found.error();
    found.value().case_file = path;
    tell(verdict, found.value(), path);
  } else {
    return Error(ErrorCode::kInvalidArgument, fails.value());
  }
  return verdict;
}

Verdict of(Result<Verdict> checked) { return checked.has_value() ? std::move(checked).value() : could_not(checked.error()); }

}  // namespace

Verdict check_seeds(const engine::EngineKind& kind, const SeedsPlan& plan, const TestSetting& setting) {
  return of(seeds_checked(kind, plan, setting));
}

Verdict check_all_crash_states(const engine::EngineKind& kind, const StatesPlan& plan, const TestSetting& setting) {
  return of(states_checked(kind, plan, setting));
}

Verdict replay_case(const engine::EngineKind& kind, const std::string& path) { return of(replayed(kind, path)); }

}  // namespace powercut::properties
