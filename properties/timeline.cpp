#include "properties/timeline.h"

#include "faultfs/faulty_file_system.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/tracing_file_system.h"
#include "properties/session_driver.h"

#include <memory>

namespace powercut::properties {
namespace {

// One run of the steps.
class Run {
 public:
  Run(engine::Engine& engine, const Setting& setting, faultfs::SimDisk& disk, const Steps& steps, const Timeline::Hook& hook,
      faultfs::TraceSink* trace, const Timeline::StepHook& at_step, std::uint32_t& next_point)
      : engine_(engine),
        setting_(setting),
        disk_(disk),
        steps_(steps),
        hook_(hook),
        at_step_(at_step),
        next_point_(next_point),
        model_(setting.workload->tables().size()),
        driver_(*setting.workload, model_, [this](std::string_view where) { reach(where); }),
        plain_files_(disk) {
    if (setting.fault) {
      faulty_.emplace(plain_files_, disk, std::span(&*setting.fault, 1), false);
      driver_.expect_failures({[this] { return may_fail(); }, [this] { faulty_->heal(); }});
      files_ = &*faulty_;
    }
    if (trace != nullptr) files_ = &traced_.emplace(*files_, *trace);
    disk_.set_crash_hook([this] { reach("before a sync"); });
  }

  ~Run() { disk_.set_crash_hook(nullptr); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::optional<Violation> all() {
    if (auto violation = open()) return violation;
    for (step_ = 0; step_ < steps_.size() && !stopped_; ++step_) {
      if (at_step_) at_step_(step_);
      if (auto violation = one(steps_[step_])) return violation;
      reach("after a step");
      if (faulty_) {
        if (auto violation = after_step()) return violation;
      }
    }
    stopped_ = true;
    return std::nullopt;
  }

  std::uint32_t eligible() const { return faulty_ ? faulty_->eligible(setting_.fault->kind) : 0; }

 private:
  static constexpr std::uint32_t kTriesWithFault = 4;

  void reach(std::string_view where) {
    if (stopped_ || model_.history().size() < settled_at_) return;
    const std::size_t step = std::min(step_, steps_.size() - 1);
    stopped_ = !hook_({next_point_++, step, where, disk_, model_, steps_[step], steps_.front()});
  }

  // The user tries again what all other steps build on.
  std::optional<Violation> after_step() {
    faulty_->step_ended();
    if (step_ > 0) return std::nullopt;
    for (std::uint32_t tries = 1; !stopped_ && !model_.committed().tables[0].exists; ++tries) {
      if (tries == kTriesWithFault) faulty_->heal();
      if (tries > kTriesWithFault + 1) return Violation{Oracle::kAlive, "the fault is over, but nothing can be committed", {}};
      if (auto violation = one(steps_[0])) return violation;
      reach("after a step");
      faulty_->step_ended();
    }
    return std::nullopt;
  }

  // Whether errors of the disk are to be expected now. A full disk that has space again is as good as new.
  bool may_fail() const {
    if (!faulty_ || !faulty_->fired()) return false;
    if (faultfs::info(setting_.fault->kind).owed == faultfs::FaultClass::kInvisible) return false;
    return setting_.fault->kind != faultfs::FaultKind::kFullDisk || faulty_->active();
  }

  // An error of the engine itself: its process ends and another opens the database, if the disk may be to blame.
  std::optional<Violation> failed(std::string_view what, const Error& error) {
    if (stopped_) return std::nullopt;
    if (may_fail() && is_disk_failure(error.code())) return restart();
    return Violation{Oracle::kAlive, std::string(what) + " failed with the power on: " + error.message(), {}};
  }

  std::optional<Violation> restart() {
    reach("after the engine stopped");
    const bool owes_all = faultfs::info(setting_.fault->kind).owed == faultfs::FaultClass::kReported;
    for (const bool healed : {false, true}) {
      session_.reset();
      database_.reset();
      if (healed) faulty_->heal();
      auto opened = engine_.open(*files_, kDatabaseDirectory);
      if (stopped_) return std::nullopt;
      if (opened.has_value()) {
        database_ = std::move(opened).value();
        auto session = database_->new_session();
        if (session.has_value()) {
          session_ = std::move(session).value();
          const auto present = driver_.in_doubt_is_there(*session_);
          if (present.has_value()) {
            // What was in doubt and is there may have been read from a page cache. Nobody promised it: until something else
            // is acknowledged, which comes after it, it may still be lost, and crashes are not looked at.
            if (present.value()) {
              model_.acknowledged();
              settled_at_ = model_.history().size() + 1;
            } else {
              model_.rolled_back();
            }
            return std::nullopt;
          }
          opened = present.error();
        } else {
          opened = session.error();
        }
      }
      if (healed && owes_all) {
        return Violation{Oracle::kAlive, "the fault is over, but the database does not open: " + opened.error().message(), {}};
      }
    }
    stopped_ = true;  // an error is all that is owed
    return std::nullopt;
  }

  std::optional<Violation> open() {
    auto opened = engine_.open(*files_, kDatabaseDirectory);
    if (opened.has_error()) return failed("opening the database", opened.error());
    database_ = std::move(opened).value();
    auto session = database_->new_session();
    if (session.has_error()) return failed("a new session", session.error());
    session_ = std::move(session).value();
    return std::nullopt;
  }

  std::optional<Violation> one(const Step& step) {
    if (step.kind == StepKind::kCheckpoint) {
      const auto done = database_->checkpoint();
      if (done.has_error()) return failed("a checkpoint", done.error());
      return std::nullopt;
    }
    if (step.kind == StepKind::kReopen) {
      session_.reset();
      const auto closed = database_->close();
      if (closed.has_error()) return failed("closing the database", closed.error());
      database_.reset();
      return open();
    }
    auto violation = driver_.run(*database_, *session_, step);
    if (!violation && driver_.stopped() && !stopped_) return restart();
    return violation;
  }

  engine::Engine& engine_;
  const Setting& setting_;
  faultfs::SimDisk& disk_;
  const Steps& steps_;
  const Timeline::Hook& hook_;
  const Timeline::StepHook& at_step_;
  std::uint32_t& next_point_;
  Model model_;
  SessionDriver driver_;
  faultfs::SimFileSystem plain_files_;
  std::optional<faultfs::FaultyFileSystem> faulty_;
  std::optional<faultfs::TracingFileSystem> traced_;
  faultfs::FileSystem* files_ = &plain_files_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
  std::size_t step_ = 0;
  std::size_t settled_at_ = 0;  // acknowledged transactions from which on a crash is looked at
  bool stopped_ = false;
};

}  // namespace

std::optional<Violation> Timeline::run(engine::Engine& engine, const Setting& setting, const Steps& steps, const Hook& hook,
                                       faultfs::TraceSink* trace, const StepHook& at_step) {
  disk_.format(setting.model);
  next_point_ = 0;
  Run run(engine, setting, disk_, steps, hook, trace, at_step, next_point_);
  auto violation = run.all();
  eligible_ = run.eligible();
  return violation;
}

}  // namespace powercut::properties
