// Explores cases, the crash points of each spread over processes.
//
// It goes in rounds: all cases with no further crash first, then all with one, and so on, so that the simplest failure is
// found first, and cheaply. The failure that is reported is that of the lowest round, case and crash point, whatever the
// number of jobs.
#pragma once

#include "properties/explore.h"
#include "properties/workers.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace powercut::properties {

struct ExplorationPlan {
  ExplorePlan limits;
  std::uint32_t jobs = 1;
  // Ends cleanly when so much was spent. The recoveries are exact with one job, and nearly so with more.
  std::uint64_t most_recoveries = std::numeric_limits<std::uint64_t>::max();
  std::chrono::duration<double> most_time = std::chrono::duration<double>::max();
};

// What was covered of one case.
struct CaseReport {
  Case explored;
  std::uint32_t points = 0;       // crash points of the case; 0 if its timeline was not run to the end
  std::uint32_t points_done = 0;  // of these, in the last round that was begun
  std::uint32_t points_same = 0;  // nothing had changed since the one before
  double largest_bits = 0;        // log2 of the crash states of the crash point that has most
  double total_bits = 0;          // of all crash points that are done
  WorkFigures figures;            // of all rounds; distinct outcomes are those of the last
  std::uint64_t states = 0;       // booted from the timeline, in the last round
  ScheduleCoverage schedules;     // where sessions run side by side, if its timeline was run to the end
  Coverage coverage;              // of what survives a crash
  Coverage nested_coverage;       // of what survives further ones
  std::uint32_t rounds = 0;       // that are done at every crash point
};

struct ExplorationReport {
  enum class Ended : unsigned char { kDone, kViolation, kBudget, kInterrupted };
  Ended ended = Ended::kDone;
  std::vector<CaseReport> cases;
  WorkFigures figures;
  std::size_t failing_case = 0;
  std::uint32_t failing_point = 0;   // kNoCrash: with the power on
  std::uint32_t failing_nested = 0;  // further crashes of the round that failed
  std::string worker_death;          // see WorkReport
};

// Figures while it runs.
struct ExplorationProgress {
  std::size_t case_number = 0;
  std::uint32_t nested = 0;  // the round
  std::uint32_t points = 0;  // of the case; 0 as long as that is not known
  std::uint32_t points_done = 0;
  double total_bits = 0;
  std::uint64_t recoveries = 0;  // of all cases
  double seconds = 0;
};

// kInvalidArgument if the engine refuses a case's options, or a case has more crash points than can be told apart.
Result<ExplorationReport> explore_cases(const std::vector<Case>& cases, const ExplorationPlan& plan, const std::atomic<bool>& stop,
                                        const std::function<void(const ExplorationProgress&)>& progress);

// The failure that an exploration found, made simple: fewer steps first, each candidate explored; then fewer picks. The same
// for the same arguments, whoever asks. Nothing if it does not fail.
std::optional<Case> simplest_case(const Case& explored, const ExplorePlan& limits, std::uint32_t failing_point,
                                  std::uint32_t failing_nested);

}  // namespace powercut::properties
