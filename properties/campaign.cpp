#include "properties/campaign.h"

#include "faultfs/assert.h"
#include "faultfs/random.h"
#include "properties/replay.h"

#include <algorithm>

namespace powercut::properties {
namespace {

constexpr std::size_t kJoined = 8;  // steps that become one long transaction

// Transactions and checkpoints that follow one another, joined. It ends as the last of them does.
Steps joined(const Steps& steps) {
  Steps all;
  std::size_t in_last = kJoined;  // steps that the last of all is made of
  for (const Step& step : steps) {
    const bool joins = step.kind == StepKind::kTransaction || step.kind == StepKind::kCheckpoint;
    if (!joins) {
      all.push_back(step);
      in_last = kJoined;
      continue;
    }
    if (in_last == kJoined) {
      all.emplace_back();
      in_last = 0;
    }
    ++in_last;
    Step& last = all.back();
    if (step.kind == StepKind::kCheckpoint) {
      last.operations.push_back({OperationKind::kCheckpoint, 0, 0, 0, 0});
    } else {
      last.operations.insert(last.operations.end(), step.operations.begin(), step.operations.end());
      last.commit = step.commit;
    }
  }
  return all;
}

}  // namespace

namespace {

void set_for_exploration(const engine::EngineKind& kind, std::vector<engine::Option>& options) {
  for (const engine::Tunable& tunable : kind.tunables()) {
    const bool fixed =
        std::any_of(options.begin(), options.end(), [&](const engine::Option& option) { return option.name == tunable.name; });
    if (!fixed && !tunable.when_explored.empty()) {
      options.push_back({std::string(tunable.name), std::string(tunable.when_explored)});
    }
  }
}

}  // namespace

void set_for_exploration(CampaignPlan& plan) {
  if (plan.faults.empty()) set_for_exploration(*plan.kind, plan.options);
}

void set_for_exploration(Setting& setting) {
  if (!setting.fault) set_for_exploration(*setting.kind, setting.options);
}

Result<Campaign> Campaign::make(CampaignPlan plan) {
  POWERCUT_ASSERT(plan.kind != nullptr && !plan.workloads.empty(), "a campaign has an engine and a workload");
  POWERCUT_TRYV(plan.kind->make(plan.options, plan.defects));
  return Campaign(std::move(plan));
}

namespace {

// Small numbers as often as large ones: the place of a fault is uniform in its logarithm.
faultfs::Fault draw_fault(faultfs::FaultKind kind, std::uint64_t seed) {
  const faultfs::FaultInfo& info = faultfs::info(kind);
  Random random(combine(seed, 3));
  faultfs::Fault fault;
  fault.kind = kind;
  fault.in_recovery = info.in_recovery && (!info.in_work || random.below(3) == 0);
  fault.at = random.below(1U << random.below(fault.in_recovery ? 8 : 11));
  if (kind == faultfs::FaultKind::kFullDisk) {
    fault.count = 1 + random.below(3);
  } else if (random.below(4) == 0) {
    fault.count = random.below(2) == 0 ? 2 + random.below(3) : 1'000'000;
  }
  return fault;
}

}  // namespace

std::vector<engine::Option> drawn_options(const engine::EngineKind& kind, std::vector<engine::Option> options,
                                          std::span<const std::string> defects, std::uint64_t seed) {
  const std::size_t fixed_options = options.size();
  Random random(combine(seed, 2));
  for (const engine::Tunable& tunable : kind.tunables()) {
    const auto drawn = random.below(static_cast<std::uint32_t>(std::max<std::size_t>(1, tunable.values_worth_trying.size())));
    const bool fixed = std::any_of(options.begin(), options.begin() + static_cast<std::ptrdiff_t>(fixed_options),
                                   [&](const engine::Option& option) { return option.name == tunable.name; });
    if (fixed || tunable.values_worth_trying.empty()) continue;
    options.push_back({std::string(tunable.name), std::string(tunable.values_worth_trying[drawn])});
    // What was drawn may not go with what was fixed.
    if (kind.make(options, defects).has_error()) options.pop_back();
  }
  return options;
}

Setting Campaign::setting_of(std::uint64_t seed) const {
  Setting setting{plan_.kind,  plan_.options, plan_.defects, plan_.model, plan_.workloads[seed % plan_.workloads.size()],
                  plan_.nested};
  setting.slow_io = plan_.slow_io;
  setting.judged_by = plan_.judged_by;
  setting.options = drawn_options(*plan_.kind, plan_.options, plan_.defects, seed);
  if (!plan_.faults.empty()) setting.fault = draw_fault(plan_.faults[seed / plan_.workloads.size() % plan_.faults.size()], seed);
  return setting;
}

Case Campaign::case_of(std::uint64_t seed) const {
  Case made;
  made.setting = setting_of(seed);
  made.seed = seed;
  made.steps = steps_of_seed(made.setting, seed).value();
  const bool alone = made.setting.workload->sessions() == 1;
  if (alone && Random(combine(seed, 3)).below(16) < plan_.long_of_16) made.steps = joined(made.steps);
  return made;
}

rc::Shrinkable<Steps> Campaign::steps_of_seed(const Setting& setting, std::uint64_t seed) const {
  StepCount count = plan_.steps;
  if (plan_.side_by_side_steps && setting.workload->sessions() > 1) count.least = count.most = *plan_.side_by_side_steps;
  return properties::steps_of_seed(*setting.workload, seed, count);
}

engine::Engine& Campaign::engine_for(const Setting& setting) {
  std::string key;
  for (const auto& option : setting.options) key.append(option.name).append("=").append(option.value).append(";");
  auto& engine = engines_[key];
  if (engine == nullptr) {
    auto made = plan_.kind->make(setting.options, plan_.defects);
    POWERCUT_ASSERT(made.has_value(), "an engine accepts the values that it says are worth trying");
    engine = std::move(made).value();
  }
  return *engine;
}

SearchPlan Campaign::search_plan(std::uint64_t seed) const {
  SearchPlan search;
  search.seed = seed;
  search.boots_per_point = plan_.boots_per_point;
  search.points_of_16 = plan_.points_of_16;
  return search;
}

std::optional<Failure> Campaign::run(std::uint64_t seed, const Searcher::OutcomeSink& outcome, SearchCount& count) {
  const Setting setting = setting_of(seed);
  Searcher searcher(engine_for(setting), setting);
  const auto steps = steps_of_seed(setting, seed).value();
  auto failure = searcher.search(steps, search_plan(seed), outcome);
  count.add(searcher.count());
  return failure;
}

std::optional<Case> Campaign::simplest_case(std::uint64_t seed) {
  Case failing;
  failing.setting = setting_of(seed);
  failing.seed = seed;
  Searcher searcher(engine_for(failing.setting), failing.setting);
  const auto steps = steps_of_seed(failing.setting, seed);
  const auto failure = searcher.search(steps.value(), search_plan(seed));
  if (!failure) return std::nullopt;
  Shrunk shrunk = shrink(searcher, steps, *failure, random_finder(searcher), plan_.shrink_recoveries);
  failing.steps = std::move(shrunk.steps);
  failing.failure = std::move(shrunk.failure);
  complete(failing);
  return failing;
}

Result<WorkReport> run_campaign(Campaign& campaign, const WorkPlan& plan, const std::atomic<bool>& stop, const Progress& progress) {
  const auto body = [&campaign](Worker& worker) {
    while (const auto seed = worker.claim()) {
      SearchCount count;
      const auto failure = campaign.run(
          *seed, [&worker](std::uint64_t outcome) { worker.outcome(outcome); }, count);
      worker.count(count);
      worker.done();
      if (failure) worker.failed(*seed);
    }
  };
  return run_workers(plan, body, stop, progress);
}

}  // namespace powercut::properties
