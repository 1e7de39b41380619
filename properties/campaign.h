// What `powercut run` does with a seed: which setting and steps it stands for, whether they fail, and the simplest case
// of a failure.
#pragma once

#include "properties/case.h"
#include "properties/search.h"
#include "properties/shrink.h"
#include "properties/workers.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace powercut::properties {

struct CampaignPlan {
  const engine::EngineKind* kind = nullptr;
  std::vector<engine::Option> options;  // fixed; the other tunables are drawn by each seed
  std::vector<std::string> defects;
  faultfs::PersistenceModel model;
  std::vector<const Workload*> workloads;  // seeds take turns
  std::vector<faultfs::FaultKind> faults;  // each seed has one of these
  bool slow_io = false;
  JudgedBy judged_by = JudgedBy::kGuarantee;
  std::uint32_t nested = 1;
  StepCount steps;
  std::optional<std::uint32_t> side_by_side_steps;      // where there are several sessions, so many in place of those
  std::uint64_t shrink_recoveries = kShrinkRecoveries;  // that making a failure simple may take
  std::uint32_t boots_per_point = 2;
  std::uint32_t points_of_16 = 8;
  // Of 16 seeds, so many have their transactions joined into long ones, and the checkpoints between them made inside: what
  // a log must keep for undo shows in no short transaction. case_of() only, and only where one session runs alone.
  std::uint32_t long_of_16 = 0;
};

// Sets the engine's options to what it proposes where every crash state is visited, as far as the user has not: options that
// make recovery read much, without which it keeps the same promises when the power fails. Not where the disk has faults.
void set_for_exploration(CampaignPlan& plan);
void set_for_exploration(Setting& setting);

// The options given, and for each tunable without one a value worth trying, which the seed draws.
std::vector<engine::Option> drawn_options(const engine::EngineKind& kind, std::vector<engine::Option> options,
                                          std::span<const std::string> defects, std::uint64_t seed);

class Campaign {
 public:
  // Checks the plan by making an engine once: its errors are kInvalidArgument.
  static Result<Campaign> make(CampaignPlan plan);

  Setting setting_of(std::uint64_t seed) const;

  // The case of a seed, without a failure.
  Case case_of(std::uint64_t seed) const;

  // Runs the case of a seed.
  std::optional<Failure> run(std::uint64_t seed, const Searcher::OutcomeSink& outcome, SearchCount& count);

  // The failure of a seed made simple, traced, and ready to be stored; nothing if it does not fail. The same for the same
  // seed and plan, whoever asks.
  std::optional<Case> simplest_case(std::uint64_t seed);

 private:
  explicit Campaign(CampaignPlan plan) : plan_(std::move(plan)) {}
  engine::Engine& engine_for(const Setting& setting);
  SearchPlan search_plan(std::uint64_t seed) const;
  rc::Shrinkable<Steps> steps_of_seed(const Setting& setting, std::uint64_t seed) const;

  CampaignPlan plan_;
  // Engines keep memory: one for each combination of options that was drawn.
  std::map<std::string, std::unique_ptr<engine::Engine>> engines_;
};

// Runs the cases of the plan's items, which are seeds, in its jobs. See run_workers.
Result<WorkReport> run_campaign(Campaign& campaign, const WorkPlan& plan, const std::atomic<bool>& stop, const Progress& progress);

}  // namespace powercut::properties
