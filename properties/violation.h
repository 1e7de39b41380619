// A broken promise: which oracle, a sentence, and what was expected against what was found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "faultfs/result.h"

namespace powercut::properties {

// DESIGN: what must hold after recovery.
enum class Oracle : unsigned char {
  kDurable,     // every acknowledged transaction is there
  kAtomic,      // of any other, all or nothing, and nothing unless its commit was called
  kConsistent,  // the workload's invariants hold
  kOrdered,     // what is there, or was read, equals some legal serial history
  kIsolated,    // nothing was seen that the levels of the transactions forbid
  kIdempotent,  // recovering again changes nothing
  kAlive,       // the database opens, and accepts and keeps a new transaction
  kHonest,      // damaged media give an error, never a wrong answer
};

inline constexpr std::size_t kOracleCount = 8;

std::string_view to_string(Oracle oracle);
std::string_view describe(Oracle oracle);
// kInvalidArgument with the names there are.
Result<Oracle> oracle_of(std::string_view name);

struct Violation {
  Oracle oracle = Oracle::kAlive;
  std::string summary;
  std::vector<std::string> differences;  // "accounts[3]: expected 100, found 90"
  // Where it is about what transactions saw of each other: their names, and the rows. Not kept in case files.
  std::vector<std::string> transactions = {};
  std::vector<std::string> rows = {};
};

}  // namespace powercut::properties
