// What run and explore tell of a violation: what properties/finding.h has, and the command that replays it.
#pragma once

#include "command.h"
#include "properties/finding.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <optional>
#include <string>

namespace powercut::tools {

struct Finding : properties::Finding {
  std::string replay;  // the command
};

// Where case files go. kIo if that is no directory or cannot be written to: said before hours of work, not after.
Result<void> check_output(const std::string& directory);

// Makes the failure of a seed simple and writes its case file. `again` is the command that finds it again where there is no file.
// See properties::investigate.
Result<Finding> investigate(const Invocation& invocation, const engine::EngineKind& kind, std::uint64_t seed, std::string again,
                            const std::string& output, const std::function<std::optional<properties::Case>()>& simplest);

void print_finding(const Finding& finding);
nlohmann::ordered_json to_json(const Finding& finding);

// {"durable": 12, …}: those that are not 0.
nlohmann::ordered_json breaches_json(const properties::BreachCounts& counts);

// The word as a shell takes it.
std::string shell_word(const std::string& text);

}  // namespace powercut::tools
