// powercut in a test suite of your own: a call a test, with whatever framework (docs/TESTING_YOUR_ENGINE.md).
//
//   const auto verdict = powercut::properties::check_all_crash_states(*my_engine_kind());
//   INFO(verdict.report);                                  // Catch2
//   REQUIRE(verdict.holds);
//   EXPECT_TRUE(verdict.holds) << verdict.report;          // GoogleTest
//
// The engine runs in processes that are forked from the test's, so that one that crashes or hangs is a violation and not the
// end of the suite. Call these from the main thread, while there is no other: a forked process has none of the others. They
// print nothing, and what they find is the same on every machine, whatever the number of jobs.
#pragma once

#include "engine/engine.h"
#include "faultfs/fault.h"
#include "faultfs/persistence_model.h"
#include "properties/promises.h"
#include "properties/violation.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace powercut::properties {

// What runs on what, and what it is held to.
struct TestSetting {
  std::vector<engine::Option> options = {};     // of the engine; its other tunables are drawn by each seed
  faultfs::PersistenceModel model = {};         // what a crash may keep; see faultfs::preset()
  std::vector<std::string> workloads = {};      // by name; empty: all that the engine has the sessions for
  std::vector<faultfs::FaultKind> faults = {};  // each seed has one of these; only workloads of one session then
  JudgedBy judged_by = JudgedBy::kGuarantee;
  std::uint32_t nested = 1;          // further crashes after the first: 0, 1 or 2
  std::uint32_t jobs = 0;            // processes that share the work; 0: as many as there are processors
  std::string case_directory = ".";  // where the case file of a violation goes
};

struct SeedsPlan {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1000;  // each a case of its own, crashed at random
  std::uint32_t steps = 16;    // of a case, at most
};

struct StatesPlan {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 6;               // each a case of its own; workloads take turns
  std::uint32_t steps = 8;               // of a case, after its set-up
  std::uint64_t most_at_point = 20'000;  // recoveries; where a crash point needs more, few losses and a sample are visited
  std::uint32_t most_preemptions = 2;    // where sessions run side by side; see ExplorePlan
  std::uint64_t most_schedules = 100;
};

struct Verdict {
  bool holds = false;
  // Every crash state of every case was visited, and whatever further crashes may leave: check_all_crash_states only.
  bool exhaustive = false;
  // For people: what was covered; or the violation, what was expected and found, why, the steps, the case file and its trace
  // hash; or what powercut could not do.
  std::string report;
  std::optional<Violation> violation;
  std::string case_file;   // empty if there is none
  std::string trace_hash;  // of the simplest case
  std::uint64_t cases = 0;
  std::uint64_t crash_points = 0;  // check_all_crash_states only
  std::uint64_t recoveries = 0;
  double log2_crash_states = 0;
};

// Crashes the engine at random: a case a seed. The lowest seed that fails is reported.
Verdict check_seeds(const engine::EngineKind& kind, const SeedsPlan& plan = {}, const TestSetting& setting = {});

// Visits every crash state of each case, and says whether that was all there are.
Verdict check_all_crash_states(const engine::EngineKind& kind, const StatesPlan& plan = {}, const TestSetting& setting = {});

// Runs the failure of a case file again: holds when it does not fail any more.
Verdict replay_case(const engine::EngineKind& kind, const std::string& path);

}  // namespace powercut::properties
