#include "properties/kill_child.h"

#include "faultfs/choices.h"
#include "faultfs/hooked_file_system.h"
#include "faultfs/scheduler.h"
#include "properties/live_run.h"

#include <optional>
#include <utility>

#include <unistd.h>

namespace powercut::properties {
namespace {

[[noreturn]] void wait_for_death(int pipe) {
  static_cast<void>(write(pipe, "!", 1) == 1);
  for (;;) pause();
}

}  // namespace

void run_kill_child(const KillRound& round, KillJournal& journal, int pipe) {
  const auto end_with = [&](const Violation& violation) {
    journal.violated(violation);
    wait_for_death(pipe);
  };
  faultfs::Scheduler scheduler;
  const bool suspends = round.workload.sessions() > 1;
  auto files = faultfs::open_host_backend(round.backend, round.directory, suspends ? &scheduler : nullptr);
  if (files.has_error()) end_with({Oracle::kAlive, "the directory does not open: " + files.error().message(), {}});
  faultfs::HookedFileSystem hooked(*files.value(), [&] {
    if (journal.operations() == round.last_operation) wait_for_death(pipe);
    journal.count_operation();
  });

  LiveRun* running = nullptr;
  LiveRun run(round.engine, round.workload, hooked, scheduler, round.set_up, round.model,
              [&](std::size_t session, std::string_view where) {
                if (where == "before commit") journal.commit_called(running->model(), session);
                if (where == "after commit returned") journal.acknowledged(session);
                if (where == "after rollback returned") journal.rolled_back(session);
              });
  running = &run;
  if (const auto violation = run.open()) end_with(*violation);
  journal.recovered(run.found());
  faultfs::RandomChoices schedule(round.schedule_seed);
  if (const auto violation = run.run(round.steps, schedule)) end_with(*violation);
  if (const auto violation = run.compare()) end_with(*violation);
  journal.done();
  wait_for_death(pipe);
}

}  // namespace powercut::properties
