// Runs one case again with everything traced, and puts it into words: the history, what was pending, what survived, what
// recovery did, and the trace hash that proves it was the same run.
#pragma once

#include "properties/case.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace powercut::properties {

struct Narrative {
  std::vector<std::string> history;   // steps, and the file operations that each made
  std::vector<std::string> pending;   // what a crash then could undo
  std::vector<std::string> recovery;  // boots, what each read resolved, what recovery says, its file operations
  std::vector<std::string> log;       // of the database that failed, as the last recovery left it
};

struct Replayed {
  std::optional<Violation> violation;
  std::uint64_t trace_hash = 0;
  Narrative narrative;
};

// kInvalidArgument if the engine refuses the case's options. `narrate` false only computes the hash.
Result<Replayed> replay(const Case& failing, bool narrate);

// Fills in the trace hash, and the violation in the words that a replay gives it. The case must fail when replayed.
void complete(Case& failing);

}  // namespace powercut::properties
