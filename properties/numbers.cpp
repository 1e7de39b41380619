#include "properties/numbers.h"

#include <fmt/format.h>

namespace powercut::properties {

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t at = 0; at < digits.size(); ++at) {
    if (at > 0 && (digits.size() - at) % 3 == 0) text += ',';
    text += digits[at];
  }
  return text;
}

std::string counted(std::uint64_t count, std::string_view what) {
  const std::string_view ending = count == 1 ? "" : what.ends_with("s") || what.ends_with("sh") ? "es" : "s";
  return grouped(count) + " " + std::string(what) + std::string(ending);
}

std::string power_of_two(double bits) { return fmt::format("2^{:.1f}", bits); }

}  // namespace powercut::properties
