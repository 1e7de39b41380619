// powercut run: many seeds, and the first that fails made simple and stored.
#include "campaign_options.h"
#include "command.h"
#include "finding.h"
#include "properties/campaign.h"
#include "terminal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thread>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using properties::Campaign;
using properties::CampaignPlan;
using properties::WorkFigures;
using properties::WorkPlan;
using properties::WorkReport;

double rate(const WorkFigures& figures) {
  return figures.processor_seconds > 0 ? static_cast<double>(figures.count.recoveries) / figures.processor_seconds : 0;
}

std::string progress_text(const WorkFigures& figures, const WorkPlan& plan) {
  const double done = static_cast<double>(figures.items) / static_cast<double>(std::max<std::uint64_t>(1, plan.items));
  const auto left = done > 0 ? static_cast<std::uint64_t>(figures.wall_seconds / done - figures.wall_seconds) : 0;
  return fmt::format("{} of {} cases · {} crash states · {} recoveries/s per core · {}:{:02} left", grouped(figures.items),
                     grouped(plan.items), grouped(figures.count.states), grouped(static_cast<std::uint64_t>(rate(figures))),
                     left / 60, left % 60);
}

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
    runner_.first_item = values_["seed"].as<std::uint64_t>();
    runner_.items = values_["seeds"].as<std::uint64_t>();
    runner_.jobs = values_["jobs"].as<std::uint32_t>();
    if (runner_.items == 0) return fail(kWrongUsage, "--seeds 0: nothing to do; give at least 1");
    if (runner_.jobs == 0 || runner_.jobs > properties::kMostJobs) {
      return fail(kWrongUsage, fmt::format("--jobs {}: must be from 1 to {}", runner_.jobs, properties::kMostJobs));
    }
    output_ = values_["output"].as<std::string>();
    const auto writable = check_output(output_);
    if (writable.has_error()) return fail(kToolFailed, writable.error().context());
    if (!json_) print_heading();

    auto report = [&] {
      ProgressLine progress;
      return run_campaign(campaign.value(), runner_, invocation_.interrupted, [&](const WorkFigures& figures) {
        progress.show(progress_text(figures, runner_));
        return true;
      });
    }();
    if (report.has_error()) return fail(report.error());
    std::optional<Finding> finding;
    if (report.value().failing_item && !report.value().interrupted) {
      auto found = find(campaign.value(), report.value());
      if (found.has_error()) return fail(found.error());
      finding = std::move(found).value();
    }
    if (json_) {
      print_json(report.value(), finding);
    } else {
      print_text(report.value(), finding);
    }
    std::fflush(stdout);
    return report.value().failing_item ? kViolationFound : kNothingFound;
  }

 private:
  void print_heading() const {
    std::string workloads;
    for (const auto* workload : plan_.workloads) workloads.append(workloads.empty() ? "" : ", ").append(workload->name());
    std::string defects;
    for (const auto& defect : plan_.defects) defects.append(defects.empty() ? ", with the defect " : ", ").append(defect);
    std::string faults;
    for (const auto fault : plan_.faults) faults.append(faults.empty() ? " · fault " : ", ").append(faultfs::info(fault).name);
    fmt::print("{}{} · {} · model {}, atom {}{} · seeds {} to {} · {} {}\n", plan_.kind->name(), defects, workloads,
               plan_.model.name, atom_text(plan_.model), faults, runner_.first_item, runner_.first_item + runner_.items - 1,
               runner_.jobs, runner_.jobs == 1 ? "job" : "jobs");
    std::fflush(stdout);
  }

  std::string seed_command(std::uint64_t seed) const {
    const std::string command = shell_word(invocation_.program) + " replay --seed " + std::to_string(seed);
    return command + setting_words(plan_) +
           fmt::format(" --steps {} --boots {} --points {}", plan_.steps.most, plan_.boots_per_point, plan_.points_of_16);
  }

  Result<Finding> find(Campaign& campaign, const WorkReport& report) {
    const std::uint64_t seed = *report.failing_item;
    if (!report.worker_death.empty()) return Finding{properties::death(seed, ": " + report.worker_death), seed_command(seed)};
    return investigate(invocation_, *plan_.kind, seed, seed_command(seed), output_, [&] { return campaign.simplest_case(seed); });
  }

  static std::string outcomes(const WorkFigures& figures) {
    return (figures.outcomes_at_least ? "at least " : "") + grouped(figures.distinct_outcomes);
  }

  void print_text(const WorkReport& report, const std::optional<Finding>& finding) const {
    const WorkFigures& figures = report.figures;
    if (report.interrupted) fmt::print("interrupted; the figures so far:\n");
    fmt::print("{} cases · {} crash states · {} recoveries · {} distinct outcomes · {} recoveries/s per core · {}\n",
               grouped(figures.items), grouped(figures.count.states), grouped(figures.count.recoveries), outcomes(figures),
               grouped(static_cast<std::uint64_t>(rate(figures))), report.failing_item ? "1 violation" : "no violation");
    const std::string breaches = properties::to_text(figures.count.breaches);
    if (!breaches.empty()) fmt::print("broken, and not promised: {}\n", breaches);
    if (!finding) return;
    print_finding(*finding);
  }

  void print_json(const WorkReport& report, const std::optional<Finding>& finding) const {
    const WorkFigures& figures = report.figures;
    Json document;
    document["command"] = "run";
    document["engine"] = plan_.kind->name();
    document["defects"] = plan_.defects;
    document["model"] = plan_.model.name;
    document["atom"] = atom_text(plan_.model);
    document["workloads"] = Json::array();
    for (const auto* workload : plan_.workloads) document["workloads"].push_back(workload->name());
    document["first_seed"] = runner_.first_item;
    document["seeds"] = runner_.items;
    document["jobs"] = runner_.jobs;
    document["interrupted"] = report.interrupted;
    document["cases"] = figures.items;
    document["crash_states"] = figures.count.states;
    document["recoveries"] = figures.count.recoveries;
    document["distinct_outcomes"] = figures.distinct_outcomes;
    document["distinct_outcomes_is_a_lower_bound"] = figures.outcomes_at_least;
    document["recoveries_per_second_per_core"] = static_cast<std::uint64_t>(rate(figures));
    document["judged_by"] = to_string(plan_.judged_by);
    document["broken_and_not_promised"] = breaches_json(figures.count.breaches);
    document["violation"] = nullptr;
    if (finding) document["violation"] = to_json(*finding);
    fmt::print("{}\n", document.dump(2));
  }

  const Invocation& invocation_;
  const po::variables_map& values_;
  bool json_ = false;
  CampaignPlan plan_;
  WorkPlan runner_;
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
  options.add(campaign_options(invocation));
  const Parsed parsed =
      parse(invocation, "run [OPTIONS]", "powercut run --defect ack-before-sync --workload bank --seeds 10000", options);
  if (parsed.exit_status) return *parsed.exit_status;
  return RunCommand(invocation, parsed.values).run();
}

}  // namespace powercut::tools
