// Runs a scenario: its lines in their order, on a simulated disk, with the power failing and coming back where they say so.
//
// A line of a session is given to that session, which runs until the line is done or it waits; then the next line follows.
// What a session that waited is answered is told when it is, under the line that let it go on. Time passes, and ends what has a
// limit, only where nothing else can happen and an answer is needed.
#pragma once

#include "engine/engine.h"
#include "properties/scenario.h"
#include "properties/scenario_report.h"

#include <span>
#include <string>

namespace powercut::properties {

// kInvalidArgument, with the place in the file, for an option that the engine does not have, and for a defect.
Result<ScenarioReport> run_scenario(const Scenario& scenario, const engine::EngineKind& kind, std::span<const std::string> defects);

}  // namespace powercut::properties
