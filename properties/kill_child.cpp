#include "properties/kill_child.h"

#include "faultfs/choices.h"
#include "faultfs/hooked_file_system.h"
#include "faultfs/posix_file_system.h"
#include "faultfs/scheduler.h"
#include "faultfs/uring_file_system.h"
#include "properties/live_run.h"

#include <array>
#include <optional>
#include <utility>

#include <unistd.h>

namespace powercut::properties {
namespace {

constexpr std::array<std::pair<std::string_view, Backend>, 3> kBackends{
    {{"posix", Backend::kPosix}, {"uring", Backend::kUring}, {"uring-direct", Backend::kUringDirect}}};

[[noreturn]] void wait_for_death(int pipe) {
  static_cast<void>(write(pipe, "!", 1) == 1);
  for (;;) pause();
}

}  // namespace

std::string_view to_string(Backend backend) {
  for (const auto& [name, known] : kBackends) {
    if (known == backend) return name;
  }
  return "?";
}

Result<Backend> find_backend(std::string_view name) {
  std::string message = "no backend is called '" + std::string(name) + "'; there are:";
  for (const auto& [known, backend] : kBackends) {
    if (known == name) return backend;
    message.append(" ").append(known);
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

Result<std::unique_ptr<faultfs::FileSystem>> open_backend(Backend backend, const std::string& root, faultfs::Scheduler* scheduler) {
  if (backend == Backend::kPosix) {
    POWERCUT_TRY(auto files, faultfs::PosixFileSystem::open(root));
    return std::unique_ptr<faultfs::FileSystem>(std::move(files));
  }
  faultfs::UringOptions options;
  options.direct = backend == Backend::kUringDirect;
  POWERCUT_TRY(auto files, faultfs::UringFileSystem::open(root, options, scheduler));
  return std::unique_ptr<faultfs::FileSystem>(std::move(files));
}

void run_kill_child(const KillRound& round, KillJournal& journal, int pipe) {
  const auto end_with = [&](const Violation& violation) {
    journal.violated(violation);
    wait_for_death(pipe);
  };
  faultfs::Scheduler scheduler;
  const bool suspends = round.workload.sessions() > 1;
  auto files = open_backend(round.backend, round.directory, suspends ? &scheduler : nullptr);
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
