// What an exploration covered, in words.
#pragma once

#include "properties/exploration.h"

#include <string>

namespace powercut::properties {

// How many crashes may follow the first: with a fault there is one crash, and one round.
std::uint32_t nested_of(const Setting& setting);
// Whether several sessions of the case run side by side.
bool side_by_side(const CaseReport& report);
// Whether every round of the case is done at every crash point.
bool complete(const CaseReport& report);

// Of all cases together. There is at least one.
CaseReport sum(const ExplorationReport& report);

// "exhaustive", "complete up to 2 losses, then sampled".
std::string text_of(const Coverage& coverage);
std::string text_of(const ScheduleCoverage& schedules);
std::string text_of(const CaseReport& report);

// Whether every crash state of every case was visited, of every interleaving, and whatever further crashes may leave.
bool exhaustive(const ExplorationReport& report);

// Of an exploration that found nothing: "every one of the 2^19.2 crash states holds, and whatever up to 1 further crash may
// leave: no violation", or how much less it is.
std::string conclusion(const ExplorationReport& report);

}  // namespace powercut::properties
