// powercut list: what there is.
#include "command.h"

#include "faultfs/fault.h"
#include "faultfs/persistence_model.h"
#include "properties/case_file.h"
#include "properties/workload.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;

struct Entry {
  std::string name;
  std::string summary;
};

std::string_view note(engine::Needs needs) {
  switch (needs) {
    case engine::Needs::kPowerFailure:
      return "";
    case engine::Needs::kCoincidence:
      return " (needs a rare coincidence)";
    case engine::Needs::kSessions:
      return " (needs sessions side by side)";
    case engine::Needs::kFault:
      return " (needs faults while it runs)";
  }
  return "?";
}

Result<std::vector<Entry>> entries(const Invocation& invocation, const std::string& what, const std::string& engine_name) {
  std::vector<Entry> all;
  const auto add = [&](std::string_view name, std::string_view summary) {
    all.push_back({std::string(name), std::string(summary)});
  };
  if (what == "engines") {
    for (const auto& engine : invocation.engines) add(engine->name(), engine->summary());
  } else if (what == "workloads") {
    for (const auto* workload : properties::workloads()) add(workload->name(), workload->summary());
  } else if (what == "models") {
    for (const auto& model : faultfs::presets()) add(model.name, model.summary);
  } else if (what == "faults") {
    for (const auto& fault : faultfs::fault_kinds()) add(fault.name, fault.summary);
  } else if (what == "knobs") {
    for (const auto& knob : faultfs::knobs()) add(knob.name, fmt::format("{} ({})", knob.summary, knob.values));
  } else if (what == "defects" || what == "options" || what == "modes") {
    POWERCUT_TRY(const engine::EngineKind* const engine, properties::find_engine(invocation.engines, engine_name));
    if (what == "modes") {
      for (const auto& mode : engine->modes()) add(mode.name, mode.summary);
    } else if (what == "defects") {
      for (const auto& defect : engine->defects()) add(defect.name, fmt::format("{}{}", defect.summary, note(defect.needs)));
    } else {
      for (const auto& tunable : engine->tunables())
        add(tunable.name, fmt::format("{} (default {})", tunable.summary, tunable.preset));
    }
  } else {
    return Error(
        ErrorCode::kInvalidArgument,
        "cannot list '" + what +
            "'; there are: engines, workloads, models, knobs (of a model), faults, defects, options and modes (of an engine)");
  }
  return all;
}

}  // namespace

int list_command(const Invocation& invocation) {
  po::options_description options("options");
  options.add_options()("engine", po::value<std::string>()->default_value(default_engine(invocation)),
                        "whose defects, options and modes");
  po::options_description hidden;
  hidden.add_options()("what", po::value<std::string>());
  po::positional_options_description positional;
  positional.add("what", 1);
  const Parsed parsed =
      parse(invocation, "list engines | workloads | models | knobs | faults | defects | options | modes [OPTIONS]",
            "powercut list defects", options, positional, hidden);
  if (parsed.exit_status) return *parsed.exit_status;
  if (parsed.values.count("what") == 0) {
    return fail(
        kWrongUsage,
        "list what? There are: engines, workloads, models, knobs (of a model), faults, defects, options and modes (of an engine)");
  }
  const auto json = wants_json(parsed.values);
  if (json.has_error()) return fail(json.error());
  const auto listed = entries(invocation, parsed.values["what"].as<std::string>(), parsed.values["engine"].as<std::string>());
  if (listed.has_error()) return fail(listed.error());
  if (json.value()) {
    auto document = nlohmann::ordered_json::array();
    for (const Entry& entry : listed.value()) document.push_back({{"name", entry.name}, {"summary", entry.summary}});
    fmt::print("{}\n", document.dump(2));
    return kNothingFound;
  }
  std::size_t width = 0;
  for (const Entry& entry : listed.value()) width = std::max(width, entry.name.size());
  for (const Entry& entry : listed.value()) fmt::print("{:<{}}  {}\n", entry.name, width, entry.summary);
  return kNothingFound;
}

}  // namespace powercut::tools
