#include "campaign_options.h"

#include "properties/case_file.h"

#include <fmt/format.h>

namespace powercut::tools {

namespace po = boost::program_options;
using Texts = std::vector<std::string>;

po::options_description campaign_options() {
  po::options_description options("what runs on what");
  options.add_options()("engine", po::value<std::string>()->default_value("ledger"), "engine under test");
  options.add_options()("set", po::value<Texts>()->value_name("NAME=VALUE"),
                        "an option of the engine, may be repeated; what is not set is drawn by each seed");
  options.add_options()("defect", po::value<Texts>()->value_name("NAME"), "switch on a planted bug, may be repeated");
  options.add_options()("workload", po::value<Texts>()->value_name("NAME"),
                        "workload, may be repeated; seeds take turns (default: all)");
  options.add_options()("model", po::value<std::string>()->default_value("posix"), "what a crash may keep");
  options.add_options()("atom", po::value<std::string>()->default_value("512"),
                        "what is written whole or not at all: 512, 4096 or write");
  options.add_options()("steps", po::value<std::uint32_t>()->default_value(16), "most steps of a case");
  options.add_options()("boots", po::value<std::uint32_t>()->default_value(2), "crash states tried at a crash point");
  options.add_options()("points", po::value<std::uint32_t>()->default_value(8), "of 16 crash points, how many are looked at");
  options.add_options()("nested", po::value<std::uint32_t>()->default_value(1), "further crashes after the first: 0, 1 or 2");
  return options;
}

Result<properties::CampaignPlan> campaign_plan(const Invocation& invocation, const po::variables_map& values) {
  properties::CampaignPlan plan;
  POWERCUT_TRY(plan.kind, properties::find_engine(invocation.engines, values["engine"].as<std::string>()));
  if (values.count("set") > 0) {
    for (const std::string& text : values["set"].as<Texts>()) {
      const auto equals = text.find('=');
      if (equals == std::string::npos) return Error(ErrorCode::kInvalidArgument, "--set " + text + ": must be NAME=VALUE");
      plan.options.push_back({text.substr(0, equals), text.substr(equals + 1)});
    }
  }
  if (values.count("defect") > 0) plan.defects = values["defect"].as<Texts>();
  if (values.count("workload") > 0) {
    for (const std::string& name : values["workload"].as<Texts>()) {
      POWERCUT_TRY(const properties::Workload* const workload, properties::find_workload(name));
      plan.workloads.push_back(workload);
    }
  } else {
    plan.workloads.assign(properties::workloads().begin(), properties::workloads().end());
  }
  POWERCUT_TRY(plan.model, faultfs::preset(values["model"].as<std::string>()));
  POWERCUT_TRYV(set_atom(plan.model, values["atom"].as<std::string>()));
  const auto number = [&](const char* name, std::uint32_t least, std::uint32_t most) -> Result<std::uint32_t> {
    const auto value = values[name].as<std::uint32_t>();
    if (value >= least && value <= most) return value;
    return Error(ErrorCode::kInvalidArgument, fmt::format("--{} {}: must be from {} to {}", name, value, least, most));
  };
  POWERCUT_TRY(plan.most_steps, number("steps", 1, 100'000));
  POWERCUT_TRY(plan.boots_per_point, number("boots", 1, 1'000'000));
  POWERCUT_TRY(plan.points_of_16, number("points", 1, 16));
  POWERCUT_TRY(plan.nested, number("nested", 0, properties::Checker::kMostNested));
  return plan;
}

}  // namespace powercut::tools
