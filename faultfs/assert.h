// POWERCUT_ASSERT: a broken invariant of ours ends the process at once, in every build, with a sentence that says what
// should have held. It is never used for input or for what a disk may do: those are errors (result.h).
#pragma once

namespace powercut::detail {
[[noreturn]] void assertion_failed(const char* condition, const char* why, const char* file, int line);
}  // namespace powercut::detail

#define POWERCUT_ASSERT(condition, why)                                          \
  do {                                                                           \
    if (!(condition)) [[unlikely]]                                               \
      ::powercut::detail::assertion_failed(#condition, why, __FILE__, __LINE__); \
  } while (false)
