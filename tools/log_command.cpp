// powercut log: the log of a database in a real directory, as text.
#include "command.h"

#include "faultfs/posix_file_system.h"
#include "properties/case_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace powercut::tools {

namespace po = boost::program_options;

int log_command(const Invocation& invocation) {
  po::options_description options("options");
  options.add_options()("engine", po::value<std::string>()->default_value(default_engine(invocation)), "whose log it is");
  po::options_description hidden;
  hidden.add_options()("directory", po::value<std::string>());
  po::positional_options_description positional;
  positional.add("directory", 1);
  const Parsed parsed = parse(invocation, "log DIRECTORY [OPTIONS]", "powercut log /var/lib/accounts", options, positional, hidden);
  if (parsed.exit_status) return *parsed.exit_status;
  if (parsed.values.count("directory") == 0) return fail(kWrongUsage, "log of what? Give the directory of a database");
  const auto json = wants_json(parsed.values);
  if (json.has_error()) return fail(json.error());
  const auto engine = properties::find_engine(invocation.engines, parsed.values["engine"].as<std::string>());
  if (engine.has_error()) return fail(engine.error());

  const auto named = parsed.values["directory"].as<std::string>();
  std::error_code failed;
  const std::filesystem::path directory = std::filesystem::canonical(named, failed);
  if (failed) return fail(kToolFailed, named + ": " + failed.message());
  if (!std::filesystem::is_directory(directory) || directory == directory.root_path()) {
    return fail(kToolFailed, named + ": must be the directory of a database");
  }
  const auto files = faultfs::PosixFileSystem::open(directory.parent_path().string());
  if (files.has_error()) return fail(files.error());
  auto lines = nlohmann::ordered_json::array();
  const auto told = engine.value()->describe_log(*files.value(), directory.filename().string(), [&](std::string_view line) {
    if (json.value()) {
      lines.push_back(line);
    } else {
      fmt::print("{}\n", line);
    }
  });
  if (json.value()) {
    nlohmann::ordered_json document;
    document["command"] = "log";
    document["directory"] = named;
    document["lines"] = lines;
    document["damage"] = told.has_error() ? nlohmann::ordered_json(told.error().message()) : nlohmann::ordered_json(nullptr);
    fmt::print("{}\n", document.dump(2));
  }
  std::fflush(stdout);
  return told.has_error() ? fail(kToolFailed, told.error().message()) : kNothingFound;
}

}  // namespace powercut::tools
