#include "properties/survey.h"

#include "properties/campaign.h"
#include "properties/case_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace powercut::properties {
namespace {

constexpr std::uint64_t kShrinkOfSurvey = 4'000;  // recoveries that making a case simple may take
constexpr std::size_t kMostDeaths = 16;           // of an engine's process in a cell

struct PromiseText {
  std::string_view name;
  std::string_view summary;
};
constexpr std::array<PromiseText, kPromiseCount> kPromises{{
    {"durable", "every acknowledged transaction is there"},
    {"ordered", "a transaction that is lost takes every later one with it"},
    {"atomic", "of any transaction all is there or nothing"},
    {"consistent", "nothing is there that was never written, and where no order is broken the invariants of the workload hold"},
    {"recovers", "the database opens, can be read, and takes new work"},
}};

std::array<bool, kPromiseCount> promised(const engine::Guarantee& guarantee) {
  return {guarantee.durable, guarantee.ordered, guarantee.atomic, guarantee.consistent, guarantee.recovers};
}

PromiseKind promise_of(Oracle oracle) {
  switch (oracle) {
    case Oracle::kDurable:
    case Oracle::kIdempotent:
      return PromiseKind::kDurable;
    case Oracle::kOrdered:
      return PromiseKind::kOrdered;
    case Oracle::kAtomic:
    case Oracle::kIsolated:
      return PromiseKind::kAtomic;
    case Oracle::kConsistent:
    case Oracle::kHonest:
      return PromiseKind::kConsistent;
    case Oracle::kAlive:
      return PromiseKind::kRecovers;
  }
  return PromiseKind::kRecovers;
}

class Survey {
 public:
  Survey(const SurveyPlan& plan, const std::atomic<bool>& stop, const SurveyProgress& progress, SurveyCell& cell)
      : plan_(plan), stop_(stop), progress_(progress), cell_(cell) {}

  Result<void> run() {
    POWERCUT_TRY(const auto engine, cell_.kind->make(cell_.mode.options, {}));
    const engine::Guarantee guarantee = engine->guarantee(cell_.model);
    cell_.source = guarantee.source;
    for (std::size_t at = 0; at < kPromiseCount; ++at) cell_.promises[at].promised = promised(guarantee)[at];
    POWERCUT_TRYV(random());
    if (!cell_.interrupted) POWERCUT_TRYV(explore());
    if (!cell_.interrupted) POWERCUT_TRYV(keep_case());
    return success();
  }

 private:
  CampaignPlan campaign_plan(JudgedBy judged_by) const {
    CampaignPlan plan;
    plan.kind = cell_.kind;
    plan.options = cell_.mode.options;
    plan.model = cell_.model;
    plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
    plan.nested = plan_.nested;
    plan.judged_by = judged_by;
    plan.shrink_recoveries = kShrinkOfSurvey;
    return plan;
  }

  void count(const BreachCounts& breaches) {
    for (std::size_t at = 0; at < kOracleCount; ++at) count(static_cast<Oracle>(at), breaches[at]);
  }
  void count(Oracle oracle, std::uint64_t times) { cell_.promises[static_cast<std::size_t>(promise_of(oracle))].broken += times; }

  void died(const std::string& how) {
    count(Oracle::kAlive, 1);
    if (std::find(cell_.deaths.begin(), cell_.deaths.end(), how) == cell_.deaths.end()) cell_.deaths.push_back(how);
  }

  // What fails here fails with the power on, or ends the engine's process. Then the seeds after it go on.
  Result<void> random() {
    POWERCUT_TRY(Campaign campaign, Campaign::make(campaign_plan(JudgedBy::kNothing)));
    const std::uint64_t end = plan_.first_seed + plan_.seeds;
    WorkPlan work{plan_.first_seed, plan_.seeds, plan_.jobs};
    std::size_t failures = 0;
    while (work.first_item < end && failures < kMostDeaths) {
      work.items = end - work.first_item;
      const std::uint64_t before = cell_.random.items;
      POWERCUT_TRY(const WorkReport report, run_campaign(campaign, work, stop_, [&](const WorkFigures& figures) {
                     progress_(fmt::format("{} of {} seeds", before + figures.items, plan_.seeds));
                     return true;
                   }));
      cell_.random.add(report.figures);
      count(report.figures.count.breaches);
      cell_.interrupted = report.interrupted;
      if (!report.failing_item || report.interrupted) return success();
      ++failures;
      if (report.worker_death.empty()) {
        ++cell_.wrong_powered_on;
      } else {
        died(report.worker_death);
      }
      work.first_item = *report.failing_item + 1;
    }
    return success();
  }

  // One crash first, each case to its end as far as the recoveries go; then further crashes with what is left.
  Result<void> explore() {
    if (plan_.explored == 0) return success();
    POWERCUT_TRYV(explore(0));
    if (plan_.nested > 0 && !cell_.interrupted) POWERCUT_TRYV(explore(plan_.nested));
    return success();
  }

