// What `powercut explore` does unless it is told otherwise; tools/bench/defects.cpp measures it.
#pragma once

#include <cstdint>

namespace powercut::tools {

inline constexpr std::uint64_t kExploreSeeds = 250;
inline constexpr std::uint32_t kExploreSteps = 40;  // of a case, after its set-up
inline constexpr std::uint32_t kExploreLongOf16 = 4;
inline constexpr std::uint32_t kExploreStepsSideBySide = 6;  // where there are several sessions, unless the user sets the steps
inline constexpr std::uint32_t kExplorePreemptions = 2;
inline constexpr std::uint64_t kExploreSchedules = 100;
inline constexpr std::uint64_t kExploreSampledSchedules = 25;  // after these, if there are more
inline constexpr std::uint64_t kExploreAtPoint = 20'000;
inline constexpr std::uint64_t kExploreFurther = 1'000;  // unless the user sets what a crash point may take

}  // namespace powercut::tools
