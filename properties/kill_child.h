// The process that a kill test (kill_test.h) kills: recovers a database on a real directory, compares it with the model, and
// works in it, saying what it promised in a journal that outlives it.
#pragma once

#include "engine/engine.h"
#include "faultfs/host_backend.h"
#include "properties/kill_journal.h"
#include "properties/model.h"
#include "properties/step.h"
#include "properties/workload.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace powercut::properties {

inline constexpr std::uint64_t kNoOperation = std::numeric_limits<std::uint64_t>::max();

// What one child does.
struct KillRound {
  engine::Engine& engine;
  const Workload& workload;
  faultfs::HostBackend backend = faultfs::HostBackend::kPosix;
  std::string directory;
  Step set_up;
  const Model& model;  // what the directory holds
  std::vector<Step> steps;
  std::uint64_t schedule_seed = 0;              // who goes on
  std::uint64_t last_operation = kNoOperation;  // it waits to be killed before the file operation of this number
};

// In a process of its own: does the round, until its parent kills it. Writes a byte to the pipe when it waits for that: before
// the last operation, when all is done, or after a violation, which is in the journal.
[[noreturn]] void run_kill_child(const KillRound& round, KillJournal& journal, int pipe);

}  // namespace powercut::properties
