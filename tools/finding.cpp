#include "finding.h"

#include "properties/blame.h"
#include "properties/case_file.h"
#include "properties/workers.h"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

namespace powercut::tools {

using properties::Case;

Result<void> check_output(const std::string& directory) {
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return Error(ErrorCode::kIo, "--output " + directory + ": there is no such directory; case files are written there");
  }
  if (access(directory.c_str(), W_OK) != 0) {
    return Error(ErrorCode::kIo, "--output " + directory + ": cannot be written to; case files are written there");
  }
  return success();
}

Result<Finding> investigate(const Invocation& invocation, Finding finding, const std::string& output,
                            const std::function<std::optional<Case>()>& simplest) {
  const auto text = properties::in_child(
      [&] {
        const auto made = simplest();
        if (!made) return std::string();
        const auto blamed = properties::blame(*made);
        nlohmann::ordered_json told = nlohmann::ordered_json::object();
        if (blamed.has_value()) {
          told["blame"] = blamed.value().sentence;
          told["statements"] = blamed.value().statements;
          told["turns"] = blamed.value().turns;
        }
        // Names of rows may be any bytes.
        return told.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n" + properties::to_json(*made);
      },
      invocation.interrupted);
  if (text.has_error() || text.value().empty()) {
    finding.violation = {properties::Oracle::kAlive,
                         text.has_error()
                             ? "the engine ended its process while the failure was made simpler: " + text.error().context()
                             : "the failure did not happen again: the engine is not deterministic",
                         {}};
    return finding;
  }
  const std::size_t line = text.value().find('\n');
  POWERCUT_TRY(const Case found, properties::case_from_json(text.value().substr(line + 1), invocation.engines));
  const auto told = nlohmann::ordered_json::parse(text.value().substr(0, line));
  finding.blame = told.value("blame", std::string());
  finding.statements = told.value("statements", std::vector<std::string>());
  finding.turns = told.value("turns", std::string());
  finding.violation = found.failure.violation;
  for (const auto& step : found.steps) finding.steps.push_back(describe(*found.setting.workload, step));
  finding.crash = found.failure.crash_point == properties::kNoCrash
                      ? "with the power on"
                      : fmt::format("the power fails at crash point {}", found.failure.crash_point);
  finding.trace_hash = properties::hash_text(found.trace_hash);
  finding.case_file = fmt::format("{}powercut-{}-{}-seed-{}.json", output == "." ? std::string() : output + "/",
                                  found.setting.kind->name(), found.setting.workload->name(), finding.seed);
  const auto written = properties::write_case_file(finding.case_file, found);
  if (written.has_error()) {
    // What was found is told all the same; the command finds it again.
    fail(kToolFailed, "the case file could not be written: " + written.error().message());
    finding.case_file = "none";
    return finding;
  }
  finding.replay = shell_word(invocation.program) + " replay " + shell_word(finding.case_file);
  return finding;
}

void print_finding(const Finding& finding) {
  fmt::print("\nVIOLATION {}: {}\n", to_string(finding.violation.oracle), finding.violation.summary);
  fmt::print("  promised: {}\n", describe(finding.violation.oracle));
  for (const auto& line : finding.violation.differences) fmt::print("  {}\n", line);
  if (!finding.blame.empty()) fmt::print("  why: {}\n", finding.blame);
  for (const auto& line : finding.statements) fmt::print("    {}\n", line);
  if (!finding.steps.empty()) {
    fmt::print("\nseed {}, made as simple as it gets: {} {}, then {}\n", finding.seed, finding.steps.size(),
               finding.steps.size() == 1 ? "step" : "steps", finding.crash);
    for (std::size_t at = 0; at < finding.steps.size(); ++at) fmt::print("  {}  {}\n", at, finding.steps[at]);
    if (!finding.turns.empty()) fmt::print("whose turn it was: {}\n", finding.turns);
    fmt::print("\ncase file   {}\ntrace hash  {}\n", finding.case_file, finding.trace_hash);
  } else {
    fmt::print("\nseed {}\n", finding.seed);
  }
  fmt::print("\nreplay it with:\n{}\n", finding.replay);
}

nlohmann::ordered_json to_json(const Finding& finding) {
  return {{"oracle", to_string(finding.violation.oracle)},
          {"summary", finding.violation.summary},
          {"differences", finding.violation.differences},
          {"blame", finding.blame},
          {"statements", finding.statements},
          {"turns", finding.turns},
          {"seed", finding.seed},
          {"steps", finding.steps},
          {"crash", finding.crash},
          {"case_file", finding.case_file},
          {"trace_hash", finding.trace_hash},
          {"replay", finding.replay}};
}

nlohmann::ordered_json breaches_json(const properties::BreachCounts& counts) {
  auto json = nlohmann::ordered_json::object();
  for (std::size_t at = 0; at < counts.size(); ++at) {
    if (counts[at] > 0) json[std::string(to_string(static_cast<properties::Oracle>(at)))] = counts[at];
  }
  return json;
}

std::string shell_word(const std::string& text) {
  const bool plain =
      !text.empty() &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=+:@%-") == std::string::npos;
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace powercut::tools
