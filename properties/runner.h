// Spreads the seeds of a campaign over processes. Each worker is a process of its own, so an engine that crashes or hangs
// takes nobody with it and is itself a finding. The lowest failing seed is reported whatever the number of jobs.
#pragma once

#include "properties/campaign.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace powercut::properties {

inline constexpr std::uint32_t kMostJobs = 256;

struct RunnerPlan {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1000;
  std::uint32_t jobs = 1;  // from 1 to kMostJobs
};

struct RunnerFigures {
  std::uint64_t cases = 0;
  SearchCount count;
  std::uint64_t distinct_outcomes = 0;
  bool outcomes_at_least = false;  // the table of outcomes was full: there are more
  double processor_seconds = 0;    // of all workers
  double wall_seconds = 0;
};

struct RunnerReport {
  RunnerFigures figures;
  std::optional<std::uint64_t> failing_seed;
  std::string worker_death;  // how the worker ended that ran failing_seed, if it did not return: "signal 6 (Aborted)"
  bool interrupted = false;
};

// Told the figures so far, a few times a second.
using Progress = std::function<void(const RunnerFigures&)>;

// kIo when processes or memory cannot be had. Ends early when `stop` becomes true.
Result<RunnerReport> run_campaign(Campaign& campaign, const RunnerPlan& plan, const std::atomic<bool>& stop,
                                  const Progress& progress);

// Runs `work` in a process of its own and gives what it returns. Its error, if that process dies (kStopped, with how), or
// if `stop` becomes true first (kStopped, "interrupted").
Result<std::string> in_child(const std::function<std::string()>& work, const std::atomic<bool>& stop);

}  // namespace powercut::properties
