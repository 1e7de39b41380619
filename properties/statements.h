// The statements of sessions side by side, in the order in which they ran: what a violation is told with when it is about what
// transactions saw of each other, and not about what a crash left on the disk. Filled by blame (blame.h) through a timeline's
// watch.
#pragma once

#include "properties/violation.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// A statement and its answer.
struct Exchange {
  std::size_t session = 0;
  std::string transaction;  // its name, that of its marker; empty outside of one
  std::string text;
  std::string answer;
};

// At most so many lines are told, so that they fit a screen.
inline constexpr std::size_t kMostStatements = 16;

// Those of the transactions that the violation is about, or if it names none the last of all; where there are too many, those
// about its rows. Each with its transaction, session and answer. Then which of these transactions had not ended.
std::vector<std::string> statements_about(const Violation& violation, const std::vector<Exchange>& all);

// Whose turn it was: "session 0: its first 9 statements; session 1: 1 to 3; session 2: 1; session 1: 4 and 5".
std::string turns(const std::vector<Exchange>& all);

}  // namespace powercut::properties
