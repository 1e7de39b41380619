// Makes a failure simpler: fewer and smaller steps first, by walking rapidcheck's Shrinkable, then fewer picks that are
// not benign. What counts as the same failure is the same oracle. The work is bounded by recoveries, not by time, so that
// the same failure always shrinks to the same one.
#pragma once

#include "properties/case.h"
#include "properties/search.h"

#include <rapidcheck/Shrinkable.h>

#include <cstdint>

namespace powercut::properties {

struct Shrunk {
  Steps steps;
  Failure failure;
};

inline constexpr std::uint64_t kShrinkRecoveries = 60'000;

Shrunk shrink(Searcher& searcher, const rc::Shrinkable<Steps>& steps, const Failure& failure,
              std::uint64_t most_recoveries = kShrinkRecoveries);

}  // namespace powercut::properties
