// A violation that was found, made simple, explained and stored: what the program and a test suite tell of it.
#pragma once

#include "properties/case.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace powercut::properties {

struct Finding {
  Violation violation;
  std::uint64_t seed = 0;
  // Empty if the failure could not be made simple, as what follows.
  std::vector<std::string> steps;
  std::string crash;
  std::string blame;                    // a sentence
  std::vector<std::string> statements;  // of sessions side by side, as Blame::statements
  std::string turns;                    // whose turn it was; empty where one session runs alone
  std::string trace_hash;
  std::optional<Case> simplest;
  std::string case_file = {};  // that holds it, once it is stored
};

// Makes the failure of a seed simple, in a process of its own since the engine may crash on the way, and says why it fails.
// `simplest` gives the case, or nothing if it could not make the failure happen again. That, and the death of the process, are
// findings too.
Result<Finding> investigate(const engine::EngineKind& kind, std::uint64_t seed,
                            const std::function<std::optional<Case>()>& simplest, const std::atomic<bool>& stop);

// Of a failure that ends the engine's process; `how` goes on where "the engine ended its process" ends.
Finding death(std::uint64_t seed, const std::string& how);

// Writes the case file into a directory, "powercut-<engine>-<workload>-seed-<seed>.json". Its errors are those of the file.
Result<void> store(Finding& finding, const std::string& directory);

// All of it, in lines.
std::string to_text(const Finding& finding);

}  // namespace powercut::properties
