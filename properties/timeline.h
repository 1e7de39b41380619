// A case's steps, run once on a simulated disk with the power on. At each crash point time stands still: a hook looks at
// the disk and at what the user was promised, and may boot crash states from it; then the timeline goes on.
//
// Crash points are just before a sync takes effect, before and after commit and rollback, and after each step. What a
// crash at any other moment may leave is among what one of these may leave.
//
// With a fault (Setting::fault) errors of the disk are no violation. A transaction that fails is taken back; where the engine
// refuses that, its process ends and another opens the database, on the disk as the kernel shows it, and goes on.
#pragma once

#include "engine/engine.h"
#include "faultfs/choices.h"
#include "faultfs/fault.h"
#include "faultfs/scheduler.h"
#include "faultfs/sim_disk.h"
#include "faultfs/trace.h"
#include "properties/case.h"
#include "properties/history.h"
#include "properties/model.h"
#include "properties/statements.h"
#include "properties/step.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace powercut::properties {

// The directory of the database on the simulated disk.
inline constexpr std::string_view kDatabaseDirectory = "db";

// What the isolation levels of a timeline's transactions forbid and its history shows, if these of those in doubt are there.
using IsolationJudge = std::function<std::optional<Violation>(Present)>;

// The power may fail here.
struct CrashMoment {
  std::uint32_t point = 0;  // counts from 0 over the timeline
  std::size_t step = 0;     // the step that is running, or has just ended
  std::string_view where;   // "before a sync", "before commit", …
  const faultfs::SimDisk& disk;
  const Model& model;
  const Step& interrupted;
  const Step& set_up;
  const IsolationJudge* judge = nullptr;  // null where one session runs alone
  const History* history = nullptr;       // that it judges
};

// Watches a timeline for replay; each may be empty.
struct TimelineWatch {
  faultfs::TraceSink* trace = nullptr;
  // Told the number of each step before it runs.
  std::function<void(std::size_t)> step = {};
  // Where sessions run side by side: each statement and its answer.
  std::function<void(const Exchange& statement)> statement = {};
};

class Timeline {
 public:
  // Returns false to end the timeline at the next opportunity.
  using Hook = std::function<bool(const CrashMoment&)>;
  using Watch = TimelineWatch;

  // Keeps the disk's memory from one run to the next.
  Timeline() = default;

  // Runs the steps; which session goes on is what `schedule` picks. A violation here happened with the power on.
  std::optional<Violation> run(engine::Engine& engine, const Setting& setting, const Steps& steps, faultfs::Choices& schedule,
                               const Hook& hook, const Watch& watch = {});

  std::uint32_t crash_points() const { return next_point_; }
  // How many operations the setting's fault could have hit; 0 without one.
  std::uint32_t eligible() const { return eligible_; }

 private:
  faultfs::SimDisk disk_;
  faultfs::Scheduler scheduler_;
  std::uint32_t next_point_ = 0;
  std::uint32_t eligible_ = 0;
};

}  // namespace powercut::properties
