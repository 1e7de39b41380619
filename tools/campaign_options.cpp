#include "campaign_options.h"

#include "finding.h"
#include "properties/case_file.h"

#include <fmt/format.h>

#include <algorithm>

namespace powercut::tools {

namespace po = boost::program_options;
using Texts = std::vector<std::string>;

po::options_description setting_options(const Invocation& invocation) {
  po::options_description options("what runs on what");
  options.add_options()("engine", po::value<std::string>()->default_value(default_engine(invocation)), "engine under test");
  options.add_options()(
      "set", po::value<Texts>()->value_name("NAME=VALUE"),
      "an option of the engine, or a knob of the model, may be repeated; engine options that are not set are drawn by each "
      "seed");
  options.add_options()("defect", po::value<Texts>()->value_name("NAME"), "switch on a planted bug, may be repeated");
  options.add_options()("fault", po::value<Texts>()->value_name("NAME"),
                        "what the disk does wrong (see: powercut list faults), may be repeated; each seed has one");
  options.add_options()("workload", po::value<Texts>()->value_name("NAME"),
                        "workload, may be repeated; seeds take turns (default: all)");
  options.add_options()("isolation", po::value<std::string>()->value_name("LEVEL"),
                        "of every transaction, where there are several sessions: read-uncommitted, read-committed, "
                        "repeatable-read or serializable (default: each transaction draws its own)");
  options.add_options()("judge-by", po::value<std::string>()->default_value("guarantee"),
                        "what the engine is held to: what it promises in its mode (guarantee), every promise (all), or nothing: "
                        "then what breaks is only counted");
  options.add_options()("slow-io", "every file operation lets other sessions go on meanwhile, as a real disk does");
  options.add_options()("model", po::value<std::string>()->default_value("posix"),
                        "what a crash may keep (see: powercut list models)");
  options.add_options()("atom", po::value<std::string>(),
                        "what is written whole or not at all: 512, 4096 or write (default: the model's)");
  options.add_options()("nested", po::value<std::uint32_t>()->default_value(1), "further crashes after the first: 0, 1 or 2");
  return options;
}

po::options_description campaign_options(const Invocation& invocation) {
  po::options_description options = setting_options(invocation);
  options.add_options()("steps", po::value<std::uint32_t>()->default_value(16), "most steps of a case");
  options.add_options()("boots", po::value<std::uint32_t>()->default_value(2), "crash states tried at a crash point");
  options.add_options()("points", po::value<std::uint32_t>()->default_value(8), "of 16 crash points, how many are looked at");
  return options;
}

namespace {

// Those that are named, or all that can be what the other options ask for: a disk that fails is for one session alone,
// as is an engine without sessions side by side; a level is for several.
Result<std::vector<const properties::Workload*>> workloads_for(const po::variables_map& values, const engine::EngineKind& kind) {
  const bool fails = values.count("fault") > 0;
  const bool has_level = values.count("isolation") > 0;
  std::vector<const properties::Workload*> all;
  if (values.count("workload") > 0) {
    for (const std::string& name : values["workload"].as<Texts>()) {
      POWERCUT_TRY(const properties::Workload* const workload, properties::find_workload(name));
      if (fails && workload->sessions() > 1) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("--fault with --workload {}: faults are for workloads of one session", name));
      }
      if (!kind.has_sessions() && workload->sessions() > 1) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("--workload {}: {} has one session at a time, and that workload has several", name, kind.name()));
      }
      all.push_back(workload);
    }
  } else {
    const auto there_are = fails || !kind.has_sessions() ? properties::workloads_alone() : properties::workloads();
    all.assign(there_are.begin(), there_are.end());
  }
  if (has_level && std::all_of(all.begin(), all.end(), [](const auto* workload) { return workload->sessions() == 1; })) {
    return Error(ErrorCode::kInvalidArgument, "--isolation: none of the workloads has more than one session");
  }
  return all;
}

}  // namespace

