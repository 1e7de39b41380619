#include "properties/finding.h"

#include "properties/blame.h"
#include "properties/case_file.h"
#include "properties/workers.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace powercut::properties {
namespace {

using Json = nlohmann::ordered_json;

// The blame in a line, then the case.
std::string told(const Case& simplest) {
  const auto blamed = blame(simplest);
  Json json = Json::object();
  if (blamed.has_value()) {
    json["blame"] = blamed.value().sentence;
    json["statements"] = blamed.value().statements;
    json["turns"] = blamed.value().turns;
  }
  // Names of rows may be any bytes.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n" + to_json(simplest);
}

}  // namespace

Finding death(std::uint64_t seed, const std::string& how) {
  Finding finding;
  finding.seed = seed;
  finding.violation = {Oracle::kAlive, "the engine ended its process" + how, {}};
  return finding;
}

Result<Finding> investigate(const engine::EngineKind& kind, std::uint64_t seed,
                            const std::function<std::optional<Case>()>& simplest, const std::atomic<bool>& stop) {
  const auto text = in_child(
      [&] {
        const auto made = simplest();
        return made ? told(*made) : std::string();
      },
      stop);
  Finding finding;
  finding.seed = seed;
  if (text.has_error() && stop.load()) {
    finding.violation = {
        Oracle::kAlive, "something was found; interrupted before it was made simple, so what it is is not known", {}};
    return finding;
  }
  if (text.has_error()) return death(seed, " while the failure was made simpler: " + text.error().context());
  if (text.value().empty()) {
    finding.violation = {Oracle::kAlive, "the failure did not happen again: the engine is not deterministic", {}};
    return finding;
  }
  const std::size_t line = text.value().find('\n');
  POWERCUT_TRY(finding.simplest, case_from_json(text.value().substr(line + 1), kind));
  const Case& found = *finding.simplest;
  const auto why = Json::parse(text.value().substr(0, line));
  finding.blame = why.value("blame", std::string());
  finding.statements = why.value("statements", std::vector<std::string>());
  finding.turns = why.value("turns", std::string());
  finding.violation = found.failure.violation;
  for (const auto& step : found.steps) finding.steps.push_back(describe(*found.setting.workload, step));
  finding.crash = found.failure.crash_point == kNoCrash
                      ? "with the power on"
                      : fmt::format("the power fails at crash point {}", found.failure.crash_point);
  finding.trace_hash = hash_text(found.trace_hash);
  return finding;
}

Result<void> store(Finding& finding, const std::string& directory) {
  if (!finding.simplest) return success();
  const Setting& setting = finding.simplest->setting;
  std::string path = fmt::format("{}powercut-{}-{}-seed-{}.json", directory == "." ? std::string() : directory + "/",
                                 setting.kind->name(), setting.workload->name(), finding.seed);
  POWERCUT_TRYV(write_case_file(path, *finding.simplest));
  finding.case_file = std::move(path);
  return success();
}

std::string to_text(const Finding& finding) {
  std::string text = fmt::format("VIOLATION {}: {}\n", to_string(finding.violation.oracle), finding.violation.summary);
  text += fmt::format("  promised: {}\n", describe(finding.violation.oracle));
  for (const auto& line : finding.violation.differences) text += "  " + line + "\n";
  if (!finding.blame.empty()) text += "  why: " + finding.blame + "\n";
  for (const auto& line : finding.statements) text += "    " + line + "\n";
  if (finding.steps.empty()) return text + fmt::format("\nseed {}\n", finding.seed);
  text += fmt::format("\nseed {}, made as simple as it gets: {} {}, then {}\n", finding.seed, finding.steps.size(),
                      finding.steps.size() == 1 ? "step" : "steps", finding.crash);
  for (std::size_t at = 0; at < finding.steps.size(); ++at) text += fmt::format("  {}  {}\n", at, finding.steps[at]);
  if (!finding.turns.empty()) text += "whose turn it was: " + finding.turns + "\n";
  return text + fmt::format("\ncase file   {}\ntrace hash  {}\n", finding.case_file.empty() ? "none" : finding.case_file,
                            finding.trace_hash);
}

}  // namespace powercut::properties
