// Finds the command and hands it its arguments.
#include "program.h"

#include "command.h"

#include "faultfs/assert.h"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstdio>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;

std::atomic<bool> interrupted{false};

void on_interrupt(int /*signal*/) { interrupted = true; }

constexpr std::array<Command, 8> kCommands{{
    {"run", "run seeds: crash, recover and check each at random points", run_command},
    {"explore", "visit every crash state of a case, not a sample", explore_command},
    {"replay", "run one failure again and tell what happened", replay_command},
    {"scenario", "run the sessions and crashes that a file describes", scenario_command},
    {"kill", "kill a process at work on a real directory, again and again", kill_command},
    {"survey", "engines in their modes on disks of several kinds: which promise holds", survey_command},
    {"log", "print the log of a database in a directory as text", log_command},
    {"list", "list engines, workloads, models or defects", list_command},
}};

void print_usage(std::FILE* to, std::span<const Command> commands) {
  std::fputs("powercut: cuts the power under a storage engine, lets it recover, and checks what it promised\n\n", to);
  std::fputs("usage: powercut COMMAND [OPTIONS]      powercut COMMAND --help\n\n", to);
  for (const Command& command : commands) fmt::print(to, "  {:<14} {}\n", command.name, command.summary);
  std::fputs("\nexit status: 0 nothing found, 1 a violation was found, 2 wrong usage, 3 powercut itself failed\n", to);
}

}  // namespace

int program_main(int count, char** arguments, std::span<const std::unique_ptr<engine::EngineKind>> engines,
                 std::span<const Command> more_commands) {
  POWERCUT_ASSERT(!engines.empty(), "the program has an engine to test");
  std::vector<Command> commands(kCommands.begin(), kCommands.end());
  commands.insert(commands.end() - 1, more_commands.begin(), more_commands.end());  // before list
  const std::vector<std::string> all(arguments + 1, arguments + count);
  if (all.empty()) {
    print_usage(stderr, commands);
    return kWrongUsage;
  }
  if (all[0] == "--help" || all[0] == "-h" || all[0] == "help") {
    print_usage(stdout, commands);
    return kNothingFound;
  }
  if (all[0] == "--version") {
    std::puts("powercut 0.1.0");
    return kNothingFound;
  }
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  for (const Command& command : commands) {
    if (command.name == all[0]) return command.run({arguments[0], {all.begin() + 1, all.end()}, engines, interrupted});
  }
  std::string message = "no command is called '" + all[0] + "'; there are:";
  for (const Command& command : commands) message.append(" ").append(command.name);
  return fail(kWrongUsage, message);
}

std::string default_engine(const Invocation& invocation) { return std::string(invocation.engines.front()->name()); }

int fail(ExitStatus status, std::string_view message) {
  fmt::print(stderr, "powercut: {}\n", message);
  return status;
}

int fail(const Error& error) {
  const bool usage = error.code() == ErrorCode::kInvalidArgument;
  return fail(usage ? kWrongUsage : kToolFailed, usage ? error.context() : error.message());
}

Result<bool> wants_json(const po::variables_map& values) {
  const auto format = values["format"].as<std::string>();
  if (format != "text" && format != "json") {
    return Error(ErrorCode::kInvalidArgument, "no format is called '" + format + "'; there are: text json");
  }
  return format == "json";
}

Parsed parse(const Invocation& invocation, std::string_view usage, std::string_view example, po::options_description options,
             const po::positional_options_description& positional, const po::options_description& hidden) {
  if (options.find_nothrow("format", false) == nullptr) {
    options.add_options()("format", po::value<std::string>()->default_value("text"),
                          "text, or json: one document on standard output");
  }
  options.add_options()("help", "this text");
  po::options_description all;
  all.add(options).add(hidden);
  Parsed parsed;
  try {
    const auto given = po::command_line_parser(invocation.arguments)
                           .options(all)
                           .positional(positional)
                           .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                           .run();
    for (const auto& option : given.options) {
      // Boost would take a negative number for a huge one.
      for (const std::string& value : option.value) {
        if (value.starts_with('-')) throw po::invalid_option_value(value);
      }
    }
    po::store(given, parsed.values);
    po::notify(parsed.values);
  } catch (const po::error& error) {
    parsed.exit_status =
        fail(kWrongUsage, fmt::format("{} (see powercut {} --help)", error.what(), usage.substr(0, usage.find(' '))));
    return parsed;
  }
  if (parsed.values.count("help") > 0) {
    std::ostringstream text;
    text << options;
    fmt::print("usage: powercut {}\n\n{}\nexample:\n  {}\n", usage, text.str(), example);
    parsed.exit_status = kNothingFound;
  }
  return parsed;
}

}  // namespace powercut::tools
