// powercut run: many seeds, and the first that fails made simple and stored.
#include "campaign_options.h"
#include "command.h"
#include "properties/case_file.h"
#include "properties/runner.h"
#include "terminal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <thread>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using properties::Campaign;
using properties::CampaignPlan;
using properties::Case;
using properties::RunnerFigures;
using properties::RunnerPlan;
using properties::RunnerReport;

// Before hours of work, not after.
Result<void> check_output(const std::string& directory) {
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return Error(ErrorCode::kIo, "--output " + directory + ": there is no such directory; case files are written there");
  }
  if (access(directory.c_str(), W_OK) != 0) {
    return Error(ErrorCode::kIo, "--output " + directory + ": cannot be written to; case files are written there");
  }
  return success();
}

double rate(const RunnerFigures& figures) {
  return figures.processor_seconds > 0 ? static_cast<double>(figures.count.recoveries) / figures.processor_seconds : 0;
}

std::string progress_text(const RunnerFigures& figures, const RunnerPlan& plan) {
  const double done = static_cast<double>(figures.cases) / static_cast<double>(std::max<std::uint64_t>(1, plan.seeds));
  const auto left = done > 0 ? static_cast<std::uint64_t>(figures.wall_seconds / done - figures.wall_seconds) : 0;
  return fmt::format("{} of {} cases · {} crash states · {} recoveries/s per core · {}:{:02} left", grouped(figures.cases),
                     grouped(plan.seeds), grouped(figures.count.states), grouped(static_cast<std::uint64_t>(rate(figures))),
                     left / 60, left % 60);
}

