#include "properties/violation.h"

#include <array>

namespace powercut::properties {
namespace {

struct OracleText {
  Oracle oracle;
  std::string_view name;
  std::string_view summary;
};

constexpr std::array<OracleText, kOracleCount> kOracles{{
    {Oracle::kDurable, "durable", "every acknowledged transaction is there"},
    {Oracle::kAtomic, "atomic", "of any other transaction all or nothing is there, and nothing unless its commit was called"},
    {Oracle::kConsistent, "consistent", "the workload's invariants hold"},
    {Oracle::kOrdered, "ordered", "what is there equals a legal serial history"},
    {Oracle::kIsolated, "isolated", "no transaction saw or overwrote what its isolation level forbids"},
    {Oracle::kIdempotent, "idempotent", "recovering again changes nothing"},
    {Oracle::kAlive, "alive", "the database opens, and accepts and keeps a new transaction"},
    {Oracle::kHonest, "honest", "a disk that damages or loses what it was given makes for an error, never for a wrong answer"},
}};

}  // namespace

std::string_view to_string(Oracle oracle) { return kOracles[static_cast<std::size_t>(oracle)].name; }
std::string_view describe(Oracle oracle) { return kOracles[static_cast<std::size_t>(oracle)].summary; }

Result<Oracle> oracle_of(std::string_view name) {
  std::string message = "no oracle is called '" + std::string(name) + "'; there are:";
  for (const OracleText& known : kOracles) {
    if (known.name == name) return known.oracle;
    message.append(" ").append(known.name);
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

}  // namespace powercut::properties
