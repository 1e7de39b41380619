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
#include "faultfs/fault.h"
#include "faultfs/sim_disk.h"
#include "faultfs/trace.h"
#include "properties/case.h"
#include "properties/model.h"
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

// The power may fail here.
struct CrashMoment {
  std::uint32_t point = 0;  // counts from 0 over the timeline
  std::size_t step = 0;     // the step that is running, or has just ended
  std::string_view where;   // "before a sync", "before commit", …
  const faultfs::SimDisk& disk;
  const Model& model;
  const Step& interrupted;
  const Step& set_up;
};

class Timeline {
 public:
  // Returns false to end the timeline at the next opportunity.
  using Hook = std::function<bool(const CrashMoment&)>;
  // Told the number of each step before it runs.
  using StepHook = std::function<void(std::size_t)>;

  // Keeps the disk's memory from one run to the next.
  Timeline() = default;

  // Runs the steps; `trace` and `at_step` may be null. A violation here happened with the power on.
  std::optional<Violation> run(engine::Engine& engine, const Setting& setting, const Steps& steps, const Hook& hook,
                               faultfs::TraceSink* trace = nullptr, const StepHook& at_step = nullptr);

  std::uint32_t crash_points() const { return next_point_; }
  // How many operations the setting's fault could have hit; 0 without one.
  std::uint32_t eligible() const { return eligible_; }

 private:
  faultfs::SimDisk disk_;
  std::uint32_t next_point_ = 0;
  std::uint32_t eligible_ = 0;
};

}  // namespace powercut::properties
