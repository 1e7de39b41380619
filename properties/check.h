// One crash: boots a crash state, lets the engine recover, and checks what it recovered against the model.
//
// What else happens is a choice like any other, pick 0 being the plain check: a second crash at once (recovery must be
// idempotent), the work goes on and crashes later (the recovered engine is alive and keeps what it accepts), or the power
// fails during recovery itself. The explorer (explore.h) takes the same steps one at a time instead, and looks at every
// moment at which the power may fail again.
#pragma once

#include "engine/engine.h"
#include "faultfs/choices.h"
#include "faultfs/faulty_file_system.h"
#include "faultfs/sim_disk.h"
#include "faultfs/trace.h"
#include "properties/model_comparison.h"
#include "properties/promises.h"
#include "properties/timeline.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
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
  // Recovery is over and was found right; the user goes on.
  virtual void on_work() {}
  // The check is over; the disk of its last recovery is as that left it.
  virtual void on_checked(faultfs::SimDisk& last_disk) = 0;
  virtual faultfs::TraceSink& trace() = 0;
};

// What the user does once a recovery was found right.
enum class Then : unsigned char {
  kNothing,
  kSameWork,   // what was interrupted and is not there, again; else something small and new
  kOtherWork,  // what was interrupted and is not there, with other values: records of equal length in the same place
};

// The power may fail once more.
struct NextCrash {
  enum class Where : unsigned char { kInRecovery, kAfterRecovery, kInWork, kAfterWork };
  Where where = Where::kInRecovery;
  std::uint32_t sync = 0;  // kInRecovery, kInWork: which sync it is, from 0
  Then then = Then::kNothing;
  const faultfs::SimDisk& disk;
  Promised promised;

  std::string_view text() const;
};

class Checker {
 public:
  // How many crashes may follow the first.
  static constexpr std::uint32_t kMostNested = 2;

  // Told of each moment at which the power may fail again; a violation that it gives is the result.
  using NextCrashVisitor = std::function<std::optional<Violation>(const NextCrash&)>;

  // The setting must outlive the checker.
  Checker(engine::Engine& engine, const Setting& setting)
      : engine_(engine),
        setting_(setting),
        workload_(*setting.workload),
        guarantee_(held_to(setting.judged_by, engine.guarantee(setting.model))),
        comparison_(*setting.workload) {}

  // How many crashes may follow the first: as many as the setting says, but none where there is a fault.
  std::uint32_t most_nested() const { return setting_.fault ? 0 : std::min(setting_.nested, kMostNested); }

  // Crashes and recovers at this moment, as the choices say.
  std::optional<Violation> check(const CrashMoment& moment, faultfs::Choices& choices, CheckObserver* observer = nullptr);

  // One recovery of one crash state, at this depth of the stack of disks, and what follows it. `visit` may be null. With
  // Then::kNothing it is told of the crashes in and after recovery, else of those in and after the work.
  std::optional<Violation> recover(std::size_t depth, const faultfs::SimDisk& crashed, const Promised& promised,
                                   faultfs::Choices& choices, Then then, const NextCrashVisitor& visit, std::string_view why,
                                   CheckObserver* observer = nullptr);

  static Promised promised_at(const CrashMoment& moment) {
    return {moment.model, moment.interrupted, moment.set_up, std::nullopt, moment.judge};
  }

  // The picks with which check() fails as recover() did that took `picks`.
  static std::vector<std::uint32_t> picks_to(std::uint32_t nested, Then then, std::span<const std::uint32_t> picks);
  // The same, if not recover() itself failed but what came next: at `next`, which came after `picks`, a recovery failed that was
  // given `rest`.
  static std::vector<std::uint32_t> picks_through(std::span<const std::uint32_t> picks, const NextCrash& next,
                                                  std::span<const std::uint32_t> rest);

  std::uint64_t recoveries() const { return recoveries_; }
  // The disk on which the last recovery ran. At least one must have run.
  faultfs::SimDisk& last_disk() { return *disks_[last_depth_]; }
  // How many operations of a recovery the setting's fault could have hit, at most.
  std::uint32_t eligible() const { return eligible_; }
  // How often a promise was broken that the engine is not held to.
  const BreachCounts& breaches() const { return breaches_; }
  // A hash of what the last recovery left, which was checked to be what the model says or less.
  std::uint64_t outcome() const { return outcome_; }

 private:
  std::optional<Violation> chosen(std::size_t depth, const faultfs::SimDisk& crashed, const Promised& promised,
                                  faultfs::Choices& choices, std::uint32_t nested, std::string_view why, CheckObserver* observer);
  std::optional<Violation> go_on(std::size_t depth, engine::Database& database, engine::Session& session, const Promised& promised,
                                 Present found, Then then, const NextCrashVisitor& visit);

  std::optional<Violation> compare(engine::Database& database, engine::Session& session, const Promised& promised,
                                   std::optional<Present>& found);

  // Nothing if the engine is not held to what the violation breaks; then that is counted.
  std::optional<Violation> judged(Violation violation);
  // Looks at a database that did not compare well: what is left if less may be there than was acknowledged, or the violation.
  std::optional<Violation> judge_losses(engine::Database& database, engine::Session& session, const Promised& promised,
                                        Violation found_wrong, std::optional<Present>& found, std::optional<Model>& left);

  // The fault that hits the recovery, or hit the work; what is owed then.
  std::optional<Violation> recover_faulty(faultfs::FaultyFileSystem& faulty, faultfs::FileSystem& files, const Promised& promised,
                                          const engine::Narrator* narrator);
  std::optional<Violation> compare_with_history(engine::Session& session, const Promised& promised);

  engine::Engine& engine_;
  const Setting& setting_;
  const Workload& workload_;
  engine::Guarantee guarantee_;  // that it is held to
  ModelComparison comparison_;
  std::vector<std::unique_ptr<faultfs::SimDisk>> disks_;  // by depth
  std::size_t last_depth_ = 0;
  std::uint64_t recoveries_ = 0;
  std::uint64_t outcome_ = 0;
  std::uint32_t eligible_ = 0;
  BreachCounts breaches_{};
};

}  // namespace powercut::properties
