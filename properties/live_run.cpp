#include "properties/live_run.h"

#include "properties/recorded_session.h"
#include "properties/side_by_side.h"
#include "properties/timeline.h"

#include <string>
#include <utility>

namespace powercut::properties {
namespace {

Violation failed(std::string_view what, const Error& error) {
  return {Oracle::kAlive, std::string(what) + " failed with the power on: " + error.message(), {}};
}

// What each transaction may write: the numbers that rows carry (RecordedSession::next_tag) go on where an earlier run, of which
// only the model is known, cannot have come to.
constexpr unsigned kTagBits = 24;

}  // namespace

LiveRun::LiveRun(engine::Engine& engine, const Workload& workload, faultfs::FileSystem& files, faultfs::Scheduler& scheduler,
                 Step set_up, Model model, PromiseHook hook)
    : engine_(engine),
      workload_(workload),
      files_(files),
      scheduler_(scheduler),
      set_up_(std::move(set_up)),
      model_(std::move(model)),
      hook_(std::move(hook)),
      comparison_(workload),
      next_tag_(static_cast<std::int64_t>(model_.transaction() << kTagBits) + 1) {}

std::optional<Violation> LiveRun::open() {
  auto opened = engine_.open(files_, kDatabaseDirectory, {nullptr, is_side_by_side() ? &scheduler_ : nullptr});
  if (opened.has_error()) return Violation{Oracle::kAlive, "the database does not open: " + opened.error().message(), {}};
  database_ = std::move(opened).value();
  std::optional<Present> found;
  if (auto violation = compare(found)) return violation;
  found_ = *found;
  if (!closed_) model_ = model_.recovered(found_, model_.sessions());
  closed_ = false;
  return std::nullopt;
}

std::optional<Violation> LiveRun::compare() {
  std::optional<Present> nothing_in_doubt = 0;
  return compare(nothing_in_doubt);
}

std::optional<Violation> LiveRun::compare(std::optional<Present>& found) {
  auto session = database_->new_session();
  if (session.has_error()) return failed("a new session", session.error());
  static const Step kNone{StepKind::kCheckpoint, true, 0, 0, engine::Isolation::kSerializable, {}};
  return comparison_.compare(*database_, *session.value(), {model_, kNone, set_up_}, found);
}

std::optional<Violation> LiveRun::close() {
  const auto closed = database_->close();
  if (closed.has_error()) return failed("closing the database", closed.error());
  database_.reset();
  closed_ = true;
  return std::nullopt;
}

void LiveRun::die() { database_.reset(); }

std::optional<Violation> LiveRun::run(std::span<const Step> steps, faultfs::Choices& schedule) {
  std::optional<Violation> violation;
  const auto some = [&](std::span<const Step> part) {
    if (!part.empty() && !violation) violation = is_side_by_side() ? run_side_by_side(part, schedule) : run_alone(part);
  };
  if (!model_.committed().tables[0].exists) some({&set_up_, 1});
  while (!steps.empty() && !violation) {
    std::size_t together = 0;
    while (together < steps.size() && steps[together].kind != StepKind::kReopen) ++together;
    some(steps.first(together));
    if (violation) break;
    steps = steps.subspan(together);
    if (steps.empty()) break;
    steps = steps.subspan(1);
    violation = close();
    if (!violation) violation = open();
  }
  return violation;
}

std::optional<Violation> LiveRun::run_alone(std::span<const Step> steps) {
  SessionDriver driver(workload_, model_, [this](std::string_view where) { reach(0, where); });
  auto made = database_->new_session();
  if (made.has_error()) return failed("a new session", made.error());
  const std::unique_ptr<engine::Session> session = std::move(made).value();
  for (const Step& step : steps) {
    if (step.kind == StepKind::kCheckpoint) {
      const auto done = database_->checkpoint();
      if (done.has_error()) return failed("a checkpoint", done.error());
    } else if (auto violation = driver.run(*database_, *session, step)) {
      return violation;
    }
    reach(0, "after a step");
  }
  return std::nullopt;
}

std::optional<Violation> LiveRun::run_side_by_side(std::span<const Step> steps, faultfs::Choices& schedule) {
  History history;
  for (std::uint32_t table = 0; table < workload_.tables().size(); ++table) {
    for (const ModelRow& row : model_.committed().tables[table].rows) {
      history.write(0, workload_.tables()[table].name, row.key, row.row);
    }
  }
  SharedRecord record{workload_, model_, history, scheduler_};
  record.in_history.resize(model_.sessions());
  record.next_tag = next_tag_;
  record.set_up_count = set_up_.count;
  SideBySide side_by_side(record);
  record.promise = [&](std::string_view where) { reach(side_by_side.running_session(), where); };
  side_by_side.run(*database_, steps, 0, steps.size(), schedule, nullptr);
  next_tag_ = record.next_tag;
  if (record.violation) return std::move(record.violation);
  return judge(record, 0);
}

}  // namespace powercut::properties
