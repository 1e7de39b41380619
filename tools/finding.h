// A violation that was found, made simple and stored: what run and explore tell of it.
#pragma once

#include "command.h"
#include "properties/case.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace powercut::tools {

struct Finding {
  properties::Violation violation;
  std::uint64_t seed = 0;
  std::vector<std::string> steps;  // empty if the failure could not be made simple
  std::string crash;
  std::string blame;                    // a sentence; empty if the failure could not be made simple
  std::vector<std::string> statements;  // of sessions side by side, as Blame::statements
  std::string turns;                    // whose turn it was; empty where one session runs alone
  std::string case_file;
  std::string trace_hash;
  std::string replay;  // the command
};

// Where case files go. kIo if that is no directory or cannot be written to: said before hours of work, not after.
Result<void> check_output(const std::string& directory);

// Makes the failure simple in a process of its own, since the engine may crash on the way, and writes its case file.
// `finding` comes with the seed, and the command that finds it again where there will be no file. `simplest` gives nothing
// if it could not make the failure happen again.
Result<Finding> investigate(const Invocation& invocation, Finding finding, const std::string& output,
                            const std::function<std::optional<properties::Case>()>& simplest);

void print_finding(const Finding& finding);
nlohmann::ordered_json to_json(const Finding& finding);

// {"durable": 12, …}: those that are not 0.
nlohmann::ordered_json breaches_json(const properties::BreachCounts& counts);

// The word as a shell takes it.
std::string shell_word(const std::string& text);

}  // namespace powercut::tools
