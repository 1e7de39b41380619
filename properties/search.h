// Looks for a failure of given steps: runs them once and, at crash points, boots random crash states.
#pragma once

#include "properties/case.h"
#include "properties/check.h"
#include "properties/timeline.h"
#include "properties/workers.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace powercut::properties {

struct SearchPlan {
  std::uint64_t seed = 0;             // of the crash states
  std::uint32_t points_of_16 = 16;    // how many of 16 crash points are looked at
  std::uint32_t boots_per_point = 2;  // random crash states at each of them
  // Who goes on: drawn from the seed, unless given.
  std::optional<std::vector<std::uint32_t>> schedule;
  // Tried at each point before the random ones.
  std::vector<std::vector<std::uint32_t>> picks_to_try;
  // Only failures of this oracle count, if it is set.
  std::optional<Oracle> only;
  std::uint64_t most_recoveries = std::numeric_limits<std::uint64_t>::max();
};

class Searcher {
 public:
  // Told the hash of each recovered state. May be empty.
  using OutcomeSink = std::function<void(std::uint64_t)>;

  Searcher(engine::Engine& engine, const Setting& setting) : engine_(engine), setting_(setting), checker_(engine, setting) {}

  // The first failure, or nothing. Its picks end where the last one that is not 0 does.
  std::optional<Failure> search(const Steps& steps, const SearchPlan& plan, const OutcomeSink& outcome = nullptr);

  // Crashes exactly as `how` says (its violation does not matter). `observer` may be null; at_crash is told where the crash is,
  // just before it.
  std::optional<Violation> execute(const Steps& steps, const Failure& how, CheckObserver* observer = nullptr,
                                   const Timeline::Watch& watch = {},
                                   const std::function<void(const CrashMoment&)>& at_crash = nullptr);

  const SearchCount& count() const { return count_; }

 private:
  engine::Engine& engine_;
  const Setting& setting_;
  Timeline timeline_;
  Checker checker_;
  SearchCount count_;
};

}  // namespace powercut::properties
