// A workload on any file system, real ones too: opens a database, runs steps on it beside the model, compares what it holds
// with the model, and ends it cleanly or as the death of a process would. Nothing here loses what was written: a timeline
// (timeline.h) on the simulated disk does that.
#pragma once

#include "engine/engine.h"
#include "faultfs/choices.h"
#include "faultfs/scheduler.h"
#include "properties/model.h"
#include "properties/model_comparison.h"
#include "properties/session_driver.h"
#include "properties/step.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace powercut::properties {

class LiveRun {
 public:
  // Told each event that changes what the user was promised, and in which session: "before commit", "after commit returned", …
  using PromiseHook = std::function<void(std::size_t session, std::string_view where)>;

  // `model` is what the directory holds, with as many sessions as there are to be; empty where there is nothing yet. `set_up`
  // is the step that the workload began, or will begin, with. What is a reference must outlive it.
  LiveRun(engine::Engine& engine, const Workload& workload, faultfs::FileSystem& files, faultfs::Scheduler& scheduler, Step set_up,
          Model model, PromiseHook hook = {});

  // Opens the database, which recovers it if need be, and compares all with the model. Afterwards nothing is in doubt.
  std::optional<Violation> open();
  // Runs the steps in the database that is open: those of one session one after another, those of several side by side as the
  // schedule says. Where there is nothing yet, the set-up runs first. Steps that reopen it close and open it.
  std::optional<Violation> run(std::span<const Step> steps, faultfs::Choices& schedule);
  // Compares all with the model again.
  std::optional<Violation> compare();
  // A clean shutdown.
  std::optional<Violation> close();
  // What the death of the process does: it is not closed.
  void die();

  const Model& model() const { return model_; }
  // Which of the transactions in doubt the last open() found, by their places in the model as it was.
  Present found() const { return found_; }
  // Of a database that is open.
  engine::Database& database() { return *database_; }

 private:
  std::optional<Violation> run_alone(std::span<const Step> steps);
  std::optional<Violation> run_side_by_side(std::span<const Step> steps, faultfs::Choices& schedule);
  std::optional<Violation> compare(std::optional<Present>& found);
  bool is_side_by_side() const { return workload_.sessions() > 1; }
  void reach(std::size_t session, std::string_view where) {
    if (hook_) hook_(session, where);
  }

  engine::Engine& engine_;
  const Workload& workload_;
  faultfs::FileSystem& files_;
  faultfs::Scheduler& scheduler_;
  Step set_up_;
  Model model_;
  PromiseHook hook_;
  ModelComparison comparison_;
  std::unique_ptr<engine::Database> database_;
  bool closed_ = false;
  Present found_ = 0;
  std::int64_t next_tag_;
};

}  // namespace powercut::properties
