// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace powercut::properties {

// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number);

// "1 case", "1,234 cases", "2 crashes".
std::string counted(std::uint64_t count, std::string_view what);

// 19.23 -> "2^19.2".
std::string power_of_two(double bits);

}  // namespace powercut::properties
