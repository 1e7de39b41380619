// Makes a failure simpler: fewer and smaller steps first, by walking rapidcheck's Shrinkable, then fewer turns taken from
// sessions that could go on, then fewer picks that are not benign. What counts as the same failure is the same oracle. The work is
// bounded by recoveries, not by time, so that the same failure always shrinks to the same one.
#pragma once

#include "properties/case.h"
#include "properties/search.h"

#include <rapidcheck/Shrinkable.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace powercut::properties {

struct Shrunk {
  Steps steps;
  Failure failure;
};

inline constexpr std::uint64_t kShrinkRecoveries = 60'000;

// Looks for a failure of the same oracle in these steps, with the schedule of the known one, in at most so many recoveries,
// which it takes off.
using Finder = std::function<std::optional<Failure>(const Steps& steps, const Failure& known, std::uint64_t& recoveries_left)>;

// Tries the picks of the known failure, and random ones.
Finder random_finder(Searcher& searcher);

Shrunk shrink(Searcher& searcher, const rc::Shrinkable<Steps>& steps, const Failure& failure, const Finder& finder,
              std::uint64_t most_recoveries = kShrinkRecoveries);

}  // namespace powercut::properties
