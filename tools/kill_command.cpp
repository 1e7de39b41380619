// powercut kill: a process at work on a real directory, killed again and again.
#include "campaign_options.h"
#include "command.h"
#include "finding.h"
#include "properties/case_file.h"
#include "properties/kill_test.h"
#include "terminal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string>;
using properties::KillFigures;
using properties::KillPlan;
using properties::KillReport;

Result<std::vector<engine::Option>> engine_options(const po::variables_map& values) {
  std::vector<engine::Option> options;
  if (values.count("set") == 0) return options;
  for (const std::string& text : values["set"].as<Texts>()) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) return Error(ErrorCode::kInvalidArgument, "--set " + text + ": must be NAME=VALUE");
    options.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return options;
}

Result<std::vector<const properties::Workload*>> kill_workloads(const po::variables_map& values, const engine::EngineKind& kind) {
  std::vector<const properties::Workload*> all;
  if (values.count("workload") == 0) {
    for (const auto* workload : properties::workloads()) {
      if ((workload->sessions() > 1) == kind.has_sessions()) all.push_back(workload);
    }
    return all;
  }
  for (const std::string& name : values["workload"].as<Texts>()) {
    POWERCUT_TRY(const properties::Workload* const workload, properties::find_workload(name));
    if (workload->sessions() > 1 && !kind.has_sessions()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("--workload {}: {} has one session at a time, and that workload has several", name, kind.name()));
    }
    all.push_back(workload);
  }
  return all;
}

Result<KillPlan> kill_plan(const Invocation& invocation, const po::variables_map& values) {
  KillPlan plan;
  POWERCUT_TRY(plan.kind, properties::find_engine(invocation.engines, values["engine"].as<std::string>()));
  POWERCUT_TRY(plan.options, engine_options(values));
  if (values.count("defect") > 0) plan.defects = values["defect"].as<Texts>();
  POWERCUT_TRYV(plan.kind->make(plan.options, plan.defects));
  POWERCUT_TRY(plan.workloads, kill_workloads(values, *plan.kind));
  if (values.count("isolation") > 0) {
    POWERCUT_TRY(plan.isolation, properties::isolation_level(values["isolation"].as<std::string>()));
  }
  POWERCUT_TRY(plan.backend, faultfs::find_host_backend(values["backend"].as<std::string>()));
  plan.directory = values["dir"].as<std::string>();
  plan.seed = values["seed"].as<std::uint64_t>();
  const auto number = [&](const char* name, std::uint32_t most) -> Result<std::uint32_t> {
    const auto value = values[name].as<std::uint32_t>();
    if (value >= 1 && value <= most) return value;
    return Error(ErrorCode::kInvalidArgument, fmt::format("--{} {}: must be from 1 to {}", name, value, most));
  };
  POWERCUT_TRY(plan.rounds, number("rounds", 1'000'000));
  POWERCUT_TRY(plan.sessions, number("sessions", properties::Model::kMostSessions));
  POWERCUT_TRY(plan.steps, number("steps", 1000));
  return plan;
}

std::string progress_text(const KillFigures& figures, const KillPlan& plan) {
  const double done = static_cast<double>(figures.rounds) / static_cast<double>(plan.rounds);
  const auto left = done > 0 ? static_cast<std::uint64_t>(figures.wall_seconds / done - figures.wall_seconds) : 0;
  return fmt::format("{} of {} rounds · {} transactions acknowledged · {}:{:02} left", grouped(figures.rounds),
                     grouped(plan.rounds), grouped(figures.acknowledged), left / 60, left % 60);
}

void print_heading(const KillPlan& plan) {
  std::string workloads;
  for (const auto* workload : plan.workloads) workloads.append(workloads.empty() ? "" : ", ").append(workload->name());
  std::string defects;
  for (const auto& defect : plan.defects) defects.append(defects.empty() ? ", with the defect " : ", ").append(defect);
  const bool alone =
      std::all_of(plan.workloads.begin(), plan.workloads.end(), [](const auto* each) { return each->sessions() == 1; });
  const std::uint32_t sessions = alone ? 1 : plan.sessions;
  fmt::print("{}{} · {} · {} {} · {} on {} · seed {}\n", plan.kind->name(), defects, workloads, sessions,
             sessions == 1 ? "session" : "sessions", to_string(plan.backend), plan.directory, plan.seed);
  std::fflush(stdout);
}

std::string options_text(const std::vector<engine::Option>& options) {
  std::string all;
  for (const auto& option : options) all += " --set " + shell_word(option.name + "=" + option.value);
  return all;
}

