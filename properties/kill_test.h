// Kills a process that works in a database on a real directory, again and again, and holds each recovery to what the process
// had promised: what `powercut kill` does.
//
// SIGKILL takes the process and leaves the kernel with its page cache. So this shows that what a process keeps to itself is no
// part of a promise, on a real file system, with real I/O and at moments that nobody chose; that a power failure loses nothing
// it does not show. Moments by the clock cannot be repeated.
#pragma once

#include "engine/engine.h"
#include "properties/kill_child.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace powercut::properties {

struct KillPlan {
  const engine::EngineKind* kind = nullptr;
  std::vector<engine::Option> options;  // fixed; the other tunables are drawn for each fresh database
  std::vector<std::string> defects;
  std::vector<const Workload*> workloads;  // fresh databases take turns
  std::optional<engine::Isolation> isolation;
  faultfs::HostBackend backend = faultfs::HostBackend::kPosix;
  std::string directory;  // that exists; the databases are in one of its own below it
  std::uint64_t seed = 1;
  std::uint32_t rounds = 200;
  std::uint32_t sessions = 3;  // from 1 to Model::kMostSessions; 1 where the workload has no more
  std::uint32_t steps = 60;    // of a round
};

struct KillFigures {
  std::uint64_t rounds = 0;
  std::uint64_t databases = 0;  // fresh ones
  std::uint64_t killed_in_recovery = 0;
  std::uint64_t killed_at_work = 0;
  std::uint64_t killed_idle = 0;
  std::uint64_t recoveries = 0;    // that ended, and were compared with the model
  std::uint64_t acknowledged = 0;  // transactions
  std::uint64_t found = 0;         // of those that were in doubt
  std::uint64_t not_found = 0;
  double wall_seconds = 0;
};

struct KillReport {
  KillFigures figures;
  std::optional<Violation> violation;
  // Of a violation.
  std::uint64_t round = 0;
  std::string last_kill;  // "in its work, by the clock, after 1,234 operations"
  std::string kept;       // the directory with the database, as the last process left it
  std::string workload;
  std::vector<engine::Option> options;
  bool interrupted = false;
};

using KillProgress = std::function<void(const KillFigures&)>;

// kInvalidArgument for the plan, kUnsupported where io_uring is refused, kIo when the directory, processes or memory cannot be
// had. Ends early when `stop` becomes true.
Result<KillReport> run_kill_test(const KillPlan& plan, const std::atomic<bool>& stop, const KillProgress& progress);

}  // namespace powercut::properties