Result<properties::CampaignPlan> campaign_plan(const Invocation& invocation, const po::variables_map& values) {
  properties::CampaignPlan plan;
  POWERCUT_TRY(plan.kind, properties::find_engine(invocation.engines, values["engine"].as<std::string>()));
  std::vector<engine::Option> knobs;
  if (values.count("set") > 0) {
    for (const std::string& text : values["set"].as<Texts>()) {
      const auto equals = text.find('=');
      if (equals == std::string::npos) return Error(ErrorCode::kInvalidArgument, "--set " + text + ": must be NAME=VALUE");
      engine::Option option{text.substr(0, equals), text.substr(equals + 1)};
      (faultfs::is_knob(option.name) ? knobs : plan.options).push_back(std::move(option));
    }
  }
  if (values.count("defect") > 0) plan.defects = values["defect"].as<Texts>();
  if (values.count("fault") > 0) {
    for (const std::string& name : values["fault"].as<Texts>()) {
      POWERCUT_TRY(const faultfs::FaultKind fault, faultfs::fault_kind(name));
      plan.faults.push_back(fault);
    }
  }
  POWERCUT_TRY(plan.workloads, workloads_for(values, *plan.kind));
  POWERCUT_TRY(plan.judged_by, properties::judged_by_of(values["judge-by"].as<std::string>()));
  if (values.count("isolation") > 0) {
    POWERCUT_TRY(plan.steps.isolation, properties::isolation_level(values["isolation"].as<std::string>()));
  }
  POWERCUT_TRY(plan.model, faultfs::preset(values["model"].as<std::string>()));
  if (values.count("atom") > 0) POWERCUT_TRYV(set_atom(plan.model, values["atom"].as<std::string>()));
  for (const auto& knob : knobs) POWERCUT_TRYV(set_knob(plan.model, knob.name, knob.value));
  const auto number = [&](const char* name, std::uint32_t least, std::uint32_t most) -> Result<std::uint32_t> {
    const auto value = values[name].as<std::uint32_t>();
    if (value >= least && value <= most) return value;
    return Error(ErrorCode::kInvalidArgument, fmt::format("--{} {}: must be from {} to {}", name, value, least, most));
  };
  plan.slow_io = values.count("slow-io") > 0;
  if (plan.slow_io &&
      std::all_of(plan.workloads.begin(), plan.workloads.end(), [](const auto* workload) { return workload->sessions() == 1; })) {
    return Error(ErrorCode::kInvalidArgument, "--slow-io: none of the workloads has more than one session");
  }
  POWERCUT_TRY(plan.steps.most, number("steps", 1, 100'000));
  if (values.count("boots") > 0) {
    POWERCUT_TRY(plan.boots_per_point, number("boots", 1, 1'000'000));
    POWERCUT_TRY(plan.points_of_16, number("points", 1, 16));
  }
  POWERCUT_TRY(plan.nested, number("nested", 0, properties::Checker::kMostNested));
  return plan;
}

namespace {

std::string words(const engine::EngineKind& kind, const std::vector<engine::Option>& engine_options,
                  const std::vector<std::string>& defects, const std::vector<const properties::Workload*>& workloads,
                  const faultfs::PersistenceModel& model, std::uint32_t nested, bool slow_io, properties::JudgedBy judged_by) {
  std::string all;
  const auto add = [&](const std::string& name, const std::string& value) { all += " --" + name + " " + shell_word(value); };
  add("engine", std::string(kind.name()));
  for (const auto& option : engine_options) add("set", option.name + "=" + option.value);
  for (const auto& defect : defects) add("defect", defect);
  for (const auto* workload : workloads) add("workload", std::string(workload->name()));
  add("model", model.name);
  for (const auto& knob : changed_knobs(model)) add("set", knob);
  add("nested", std::to_string(nested));
  if (slow_io) all += " --slow-io";
  if (judged_by != properties::JudgedBy::kGuarantee) all.append(" --judge-by ").append(to_string(judged_by));
  return all;
}

}  // namespace

std::string setting_words(const properties::CampaignPlan& plan) {
  std::string all =
      words(*plan.kind, plan.options, plan.defects, plan.workloads, plan.model, plan.nested, plan.slow_io, plan.judged_by);
  if (plan.steps.isolation) all.append(" --isolation ").append(properties::to_string(*plan.steps.isolation));
  for (const faultfs::FaultKind fault : plan.faults) all.append(" --fault ").append(faultfs::info(fault).name);
  return all;
}

std::string setting_words(const properties::Setting& setting) {
  return words(*setting.kind, setting.options, setting.defects, {setting.workload}, setting.model, setting.nested, setting.slow_io,
               setting.judged_by);
}

}  // namespace powercut::tools
