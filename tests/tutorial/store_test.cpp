#include "store.h"
#include "properties/testing.h"

#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

using namespace powercut::properties;

TEST_CASE("the store survives a thousand random crashes") {
  const Verdict verdict = check_seeds(*kv::kind());
  INFO(verdict.report);
  REQUIRE(verdict.holds);
}

TEST_CASE("the store survives every crash") {
  const Verdict verdict = check_all_crash_states(*kv::kind(), {.seeds = 12, .steps = 12}, {.workloads = {"bank"}});
  INFO(verdict.report);
  REQUIRE(verdict.holds);
  REQUIRE(verdict.exhaustive);
}
