#include "properties/timeline.h"

#include "faultfs/faulty_file_system.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/tracing_file_system.h"
#include "faultfs/yielding_file_system.h"
#include "properties/session_driver.h"
#include "properties/side_by_side.h"

#include <algorithm>
#include <memory>

namespace powercut::properties {
namespace {

// One run of the steps.
class Run {
 public:
  Run(engine::Engine& engine, const Setting& setting, faultfs::SimDisk& disk, faultfs::Scheduler& scheduler, const Steps& steps,
      const Timeline::Hook& hook, const Timeline::Watch& watch, std::uint32_t& next_point)
      : engine_(engine),
        setting_(setting),
        disk_(disk),
        scheduler_(scheduler),
        steps_(steps),
        hook_(hook),
        watch_(watch),
        next_point_(next_point),
        model_(setting.workload->tables().size(), setting.workload->sessions()),
        driver_(*setting.workload, model_, [this](std::string_view where) { reach(where); }),
        record_{*setting.workload, model_, history_, scheduler},
        side_by_side_(record_),
        judge_([this](Present present) { return judge(present); }),
        plain_files_(disk) {
    record_.in_history.resize(model_.sessions());
    record_.promise = [this](std::string_view where) { reach(where); };
    record_.statement = watch.statement;
    if (setting.fault) {
      faulty_.emplace(plain_files_, disk, std::span(&*setting.fault, 1), false);
      driver_.expect_failures({[this] { return may_fail(); }, [this] { faulty_->heal(); }});
      files_ = &*faulty_;
    }
    if (watch.trace != nullptr) files_ = &traced_.emplace(*files_, *watch.trace);
    if (setting.slow_io) files_ = &slow_.emplace(*files_, scheduler_);
    disk_.set_crash_hook([this] { reach("before a sync"); });
  }

  ~Run() { disk_.set_crash_hook(nullptr); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::optional<Violation> all(faultfs::Choices& schedule) {
    if (auto violation = open()) return violation;
    if (model_.sessions() > 1) return all_side_by_side(schedule);
    for (step_ = 0; step_ < steps_.size() && !stopped_; ++step_) {
      if (watch_.step) watch_.step(step_);
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
    if (model_.sessions() > 1) return reach_side_by_side(where);
    const std::size_t step = std::min(step_, steps_.size() - 1);
    stopped_ = !hook_({next_point_++, step, where, disk_, model_, steps_[step], steps_.front()});
  }

  // The set-up alone, then the sessions side by side until the database is closed and opened again, and so on.
  std::optional<Violation> all_side_by_side(faultfs::Choices& schedule) {
    for (std::size_t first = 0; first < steps_.size() && !stopped_;) {
      step_ = first;
      if (steps_[first].kind == StepKind::kReopen) {
        if (watch_.step) watch_.step(first);
        const auto closed = database_->close();
        if (closed.has_error()) return failed("closing the database", closed.error());
        database_.reset();
        if (auto violation = open()) return violation;
        ++first;
        continue;
      }
      std::size_t last = first + 1;
      while (first > 0 && last < steps_.size() && steps_[last].kind != StepKind::kReopen) ++last;
      session_.reset();
      side_by_side_.run(*database_, steps_, first, last, schedule, watch_.step);
      if (record_.violation) return std::move(record_.violation);
      if (!stopped_) {
        judged_.clear();
        if (auto violation = judge(0)) return violation;
      }
      first = last;
    }
    stopped_ = true;
    return std::nullopt;
  }

  void reach_side_by_side(std::string_view where) {
    // What comes next is small and new: there is no one transaction that was interrupted.
    static const Step kNone{StepKind::kCheckpoint, true, 0, 0, engine::Isolation::kSerializable, {}};
    if (record_.violation) return;
    judged_.clear();
    const std::size_t step = scheduler_.in_fiber() ? side_by_side_.step() : step_;
    stopped_ = !hook_({next_point_++, step, where, disk_, model_, steps_[step].kind == StepKind::kSetUp ? steps_[step] : kNone,
                       steps_.front(), &judge_, &history_});
    if (stopped_) scheduler_.stop();
  }

  std::optional<Violation> judge(Present present) {
    for (const auto& [known, verdict] : judged_) {
      if (known == present) return verdict;
    }
    auto verdict = properties::judge(record_, present);
    judged_.emplace_back(present, verdict);
    return verdict;
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
    auto opened = engine_.open(*files_, kDatabaseDirectory, {nullptr, model_.sessions() > 1 ? &scheduler_ : nullptr});
    if (opened.has_error()) return failed("opening the database", opened.error());
    database_ = std::move(opened).value();
    if (model_.sessions() > 1) return std::nullopt;
    auto session = database_->new_session();
    if (session.has_error()) return failed("a new session", session.error());
    session_ = std::move(session).value();
    return std::nullopt;
  }

  std::optional<Violation> one(const Step& step) {
    if (step.kind == StepKind::kCheckpoint) {
      const auto done = database_->checkpoint();
      if (done.has_error() && done.error().code() != ErrorCode::kUnsupported) return failed("a checkpoint", done.error());
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
  faultfs::Scheduler& scheduler_;
  const Steps& steps_;
  const Timeline::Hook& hook_;
  const Timeline::Watch& watch_;
  std::uint32_t& next_point_;
  Model model_;
  SessionDriver driver_;
  History history_;  // side by side
  SharedRecord record_;
  SideBySide side_by_side_;
  IsolationJudge judge_;
  std::vector<std::pair<Present, std::optional<Violation>>> judged_;  // at this moment
  faultfs::SimFileSystem plain_files_;
  std::optional<faultfs::FaultyFileSystem> faulty_;
  std::optional<faultfs::TracingFileSystem> traced_;
  std::optional<faultfs::YieldingFileSystem> slow_;
  faultfs::FileSystem* files_ = &plain_files_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
  std::size_t step_ = 0;
  std::size_t settled_at_ = 0;  // acknowledged transactions from which on a crash is looked at
  bool stopped_ = false;
};

}  // namespace

std::optional<Violation> Timeline::run(engine::Engine& engine, const Setting& setting, const Steps& steps,
                                       faultfs::Choices& schedule, const Hook& hook, const Watch& watch) {
  disk_.format(setting.model);
  next_point_ = 0;
  Run run(engine, setting, disk_, scheduler_, steps, hook, watch, next_point_);
  auto violation = run.all(schedule);
  eligible_ = run.eligible();
  return violation;
}

}  // namespace powercut::properties
