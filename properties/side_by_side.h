// Runs the steps of several sessions side by side: each session a fiber, its steps in their order, interleaved with those of
// the others as the schedule's picks say. A transaction that the engine refuses (it was the victim of a deadlock, waited too
// long, met a constraint that its workload does not expect) is rolled back, and its session goes on with its next step.
#pragma once

#include "engine/engine.h"
#include "faultfs/choices.h"
#include "properties/recorded_session.h"
#include "properties/step.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace powercut::properties {

class SideBySide {
 public:
  // Told each step, by its number, as it begins. May be empty.
  using StepHook = std::function<void(std::size_t)>;

  explicit SideBySide(SharedRecord& record) : record_(record), step_of_(record.model.sessions()) {}

  // Runs steps[first] to steps[last - 1], none of which reopens the database. Violations are in the record.
  void run(engine::Database& database, std::span<const Step> steps, std::size_t first, std::size_t last, faultfs::Choices& schedule,
           const StepHook& at_step);

  // The step that the running fiber is at.
  std::size_t step() const;
  // The session whose fiber is running.
  std::size_t running_session() const;

 private:
  void session(std::size_t number, std::span<const Step> steps, std::size_t first, std::size_t last, const StepHook& at_step);
  bool over() const { return record_.scheduler.stopped(); }

  SharedRecord& record_;
  std::vector<std::size_t> step_of_;     // by session
  std::vector<std::size_t> session_of_;  // by fiber
};

// The same of one step, which nobody disturbs and which must succeed. The model has one session.
std::optional<Violation> run_alone(const Workload& workload, Model& model, engine::Database& database, engine::Session& session,
                                   const Step& step);

// What the isolation levels of the history's transactions forbid and it shows, if of those that have not ended these are there.
std::optional<Violation> judge(const SharedRecord& record, Present present);

}  // namespace powercut::properties
