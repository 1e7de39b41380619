// What an engine is held to: what its guarantee says, or more, or less.
#pragma once

#include "engine/engine.h"
#include "properties/violation.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace powercut::properties {

enum class JudgedBy : unsigned char {
  kGuarantee,  // what the engine promises in its mode
  kAll,        // every promise, also those that it does not give: to see what a weaker mode loses
  kNothing,    // what breaks is counted, and nothing is a violation: for a survey
};

std::string_view to_string(JudgedBy judged_by);
// kInvalidArgument with the names there are.
Result<JudgedBy> judged_by_of(std::string_view name);

// What the engine is held to then.
engine::Guarantee held_to(JudgedBy judged_by, const engine::Guarantee& guarantee);

// A set of oracles: bit i for the oracle with the number i.
using Oracles = std::uint32_t;
constexpr Oracles bit(Oracle oracle) { return 1U << static_cast<unsigned>(oracle); }

// Whether a guarantee promises what the oracle looks at.
bool promises(const engine::Guarantee& guarantee, Oracle oracle);

// How often each promise was seen to be broken that was not held to, by number of the oracle.
using BreachCounts = std::array<std::uint64_t, kOracleCount>;

// "durable 12, ordered 3", the names of those that are not 0 with how often; empty if none was.
std::string to_text(const BreachCounts& counts);

}  // namespace powercut::properties
