#include "finding.h"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

namespace powercut::tools {

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

Result<Finding> investigate(const Invocation& invocation, const engine::EngineKind& kind, std::uint64_t seed, std::string again,
                            const std::string& output, const std::function<std::optional<properties::Case>()>& simplest) {
  POWERCUT_TRY(auto found, properties::investigate(kind, seed, simplest, invocation.interrupted));
  Finding finding{std::move(found), std::move(again)};
  const auto stored = properties::store(finding, output);
  // What was found is told all the same; the command finds it again.
  if (stored.has_error()) fail(kToolFailed, "the case file could not be written: " + stored.error().message());
  if (!finding.case_file.empty()) finding.replay = shell_word(invocation.program) + " replay " + shell_word(finding.case_file);
  return finding;
}

void print_finding(const Finding& finding) {
  fmt::print("\n{}\nreplay it with:\n{}\n", properties::to_text(finding), finding.replay);
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
          {"case_file", finding.steps.empty() || !finding.case_file.empty() ? finding.case_file : "none"},
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
