// Explores all crash states of given steps, crash point by crash point: stateless model checking of recovery.
//
// At a crash point every list of answers to "what survived?" is tried, fewest losses first, and at each moment at which
// the power may fail again (in recovery, after it, in the work that follows) the same is done one level down. What a
// recovery never reads is never asked, so one recovery stands for all crash states that agree on what it read; that is
// sound because recovery is deterministic and sees the disk through reads alone. And what follows a second crash is looked
// at once for each disk that it may happen on: many recoveries leave the same bytes.
//
// Where a tree is larger than the plan allows, what was visited is still systematic: all lists with up to d losses, and
// with up to d survivors, then a random sample. Coverage says which.
#pragma once

#include "faultfs/exhaustive_choices.h"
#include "properties/case.h"
#include "properties/check.h"
#include "properties/timeline.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace powercut::properties {

struct ExplorePlan {
  std::uint64_t seed = 0;  // of what is sampled
  // Recoveries that a crash point may cost, roughly. All of them may go into what survives its crash.
  std::uint64_t most_at_point = 100'000;
  // Of these, what all further crashes together may cost: each may take a 16th of what is left, and a few as long as
  // something is left.
  std::uint64_t most_further = std::numeric_limits<std::uint64_t>::max();
  // Only failures of this oracle count, if it is set.
  std::optional<Oracle> only = std::nullopt;
  // Where sessions run side by side: every interleaving with so many preemptions or fewer, and no more interleavings than
  // this; or one that is given.
  std::uint32_t most_preemptions = 2;
  std::uint64_t most_schedules = std::numeric_limits<std::uint64_t>::max();
  // Where these are not all there are, so many more at random.
  std::uint64_t sampled_schedules = 0;
  std::optional<std::vector<std::uint32_t>> schedule = std::nullopt;
  // No further interleaving begins once there are so many crash points.
  std::uint32_t most_points = std::numeric_limits<std::uint32_t>::max();
};

// How many interleavings were visited.
struct ScheduleCoverage {
  std::uint64_t schedules = 0;  // one after another
  int preemptions = -1;         // all with so many or fewer
  bool exhaustive = false;      // there are no others
  std::uint64_t sampled = 0;    // and so many at random
};

// How much of a tree, or of many, was visited.
struct Coverage {
  bool exhaustive = true;
  // Where not: every list of picks with up to so many losses, or so many survivors, was visited (-1: not even none).
  int losses = -1;
  int survivors = -1;

  // What holds of both.
  void add(const Coverage& other);
  friend bool operator==(const Coverage&, const Coverage&) = default;
};

// What was seen at one crash point.
struct PointReport {
  std::uint32_t point = 0;
  double bits = 0;                 // log2 of its crash states: at most so many
  std::uint64_t states = 0;        // crash states that were booted from the timeline
  std::uint64_t recoveries = 0;    // these and the ones nested in them
  Coverage coverage;               // of what survives this crash
  Coverage nested_coverage;        // of what survives the further ones
  std::uint64_t nested_trees = 0;  // further crashes that were looked at
  std::uint64_t nested_seen = 0;   // further crashes of a disk that was looked at before
  bool same_as_before = false;     // nothing changed since the crash point before: not looked at again
};

class Explorer {
 public:
  // Told the hash of each recovered state. May be empty.
  using OutcomeSink = std::function<void(std::uint64_t)>;
  // Told before a crash point is explored; false leaves it to somebody else. Of several interleavings those points count that
  // differ from all before, in what is on the disk, owed and judged; they are numbered from 0 over all interleavings.
  using Claim = std::function<bool(std::uint32_t point)>;
  // Told after it. False ends the exploration.
  using PointSink = std::function<bool(const PointReport&)>;
  // Asked between recoveries; true ends the exploration, and the point under way is not reported.
  using Stop = std::function<bool(std::uint64_t recoveries)>;

  Explorer(engine::Engine& engine, const Setting& setting) : setting_(setting), engine_(engine), checker_(engine, setting) {}

  // The failure at the lowest claimed crash point, or nothing. Any of the functions may be empty.
  std::optional<Failure> explore(const Steps& steps, const ExplorePlan& plan, const Claim& claim, const PointSink& point_done,
                                 const Stop& stop, const OutcomeSink& outcome);

  // Crash points seen, all of them if explore() ran to its end.
  std::uint32_t crash_points() const { return points_; }
  // The number of the crash point that failed, as claims count them.
  std::uint32_t failing_point() const { return points_ - 1; }
  const ScheduleCoverage& schedules() const { return schedules_; }
  std::uint64_t recoveries() const { return checker_.recoveries(); }
  // How often a promise was broken that the engine is not held to.
  const BreachCounts& breaches() const { return checker_.breaches(); }

 private:
  class Point;

  bool stop_now();
  std::optional<Failure> systematically(const Steps& steps, const Claim& claim, const PointSink& point_done);
  std::optional<Failure> at_random(const Steps& steps, const Claim& claim, const PointSink& point_done);
  std::optional<Failure> one_schedule(const Steps& steps, faultfs::Choices& schedule, const Claim& claim,
                                      const PointSink& point_done);

  const Setting& setting_;
  engine::Engine& engine_;
  Timeline timeline_;
  Checker checker_;
  faultfs::SimDisk counting_disk_;
  faultfs::RecordedChoices counting_choices_{{}};
  std::vector<std::unique_ptr<faultfs::ExhaustiveChoices>> choices_;  // by depth
  ExplorePlan plan_;
  const Stop* stop_ = nullptr;
  const OutcomeSink* outcome_ = nullptr;
  bool stopped_ = false;
  std::unordered_set<std::uint64_t> seen_;     // disks and promises of further crashes, at this crash point
  std::unordered_set<std::uint64_t> moments_;  // crash points of all interleavings
  std::uint32_t points_ = 0;
  ScheduleCoverage schedules_;
};

}  // namespace powercut::properties
