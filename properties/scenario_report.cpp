#include "properties/scenario_report.h"

#include <iterator>

namespace powercut::properties {

std::string_view to_string(ScenarioEvent::Kind kind) {
  static constexpr std::string_view kNames[] = {"answer", "error", "waits",    "goes on", "power",  "pending", "survived",
                                                "lost",   "log",   "recovery", "holds",   "failed", "note"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(ScenarioEvent::Kind::kNote) + 1);
  return kNames[static_cast<std::size_t>(kind)];
}

std::string to_text(const ScenarioReport& report) {
  std::string text;
  const auto add = [&](const ScenarioEvent& event) {
    text += "    ";
    using Kind = ScenarioEvent::Kind;
    const bool named = event.kind == Kind::kPending || event.kind == Kind::kSurvived || event.kind == Kind::kLost ||
                       event.kind == Kind::kLog || event.kind == Kind::kFailed;
    if (named) text.append(event.kind == Kind::kFailed ? "FAILED" : to_string(event.kind)).append(": ");
    text += event.text + "\n";
  };
  for (const auto& line : report.lines) {
    text += line.source + "\n";
    for (const ScenarioEvent& event : line.events) add(event);
  }
  text += "the end\n";
  for (const ScenarioEvent& event : report.end) add(event);
  if (report.failures == 0) return text + "    all as expected\n";
  return text + "    FAILED: " + std::to_string(report.failures) + " not as expected\n";
}

}  // namespace powercut::properties
