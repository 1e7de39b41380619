#include "properties/side_by_side.h"

#include "properties/isolation.h"

#include <algorithm>
#include <memory>
#include <string>

namespace powercut::properties {
namespace {

Result<void> set_up(SharedRecord& record, RecordedSession& session, const Step& step) {
  record.set_up_count = step.count;
  for (std::uint32_t table = 0; table < record.workload.tables().size(); ++table) {
    if (!record.workload.made_at_set_up(table)) continue;
    POWERCUT_TRYV(session.create_table(table, record.workload.tables()[table]));
  }
  return record.workload.fill(session, step.count);
}

// Who changes nothing needs no marker: nothing of it can be there or not. What it was told counts all the same.
bool only_reads(const Workload& workload, const Step& step) {
  const auto reads = [&](const Operation& operation) { return workload.only_reads(operation); };
  return !step.operations.empty() && std::all_of(step.operations.begin(), step.operations.end(), reads);
}

Result<void> transaction(SharedRecord& record, RecordedSession& session, const Step& step) {
  POWERCUT_TRYV(session.begin(step.isolation));
  const bool has_marker = !only_reads(record.workload, step);
  const bool marker_first = step.operations.size() % 2 == 1;
  if (step.kind == StepKind::kSetUp) {
    POWERCUT_TRYV(set_up(record, session, step));
  } else if (has_marker && marker_first) {
    POWERCUT_TRYV(session.write_marker());
  }
  for (const Operation& operation : step.operations) POWERCUT_TRYV(record.workload.perform(session, operation));
  if (has_marker && !marker_first) POWERCUT_TRYV(session.write_marker());
  return step.commit ? session.commit() : session.rollback();
}

void note_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

std::optional<Violation> judge(const SharedRecord& record, Present present) {
  History ended = record.history;
  Present bit = 1;
  for (std::size_t session = 0; session < record.model.sessions(); ++session) {
    const bool in_doubt = record.model.promise(session) == Promise::kInDoubt;
    const bool there = in_doubt && (present & bit) != 0;
    if (in_doubt) bit <<= 1U;
    if (record.in_history[session] == 0) continue;
    ended.end(record.in_history[session], there ? History::Outcome::kCommitted : History::Outcome::kAborted);
  }
  const auto found = violations(ended);
  if (found.empty()) return std::nullopt;
  Violation violation{Oracle::kIsolated, found.front().text(), {}};
  for (const Dependency& edge : found.front().cycle) {
    note_once(violation.transactions, edge.from_name);
    note_once(violation.transactions, edge.to_name);
    note_once(violation.rows, edge.object);
  }
  for (const Anomaly& anomaly : std::span(found).subspan(1)) violation.differences.push_back(anomaly.text());
  return violation;
}

void SideBySide::run(engine::Database& database, std::span<const Step> steps, std::size_t first, std::size_t last,
                     faultfs::Choices& schedule, const StepHook& at_step) {
  record_.database = &database;
  session_of_.clear();
  for (std::size_t number = 0; number < record_.model.sessions(); ++number) {
    bool has_any = false;
    for (std::size_t at = first; at < last; ++at) has_any = has_any || steps[at].session == number;
    if (!has_any) continue;
    session_of_.push_back(number);
    record_.scheduler.spawn("session " + std::to_string(number),
                            [this, number, steps, first, last, &at_step] { session(number, steps, first, last, at_step); });
  }
  const auto ran = record_.scheduler.run(schedule);
  if (ran.has_error() && !record_.violation) record_.violation = Violation{Oracle::kAlive, ran.error().context(), {}};
}

std::size_t SideBySide::running_session() const {
  // A fiber of the engine's own works for everybody.
  const bool of_session = record_.scheduler.in_fiber() && record_.scheduler.current() < session_of_.size();
  return of_session ? session_of_[record_.scheduler.current()] : 0;
}

std::size_t SideBySide::step() const { return step_of_[running_session()]; }

void SideBySide::session(std::size_t number, std::span<const Step> steps, std::size_t first, std::size_t last,
                         const StepHook& at_step) {
  auto made = record_.database->new_session();
  if (made.has_error()) {
    if (!record_.violation) record_.violation = Violation{Oracle::kAlive, "a new session failed: " + made.error().message(), {}};
    record_.scheduler.stop();
    return;
  }
  const std::unique_ptr<engine::Session> connection = std::move(made).value();
  RecordedSession recorded(record_, *connection, number);
  for (std::size_t at = first; at < last && !over(); ++at) {
    if (steps[at].session != number) continue;
    step_of_[number] = at;
    if (at_step) at_step(at);
    if (steps[at].kind == StepKind::kCheckpoint) {
      if (recorded.checkpoint().has_error()) continue;
    } else {
      const auto done = transaction(record_, recorded, steps[at]);
      // What has become of it is in the record; a transaction that nobody finished is rolled back.
      if (done.has_error() && !over() && recorded.is_open()) static_cast<void>(recorded.rollback().has_error());
    }
    if (!over()) record_.promise("after a step");
  }
}

std::optional<Violation> run_alone(const Workload& workload, Model& model, engine::Database& database, engine::Session& session,
                                   const Step& step) {
  History history;
  faultfs::Scheduler nobody;
  SharedRecord record{workload, model, history, nobody, &database, {0}};
  record.promise = [](std::string_view) {};
  RecordedSession recorded(record, session, 0);
  const auto done = transaction(record, recorded, step);
  if (done.has_error() && !record.violation) record.violation = Violation{Oracle::kAlive, done.error().message(), {}};
  return std::move(record.violation);
}

}  // namespace powercut::properties
