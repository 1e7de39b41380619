#include "faultfs/assert.h"

#include <cstdio>
#include <cstdlib>

namespace powercut::detail {

void assertion_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s (%s)\n", file, line, why, condition);
  std::abort();
}

}  // namespace powercut::detail
