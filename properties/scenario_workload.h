// A scenario as a workload, so that the explorer can run it in every order and cut the power everywhere.
//
// What the sessions do is kept, their order is not: each runs its statements from the first to the last, interleaved with
// the others. The lines that tell of one order (crash, recover, lose, keep, expect) say nothing then; the invariants hold in
// all. Every row carries one more column, a number that tells who wrote it.
#pragma once

#include "properties/scenario.h"
#include "properties/workload.h"

#include <memory>
#include <string>
#include <string_view>

namespace powercut::properties {

struct ScenarioCase {
  std::shared_ptr<const Workload> workload;
  Steps steps;
};

// kInvalidArgument, "NAME:LINE:COLUMN: …", for what cannot be explored: statements that change tables, lines of a session after
// a crash, more than 31 sessions.
Result<ScenarioCase> scenario_case(const Scenario& scenario);

}  // namespace powercut::properties
