// What every command of the program shares: its arguments in, its exit status out.
#pragma once

#include "engine/engine.h"
#include "faultfs/result.h"

#include <boost/program_options.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace powercut::tools {

// The exit status of every command.
enum ExitStatus : int {
  kNothingFound = 0,
  kViolationFound = 1,
  kWrongUsage = 2,
  kToolFailed = 3,
};

struct Invocation {
  std::string program;                 // as the user called it
  std::vector<std::string> arguments;  // after the command's name
  std::span<const std::unique_ptr<engine::EngineKind>> engines;
  const std::atomic<bool>& interrupted;  // set by Ctrl-C
};

int run_command(const Invocation& invocation);
int explore_command(const Invocation& invocation);
int replay_command(const Invocation& invocation);
int scenario_command(const Invocation& invocation);
int kill_command(const Invocation& invocation);
int log_command(const Invocation& invocation);
int survey_command(const Invocation& invocation);
int bench_command(const Invocation& invocation);
int list_command(const Invocation& invocation);
int bench_recovery_command(const Invocation& invocation);

// Parses a command's arguments; --format is added unless the options have one. On --help prints `usage`, the options and
// `example`; returns the exit status to end with, or nothing to go on. A wrong argument is an error on standard error.
struct Parsed {
  boost::program_options::variables_map values;
  std::optional<int> exit_status;
};
Parsed parse(const Invocation& invocation, std::string_view usage, std::string_view example,
             boost::program_options::options_description options,
             const boost::program_options::positional_options_description& positional = {},
             const boost::program_options::options_description& hidden = {});

// The engine that is meant where none is named: the first.
std::string default_engine(const Invocation& invocation);

// Prints "powercut: <message>" on standard error and returns the status.
int fail(ExitStatus status, std::string_view message);
// The status that fits the error: kWrongUsage for what the user asked for, kToolFailed for the rest.
int fail(const Error& error);

// --format: true for JSON. kInvalidArgument for anything but text and json.
Result<bool> wants_json(const boost::program_options::variables_map& values);

}  // namespace powercut::tools
