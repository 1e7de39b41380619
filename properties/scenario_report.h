// What a scenario that ran has to tell: under each of its lines, what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

struct ScenarioEvent {
  enum class Kind : unsigned char {
    kAnswer,  // rows, or how many were changed
    kError,   // of a statement
    kWaits,
    kGoesOn,    // a session that waited
    kPower,     // it fails, and what that interrupts
    kPending,   // what was written and not durable when it failed
    kSurvived,  // what of that is there, where it was read again
    kLost,
    kLog,       // as recovery finds it
    kRecovery,  // what it does
    kHolds,     // an invariant
    kFailed,    // not as expected
    kNote,
  };
  Kind kind = Kind::kNote;
  std::string session;  // empty: nobody's
  std::string text;
};

std::string_view to_string(ScenarioEvent::Kind kind);

struct ScenarioReport {
  struct Line {
    std::string source;
    std::vector<ScenarioEvent> events;
  };
  std::vector<Line> lines;         // all of the file
  std::vector<ScenarioEvent> end;  // behind the last
  std::uint32_t failures = 0;
};

// The lines as they are written, and indented under each its events; a verdict at the end.
std::string to_text(const ScenarioReport& report);

}  // namespace powercut::properties
