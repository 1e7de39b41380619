// One crash: boots a crash state, lets the engine recover, and checks what it recovered against the model.
//
// What else happens is a choice like any other, pick 0 being the plain check: a second crash at once (recovery must be
// idempotent), the work goes on and crashes later (the recovered engine is alive and keeps what it accepts), or the power
// fails during recovery itself.
#pragma once

#include "engine/engine.h"
#include "faultfs/choices.h"
#include "faultfs/sim_disk.h"
#include "faultfs/trace.h"
#include "properties/timeline.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::properties {

// Watches a check for replay: the file operations of each recovery, what each read resolved, and what recovery says.
class CheckObserver {
 public:
  virtual ~CheckObserver() = default;
  // A recovery begins on crash state number `depth` of the stack (0: of the timeline's disk).
  virtual void on_boot(std::size_t depth, std::string_view why) = 0;
  virtual void on_resolution(const faultfs::SimDisk& disk, const faultfs::Resolution& resolution) = 0;
  virtual void on_recovery(std::string_view phase, std::string_view line) = 0;
  // The check is over; the disk of its last recovery is as that left it.
  virtual void on_checked(faultfs::SimDisk& last_disk) = 0;
  virtual faultfs::TraceSink& trace() = 0;
};

class Checker {
 public:
  // How many crashes may follow the first.
  static constexpr std::uint32_t kMostNested = 2;

  Checker(engine::Engine& engine, const Workload& workload) : engine_(engine), workload_(workload) {}

  // Crashes and recovers at this moment, as the choices say. `nested` bounds further crashes.
  std::optional<Violation> check(const CrashMoment& moment, faultfs::Choices& choices, std::uint32_t nested,
                                 CheckObserver* observer = nullptr);

  std::uint64_t recoveries() const { return recoveries_; }
  // The disk on which the last recovery ran. At least one must have run.
  faultfs::SimDisk& last_disk() { return *disks_[last_depth_]; }
  // A hash of what the last recovery left, which was checked to be what the model says.
  std::uint64_t outcome() const { return outcome_; }

 private:
  // Which of the legal states must be found.
  enum class Expected : unsigned char { kAny, kBefore, kAfter };
  struct Promised {
    const Model& model;
    const Step& interrupted;
    const Step& set_up;
    Expected expected = Expected::kAny;
  };
  struct Level;

  std::optional<Violation> recover(std::size_t depth, const faultfs::SimDisk& crashed, const Promised& promised,
                                   faultfs::Choices& choices, std::uint32_t nested, std::string_view why, CheckObserver* observer);
  std::optional<Violation> go_on(std::size_t depth, engine::Database& database, engine::Session& session, const Promised& promised,
                                 Expected found, faultfs::Choices& choices, std::uint32_t nested, CheckObserver* observer);

  // Compares everything with the model; tells which of the two states of an in-doubt transaction it found.
  std::optional<Violation> compare(engine::Database& database, engine::Session& session, const Promised& promised, Expected& found);
  Violation explain(engine::Session& session, const Promised& promised, const State& state, std::string_view why);

  engine::Engine& engine_;
  const Workload& workload_;
  std::vector<std::unique_ptr<faultfs::SimDisk>> disks_;  // by depth
  std::size_t last_depth_ = 0;
  std::uint64_t recoveries_ = 0;
  std::uint64_t outcome_ = 0;
  Tally tally_;
  std::string key_;  // scratch
  std::string row_;  // scratch
};

}  // namespace powercut::properties