void print_text(const KillReport& report) {
  const KillFigures& figures = report.figures;
  if (report.interrupted) fmt::print("interrupted; the figures so far:\n");
  fmt::print("{} kills: {} in recovery, {} at work, {} when idle · {} databases · {} recoveries compared\n",
             grouped(figures.killed_in_recovery + figures.killed_at_work + figures.killed_idle),
             grouped(figures.killed_in_recovery), grouped(figures.killed_at_work), grouped(figures.killed_idle),
             grouped(figures.databases), grouped(figures.recoveries));
  fmt::print("{} transactions acknowledged · {} in doubt, of which {} were there · {}\n", grouped(figures.acknowledged),
             grouped(figures.found + figures.not_found), grouped(figures.found), report.violation ? "1 violation" : "no violation");
  if (!report.violation) return;
  fmt::print("\nVIOLATION {}: {}\n  promised: {}\n", to_string(report.violation->oracle), report.violation->summary,
             describe(report.violation->oracle));
  for (const std::string& difference : report.violation->differences) fmt::print("  {}\n", difference);
  fmt::print("\nround {} of the workload {} with{}\n", report.round, report.workload,
             report.options.empty() ? " no options" : options_text(report.options));
  if (!report.last_kill.empty()) fmt::print("the kill before  {}\n", report.last_kill);
  fmt::print("the database, as the last process left it\n  {}\n", report.kept);
}

void print_json(const KillPlan& plan, const KillReport& report) {
  const KillFigures& figures = report.figures;
  Json document;
  document["command"] = "kill";
  document["engine"] = plan.kind->name();
  document["defects"] = plan.defects;
  document["backend"] = to_string(plan.backend);
  document["directory"] = plan.directory;
  document["workloads"] = Json::array();
  for (const auto* workload : plan.workloads) document["workloads"].push_back(workload->name());
  document["sessions"] = plan.sessions;
  document["seed"] = plan.seed;
  document["interrupted"] = report.interrupted;
  document["rounds"] = figures.rounds;
  document["databases"] = figures.databases;
  document["killed_in_recovery"] = figures.killed_in_recovery;
  document["killed_at_work"] = figures.killed_at_work;
  document["killed_idle"] = figures.killed_idle;
  document["recoveries"] = figures.recoveries;
  document["acknowledged"] = figures.acknowledged;
  document["in_doubt_found"] = figures.found;
  document["in_doubt_not_found"] = figures.not_found;
  document["violation"] = nullptr;
  if (report.violation) {
    Json violation;
    violation["oracle"] = to_string(report.violation->oracle);
    violation["summary"] = report.violation->summary;
    violation["differences"] = report.violation->differences;
    violation["round"] = report.round;
    violation["workload"] = report.workload;
    violation["options"] = Json::object();
    for (const auto& option : report.options) violation["options"][option.name] = option.value;
    violation["last_kill"] = report.last_kill;
    violation["database"] = report.kept;
    document["violation"] = std::move(violation);
  }
  fmt::print("{}\n", document.dump(2));
}

}  // namespace

int kill_command(const Invocation& invocation) {
  po::options_description options("what is killed, where and how often");
  options.add_options()("dir", po::value<std::string>()->default_value("."), "directory in which a database of its own is made");
  options.add_options()("backend", po::value<std::string>()->default_value("posix"),
                        "how the directory is reached: posix, uring or uring-direct (O_DIRECT)");
  options.add_options()("rounds", po::value<std::uint32_t>()->default_value(200), "how many processes are killed");
  options.add_options()("seed", po::value<std::uint64_t>()->default_value(1), "of the work and of the moments");
  options.add_options()("sessions", po::value<std::uint32_t>()->default_value(3),
                        "side by side, from 1 to 32; 1 where the workload has no more");
  options.add_options()("steps", po::value<std::uint32_t>()->default_value(60), "of a round that is not cut short");
  options.add_options()("engine", po::value<std::string>()->default_value(default_engine(invocation)), "engine under test");
  options.add_options()("set", po::value<Texts>()->value_name("NAME=VALUE"),
                        "an option of the engine, may be repeated; those that are not set are drawn for each fresh database");
  options.add_options()("defect", po::value<Texts>()->value_name("NAME"), "switch on a planted bug, may be repeated");
  options.add_options()(
      "workload", po::value<Texts>()->value_name("NAME"),
      "workload, may be repeated; fresh databases take turns (default: those of several sessions, if the engine has them)");
  options.add_options()("isolation", po::value<std::string>()->value_name("LEVEL"),
                        "of every transaction, where there are several sessions (default: each transaction draws its own)");
  const Parsed parsed = parse(invocation, "kill [OPTIONS]", "powercut kill --backend uring --dir /var/tmp --rounds 500", options);
  if (parsed.exit_status) return *parsed.exit_status;
  const auto json = wants_json(parsed.values);
  if (json.has_error()) return fail(json.error());
  const auto plan = kill_plan(invocation, parsed.values);
  if (plan.has_error()) return fail(plan.error());
  if (!json.value()) print_heading(plan.value());
  const auto report = [&] {
    ProgressLine progress;
    return run_kill_test(plan.value(), invocation.interrupted,
                         [&](const KillFigures& figures) { progress.show(progress_text(figures, plan.value())); });
  }();
  if (report.has_error()) return fail(report.error());
  if (json.value()) {
    print_json(plan.value(), report.value());
  } else {
    print_text(report.value());
  }
  std::fflush(stdout);
  return report.value().violation ? kViolationFound : kNothingFound;
}

}  // namespace powercut::tools