  Result<void> explore(std::uint32_t nested) {
    CampaignPlan cases = campaign_plan(JudgedBy::kNothing);
    set_for_exploration(cases);
    cases.nested = nested;
    cases.steps.least = cases.steps.most = plan_.explored_steps;
    POWERCUT_TRY(const Campaign campaign, Campaign::make(std::move(cases)));
    std::vector<Case> explored;
    for (std::uint64_t at = 0; at < plan_.explored; ++at) explored.push_back(campaign.case_of(plan_.first_seed + at));
    const std::uint64_t used = cell_.explored.count.recoveries;
    if (used >= plan_.recoveries) return success();
    ExplorationPlan exploration;
    exploration.jobs = plan_.jobs;
    exploration.most_recoveries = plan_.recoveries - used;
    POWERCUT_TRY(const ExplorationReport report, explore_cases(explored, exploration, stop_, [&](const ExplorationProgress& now) {
                   progress_(fmt::format("exploring: {} of {} recoveries", used + now.recoveries, plan_.recoveries));
                 }));
    cell_.explored.add(report.figures);
    count(report.figures.count.breaches);
    bool exhaustive = report.ended == ExplorationReport::Ended::kDone;
    for (const CaseReport& one : report.cases) {
      if (nested == 0) cell_.bits = std::max(cell_.bits, one.total_bits);
      exhaustive = exhaustive && one.coverage.exhaustive && one.nested_coverage.exhaustive;
    }
    (nested == 0 ? cell_.exhaustive : cell_.further_exhaustive) = exhaustive;
    cell_.interrupted = report.ended == ExplorationReport::Ended::kInterrupted;
    if (report.ended != ExplorationReport::Ended::kViolation) return success();
    if (report.worker_death.empty()) {
      ++cell_.wrong_powered_on;
    } else {
      died(report.worker_death);
    }
    return success();
  }

  // The lowest seed that breaks a promise, or else loses something, made simple.
  Result<void> keep_case() {
    const bool any =
        std::any_of(cell_.promises.begin(), cell_.promises.end(), [](const PromiseSeen& each) { return each.broken > 0; });
    const bool wanted = cell_.disagrees() ? plan_.keep != KeepCases::kNone : any && plan_.keep == KeepCases::kLost;
    if (!wanted) return success();
    POWERCUT_TRY(Campaign campaign, Campaign::make(campaign_plan(cell_.disagrees() ? JudgedBy::kGuarantee : JudgedBy::kAll)));
    POWERCUT_TRY(const WorkReport report,
                 run_campaign(campaign, {plan_.first_seed, plan_.seeds, plan_.jobs}, stop_, [&](const WorkFigures&) {
                   progress_("looking for a case");
                   return true;
                 }));
    cell_.interrupted = report.interrupted;
    if (report.interrupted) return success();
    if (!report.failing_item) {
      cell_.no_example = "only exploration finds it";
      return success();
    }
    if (!report.worker_death.empty()) {
      cell_.no_example = fmt::format("seed {} ends the engine's process: {}", *report.failing_item, report.worker_death);
      return success();
    }
    progress_("making a case simple");
    auto text = in_child(
        [&] {
          const auto made = campaign.simplest_case(*report.failing_item);
          return made ? to_json(*made) : std::string();
        },
        stop_);
    if (text.has_error() || text.value().empty()) {
      cell_.no_example = fmt::format("seed {} could not be made simple: {}", *report.failing_item,
                                     text.has_error() ? text.error().context() : "it did not fail again");
      return success();
    }
    cell_.example = std::move(text).value();
    return success();
  }

  const SurveyPlan& plan_;
  const std::atomic<bool>& stop_;
  const SurveyProgress& progress_;
  SurveyCell& cell_;
};

}  // namespace

std::string_view to_string(PromiseKind promise) { return kPromises[static_cast<std::size_t>(promise)].name; }
std::string_view describe(PromiseKind promise) { return kPromises[static_cast<std::size_t>(promise)].summary; }

bool SurveyCell::disagrees() const {
  return wrong_powered_on > 0 ||
         std::any_of(promises.begin(), promises.end(), [](const PromiseSeen& each) { return each.promised && each.broken > 0; });
}

Result<SurveyCell> survey_cell(const engine::EngineKind& kind, const engine::Mode& mode, const faultfs::PersistenceModel& model,
                               const SurveyPlan& plan, const std::atomic<bool>& stop, const SurveyProgress& progress) {
  SurveyCell cell;
  cell.kind = &kind;
  cell.mode = mode;
  cell.model = model;
  POWERCUT_TRYV(Survey(plan, stop, progress, cell).run());
  return cell;
}

}  // namespace powercut::properties
