#include "properties/timeline.h"

#include "faultfs/sim_file_system.h"
#include "faultfs/tracing_file_system.h"
#include "properties/session_driver.h"

#include <memory>

namespace powercut::properties {
namespace {

// One run of the steps.
class Run {
 public:
  Run(engine::Engine& engine, const Workload& workload, faultfs::SimDisk& disk, const Steps& steps, const Timeline::Hook& hook,
      faultfs::TraceSink* trace, const Timeline::StepHook& at_step, std::uint32_t& next_point)
      : engine_(engine),
        disk_(disk),
        steps_(steps),
        hook_(hook),
        at_step_(at_step),
        next_point_(next_point),
        model_(workload.tables().size()),
        driver_(workload, model_, [this](std::string_view where) { reach(where); }),
        files_(disk) {
    if (trace != nullptr) traced_.emplace(files_, *trace);
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
    }
    stopped_ = true;
    return std::nullopt;
  }

 private:
  void reach(std::string_view where) {
    if (stopped_) return;
    const std::size_t step = std::min(step_, steps_.size() - 1);
    stopped_ = !hook_({next_point_++, step, where, disk_, model_, steps_[step], steps_.front()});
  }

  std::optional<Violation> failed(std::string_view what, const Error& error) const {
    if (stopped_) return std::nullopt;
    return Violation{Oracle::kAlive, std::string(what) + " failed with the power on: " + error.message(), {}};
  }

  std::optional<Violation> open() {
    faultfs::FileSystem& files = traced_ ? static_cast<faultfs::FileSystem&>(*traced_) : files_;
    auto opened = engine_.open(files, kDatabaseDirectory);
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
    return driver_.run(*database_, *session_, step);
  }

  engine::Engine& engine_;
  faultfs::SimDisk& disk_;
  const Steps& steps_;
  const Timeline::Hook& hook_;
  const Timeline::StepHook& at_step_;
  std::uint32_t& next_point_;
  Model model_;
  SessionDriver driver_;
  faultfs::SimFileSystem files_;
  std::optional<faultfs::TracingFileSystem> traced_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
  std::size_t step_ = 0;
  bool stopped_ = false;
};

}  // namespace

std::optional<Violation> Timeline::run(engine::Engine& engine, const Workload& workload, const faultfs::PersistenceModel& model,
                                       const Steps& steps, const Hook& hook, faultfs::TraceSink* trace, const StepHook& at_step) {
  disk_.format(model);
  next_point_ = 0;
  return Run(engine, workload, disk_, steps, hook, trace, at_step, next_point_).all();
}

}  // namespace powercut::properties