std::string shell_word(const std::string& text) {
  const bool plain =
      !text.empty() &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=+:@%-") == std::string::npos;
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// What was found, ready to be told.
struct Finding {
  properties::Violation violation;
  std::uint64_t seed = 0;
  std::vector<std::string> steps;
  std::string crash;
  std::string case_file;
  std::string trace_hash;
  std::string replay;  // the command
};

class RunCommand {
 public:
  RunCommand(const Invocation& invocation, const po::variables_map& values) : invocation_(invocation), values_(values) {}

  int run() {
    const auto json = wants_json(values_);
    if (json.has_error()) return fail(json.error());
    json_ = json.value();
    auto plan = campaign_plan(invocation_, values_);
    if (plan.has_error()) return fail(plan.error());
    plan_ = plan.value();
    auto campaign = Campaign::make(plan_);
    if (campaign.has_error()) return fail(campaign.error());
    runner_.first_seed = values_["seed"].as<std::uint64_t>();
    runner_.seeds = values_["seeds"].as<std::uint64_t>();
    runner_.jobs = values_["jobs"].as<std::uint32_t>();
    if (runner_.seeds == 0) return fail(kWrongUsage, "--seeds 0: nothing to do; give at least 1");
    if (runner_.jobs == 0 || runner_.jobs > properties::kMostJobs) {
      return fail(kWrongUsage, fmt::format("--jobs {}: must be from 1 to {}", runner_.jobs, properties::kMostJobs));
    }
    output_ = values_["output"].as<std::string>();
    const auto writable = check_output(output_);
    if (writable.has_error()) return fail(kToolFailed, writable.error().context());
    if (!json_) print_heading();

    auto report = [&] {
      ProgressLine progress;
      return run_campaign(campaign.value(), runner_, invocation_.interrupted,
                          [&](const RunnerFigures& figures) { progress.show(progress_text(figures, runner_)); });
    }();
    if (report.has_error()) return fail(report.error());
    std::optional<Finding> finding;
    if (report.value().failing_seed && !report.value().interrupted) {
      auto found = investigate(campaign.value(), report.value());
      if (found.has_error()) return fail(found.error());
      finding = std::move(found).value();
    }
    if (json_) {
      print_json(report.value(), finding);
    } else {
      print_text(report.value(), finding);
    }
    std::fflush(stdout);
    return report.value().failing_seed ? kViolationFound : kNothingFound;
  }

 private:
  void print_heading() const {
    std::string workloads;
    for (const auto* workload : plan_.workloads) workloads.append(workloads.empty() ? "" : ", ").append(workload->name());
    std::string defects;
    for (const auto& defect : plan_.defects) defects.append(defects.empty() ? ", with the defect " : ", ").append(defect);
    fmt::print("{}{} · {} · model {}, atom {} · seeds {} to {} · {} {}\n", plan_.kind->name(), defects, workloads, plan_.model.name,
               atom_text(plan_.model), runner_.first_seed, runner_.first_seed + runner_.seeds - 1, runner_.jobs,
               runner_.jobs == 1 ? "job" : "jobs");
    std::fflush(stdout);
  }

  std::string seed_command(std::uint64_t seed) const {
    std::string command = shell_word(invocation_.program) + " replay --seed " + std::to_string(seed);
    const auto add = [&](const std::string& name, const std::string& value) { command += " --" + name + " " + shell_word(value); };
    add("engine", std::string(plan_.kind->name()));
    for (const auto& option : plan_.options) add("set", option.name + "=" + option.value);
    for (const auto& defect : plan_.defects) add("defect", defect);
    for (const auto* workload : plan_.workloads) add("workload", std::string(workload->name()));
    add("model", plan_.model.name);
    add("atom", atom_text(plan_.model));
    add("steps", std::to_string(plan_.most_steps));
    add("boots", std::to_string(plan_.boots_per_point));
    add("points", std::to_string(plan_.points_of_16));
    add("nested", std::to_string(plan_.nested));
    return command;
  }

  // Shrinks the lowest failing seed in a process of its own, since the engine may crash on the way.
  Result<Finding> investigate(Campaign& campaign, const RunnerReport& report) {
    Finding finding;
    finding.seed = *report.failing_seed;
    finding.replay = seed_command(finding.seed);
    if (!report.worker_death.empty()) {
      finding.violation = {properties::Oracle::kAlive, "the engine ended its process: " + report.worker_death, {}};
      return finding;
    }
    const auto text = properties::in_child(
        [&] {
          const auto simplest = campaign.simplest_case(finding.seed);
          return simplest ? to_json(*simplest) : std::string();
        },
        invocation_.interrupted);
    if (text.has_error()) {
      finding.violation = {properties::Oracle::kAlive,
                           "the engine ended its process while the failure was made simpler: " + text.error().context(),
                           {}};
      return finding;
    }
    POWERCUT_TRY(const Case simplest, properties::case_from_json(text.value(), invocation_.engines));
    finding.violation = simplest.failure.violation;
    for (const auto& step : simplest.steps) finding.steps.push_back(describe(*simplest.setting.workload, step));
    finding.crash = simplest.failure.crash_point == properties::kNoCrash
                        ? "with the power on"
                        : fmt::format("the power fails at crash point {}", simplest.failure.crash_point);
    finding.trace_hash = properties::hash_text(simplest.trace_hash);
    finding.case_file = fmt::format("{}powercut-{}-{}-seed-{}.json", output_ == "." ? std::string() : output_ + "/",
                                    plan_.kind->name(), simplest.setting.workload->name(), finding.seed);
    const auto written = properties::write_case_file(finding.case_file, simplest);
    if (written.has_error()) {
      // What was found is told all the same; the seed replays it.
      fail(kToolFailed, "the case file could not be written: " + written.error().message());
      finding.case_file = "none";
      return finding;
    }
    finding.replay = shell_word(invocation_.program) + " replay " + shell_word(finding.case_file);
    return finding;
  }

  static std::string outcomes(const RunnerFigures& figures) {
    return (figures.outcomes_at_least ? "at least " : "") + grouped(figures.distinct_outcomes);
  }

  void print_text(const RunnerReport& report, const std::optional<Finding>& finding) const {
    const RunnerFigures& figures = report.figures;
    if (report.interrupted) fmt::print("interrupted; the figures so far:\n");
    fmt::print("{} cases · {} crash states · {} recoveries · {} distinct outcomes · {} recoveries/s per core · {}\n",
               grouped(figures.cases), grouped(figures.count.states), grouped(figures.count.recoveries), outcomes(figures),
               grouped(static_cast<std::uint64_t>(rate(figures))), report.failing_seed ? "1 violation" : "no violation");
    if (!finding) return;
    fmt::print("\nVIOLATION {}: {}\n", to_string(finding->violation.oracle), finding->violation.summary);
    fmt::print("  promised: {}\n", describe(finding->violation.oracle));
    for (const auto& line : finding->violation.differences) fmt::print("  {}\n", line);
    if (!finding->steps.empty()) {
      fmt::print("\nseed {}, made as simple as it gets: {} {}, then {}\n", finding->seed, finding->steps.size(),
                 finding->steps.size() == 1 ? "step" : "steps", finding->crash);
      for (std::size_t at = 0; at < finding->steps.size(); ++at) fmt::print("  {}  {}\n", at, finding->steps[at]);
      fmt::print("\ncase file   {}\ntrace hash  {}\n", finding->case_file, finding->trace_hash);
    } else {
      fmt::print("\nseed {}\n", finding->seed);
    }
    fmt::print("\nreplay it with:\n{}\n", finding->replay);
  }

  void print_json(const RunnerReport& report, const std::optional<Finding>& finding) const {
    const RunnerFigures& figures = report.figures;
    Json document;
    document["command"] = "run";
    document["engine"] = plan_.kind->name();
    document["defects"] = plan_.defects;
    document["model"] = plan_.model.name;
    document["atom"] = atom_text(plan_.model);
    document["workloads"] = Json::array();
    for (const auto* workload : plan_.workloads) document["workloads"].push_back(workload->name());
    document["first_seed"] = runner_.first_seed;
    document["seeds"] = runner_.seeds;
    document["jobs"] = runner_.jobs;
    document["interrupted"] = report.interrupted;
    document["cases"] = figures.cases;
    document["crash_states"] = figures.count.states;
    document["recoveries"] = figures.count.recoveries;
    document["distinct_outcomes"] = figures.distinct_outcomes;
    document["distinct_outcomes_is_a_lower_bound"] = figures.outcomes_at_least;
    document["recoveries_per_second_per_core"] = static_cast<std::uint64_t>(rate(figures));
    document["violation"] = nullptr;
    if (finding) {
      document["violation"] = {{"oracle", to_string(finding->violation.oracle)},
                               {"summary", finding->violation.summary},
                               {"differences", finding->violation.differences},
                               {"seed", finding->seed},
                               {"steps", finding->steps},
                               {"crash", finding->crash},
                               {"case_file", finding->case_file},
                               {"trace_hash", finding->trace_hash},
                               {"replay", finding->replay}};
    }
    fmt::print("{}\n", document.dump(2));
  }

  const Invocation& invocation_;
  const po::variables_map& values_;
  bool json_ = false;
  CampaignPlan plan_;
  RunnerPlan runner_;
  std::string output_;
};

}  // namespace

int run_command(const Invocation& invocation) {
  po::options_description options("how much, and where to");
  options.add_options()("seeds", po::value<std::uint64_t>()->default_value(1000), "how many seeds, each a case of its own");
  options.add_options()("seed", po::value<std::uint64_t>()->default_value(1), "the first seed");
  options.add_options()("jobs", po::value<std::uint32_t>()->default_value(std::max(1U, std::thread::hardware_concurrency())),
                        "processes that share the work; what is found does not depend on it");
  options.add_options()("output", po::value<std::string>()->default_value("."), "directory for the case file of a failure");
  options.add(campaign_options());
  const Parsed parsed =
      parse(invocation, "run [OPTIONS]", "powercut run --defect ack-before-sync --workload bank --seeds 10000", options);
  if (parsed.exit_status) return *parsed.exit_status;
  return RunCommand(invocation, parsed.values).run();
}

}  // namespace powercut::tools
