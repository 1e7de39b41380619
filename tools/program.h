// The powercut program as a function, for whoever gives it engines of their own:
//
//   int main(int count, char** arguments) {
//     std::vector<std::unique_ptr<powercut::engine::EngineKind>> engines;
//     engines.push_back(my_engine_kind());
//     return powercut::tools::program_main(count, arguments, engines);
//   }
//
// has run, explore, replay, scenario, kill, survey, log and list for that engine.
#pragma once

#include "engine/engine.h"

#include <memory>
#include <span>
#include <string_view>

namespace powercut::tools {

struct Invocation;

// A command beside those that are always there.
struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const Invocation&);
};

// Does what the arguments say and returns the exit status: 0 nothing found, 1 a violation was found, 2 wrong usage, 3 powercut
// itself failed. There is at least one engine; the first is the one that is meant where none is named.
int program_main(int count, char** arguments, std::span<const std::unique_ptr<engine::EngineKind>> engines,
                 std::span<const Command> more_commands = {});

}  // namespace powercut::tools
