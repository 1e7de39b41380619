// powercut scenario: the sessions, crashes and expectations of a file, and what came of each line.
#include "command.h"
#include "exploration_options.h"
#include "finding.h"

#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/scenario_runner.h"
#include "properties/scenario_workload.h"
#include "properties/workers.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using properties::ScenarioEvent;
using properties::ScenarioReport;

// A file that somebody wrote is small: its interleavings are all visited, unless there are that many.
constexpr std::uint64_t kMostSchedules = 1'000'000;

// Of what is too long as much as shows that it is.
Result<std::string> read_file(const std::string& path) {
  const auto failed = [&] { return Error(ErrorCode::kIo, path + ": " + std::generic_category().message(errno)); };
  std::ifstream in(path, std::ios::binary);
  if (!in) return failed();
  std::string text(properties::kMostScenarioBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return failed();
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

Json json_of(const std::vector<ScenarioEvent>& events) {
  Json all = Json::array();
  for (const ScenarioEvent& event : events) {
    all.push_back({{"kind", to_string(event.kind)}, {"session", nullptr}, {"text", event.text}});
    if (!event.session.empty()) all.back()["session"] = event.session;
  }
  return all;
}

std::string json_of(const ScenarioReport& report, const std::string& file) {
  Json document;
  document["command"] = "scenario";
  document["file"] = file;
  document["failures"] = report.failures;
  document["lines"] = Json::array();
  for (const auto& line : report.lines) document["lines"].push_back({{"source", line.source}, {"events", json_of(line.events)}});
  document["end"] = json_of(report.end);
  // What is between quotes may be any bytes.
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Status digit, then the text for standard output (or standard error, if the status is an error).
std::string scenario_to_text(const Invocation& invocation, const po::variables_map& values, bool json) {
  const auto run = [&]() -> Result<std::string> {
    const auto file = values["file"].as<std::string>();
    POWERCUT_TRY(const engine::EngineKind* const kind,
                 properties::find_engine(invocation.engines, values["engine"].as<std::string>()));
    POWERCUT_TRY(const std::string text, read_file(file));
    POWERCUT_TRY(const properties::Scenario scenario, properties::parse_scenario(text, file));
    std::vector<std::string> defects;
    if (values.count("defect") > 0) defects = values["defect"].as<std::vector<std::string>>();
    POWERCUT_TRY(const ScenarioReport report, properties::run_scenario(scenario, *kind, defects));
    return std::to_string(report.failures > 0 ? kViolationFound : kNothingFound) + (json ? json_of(report, file) : to_text(report));
  };
  auto ran = run();
  if (ran.has_value()) return std::move(ran).value();
  // A file that cannot be read is a wrong one.
  const bool tool_failed = ran.error().code() != ErrorCode::kInvalidArgument && ran.error().code() != ErrorCode::kIo;
  return std::to_string(tool_failed ? kToolFailed : kWrongUsage) + (tool_failed ? ran.error().message() : ran.error().context());
}

Result<properties::Case> case_of(const Invocation& invocation, const po::variables_map& values) {
  const auto file = values["file"].as<std::string>();
  properties::Case made;
  properties::Setting& setting = made.setting;
  POWERCUT_TRY(setting.kind, properties::find_engine(invocation.engines, values["engine"].as<std::string>()));
  POWERCUT_TRY(setting.scenario, read_file(file));
  POWERCUT_TRY(const properties::Scenario scenario, properties::parse_scenario(setting.scenario, file));
  POWERCUT_TRY(properties::ScenarioCase of_scenario, properties::scenario_case(scenario));
  setting.own_workload = std::move(of_scenario.workload);
  setting.workload = setting.own_workload.get();
  made.steps = std::move(of_scenario.steps);
  for (const auto& each : scenario.options) setting.options.push_back(each.option);
  if (values.count("defect") > 0) setting.defects = values["defect"].as<std::vector<std::string>>();
  setting.model = scenario.model;
  setting.nested = values["nested"].as<std::uint32_t>();
  properties::set_for_exploration(setting);
  POWERCUT_TRYV(setting.kind->make(setting.options, setting.defects));
  return made;
}

int explore(const Invocation& invocation, const po::variables_map& values) {
  auto made = case_of(invocation, values);
  if (made.has_error() && made.error().code() == ErrorCode::kIo) return fail(kWrongUsage, made.error().context());
  if (made.has_error()) return fail(made.error());
  std::string again = shell_word(invocation.program) + " scenario " + shell_word(values["file"].as<std::string>()) + " --explore";
  for (const std::string& defect : made.value().setting.defects) again += " --defect " + shell_word(defect);
  again +=
      fmt::format(" --preemptions {} --nested {}", values["preemptions"].as<std::uint32_t>(), values["nested"].as<std::uint32_t>());
  return explore_given(invocation, values, std::move(made).value(), std::move(again));
}

}  // namespace

int scenario_command(const Invocation& invocation) {
  po::options_description options("options");
  options.add_options()("engine", po::value<std::string>()->default_value(default_engine(invocation)), "engine under test");
  options.add_options()("defect", po::value<std::vector<std::string>>()->value_name("NAME"),
                        "switch on a planted bug, may be repeated");
  options.add_options()("explore", "not in the order of the file: every interleaving of the sessions, and every crash state");
  options.add_options()("nested", po::value<std::uint32_t>()->value_name("N")->default_value(1),
                        "with --explore: how many crashes may follow the first");
  options.add(exploration_options(kMostSchedules));
  po::options_description hidden;
  hidden.add_options()("file", po::value<std::string>());
  po::positional_options_description positional;
  positional.add("file", 1);
  const Parsed parsed =
      parse(invocation, "scenario FILE [OPTIONS]", "powercut scenario transfer.scenario", options, positional, hidden);
  if (parsed.exit_status) return *parsed.exit_status;
  if (parsed.values.count("file") == 0)
    return fail(kWrongUsage, "which scenario? Give a file (docs/SCENARIOS.md has the language)");
  const auto json = wants_json(parsed.values);
  if (json.has_error()) return fail(json.error());

  if (parsed.values.count("explore") > 0) return explore(invocation, parsed.values);
  for (const char* const name :
       {"nested", "preemptions", "schedules", "jobs", "time", "max-recoveries", "point", "further", "output"}) {
    if (parsed.values.count(name) > 0 && !parsed.values[name].defaulted()) {
      return fail(kWrongUsage, fmt::format("--{} says something only with --explore", name));
    }
  }

  // In a process of its own, since the engine may crash.
  const auto told =
      properties::in_child([&] { return scenario_to_text(invocation, parsed.values, json.value()); }, invocation.interrupted);
  if (told.has_error()) {
    if (invocation.interrupted) return fail(kToolFailed, "interrupted");
    fmt::print("VIOLATION alive: the engine ended its process: {}\n", told.error().context());
    return kViolationFound;
  }
  const int status = told.value()[0] - '0';
  const std::string_view text = std::string_view(told.value()).substr(1);
  if (status >= kWrongUsage) return fail(static_cast<ExitStatus>(status), text);
  fmt::print("{}", text);
  return status;
}

}  // namespace powercut::tools
