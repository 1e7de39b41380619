// powercut explore: every crash state of a case, crash point by crash point, and a statement of what was covered.
#include "campaign_options.h"
#include "command.h"
#include "exploration_options.h"
#include "explore_defaults.h"
#include "finding.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "properties/exploration_text.h"
#include "properties/numbers.h"
#include "terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using properties::Campaign;
using properties::Case;
using properties::CaseReport;
using properties::counted;
using properties::Coverage;
using properties::ExplorationPlan;
using properties::ExplorationProgress;
using properties::ExplorationReport;
using properties::power_of_two;
using properties::ScheduleCoverage;
using Ended = ExplorationReport::Ended;

Json json_of(const ScheduleCoverage& schedules) {
  return {{"visited", schedules.schedules},
          {"sampled", schedules.sampled},
          {"exhaustive", schedules.exhaustive},
          {"all_with_preemptions_up_to", schedules.preemptions < 0 ? Json(nullptr) : Json(schedules.preemptions)}};
}

bool begun(const CaseReport& report) { return report.points_done > 0 || report.rounds > 0; }

Json json_of(const Coverage& coverage) {
  Json json;
  json["coverage"] = coverage.exhaustive                               ? "exhaustive"
                     : coverage.losses >= 0 || coverage.survivors >= 0 ? "complete up to d"
                                                                       : "sampled";
  json["d_losses"] = coverage.exhaustive ? Json(nullptr) : Json(coverage.losses);
  json["d_survivors"] = coverage.exhaustive ? Json(nullptr) : Json(coverage.survivors);
  return json;
}

class ExploreCommand {
 public:
  // `given` is what to explore, and `again` the command that does so; without it the options say.
  ExploreCommand(const Invocation& invocation, const po::variables_map& values, std::optional<Case> given = std::nullopt,
                 std::string again = {})
      : invocation_(invocation), values_(values), given_(std::move(given)), again_(std::move(again)) {}

  int run() {
    const auto json = wants_json(values_);
    if (json.has_error()) return fail(json.error());
    json_ = json.value();
    const auto ready = prepare();
    if (ready.has_error()) return fail(ready.error());
    output_ = values_["output"].as<std::string>();
    const auto writable = check_output(output_);
    if (writable.has_error()) return fail(kToolFailed, writable.error().context());
    if (!json_) print_heading();

    auto report = [&] {
      ProgressLine progress;
      return explore_cases(cases_, plan_, invocation_.interrupted,
                           [&](const ExplorationProgress& now) { progress.show(progress_text(now)); });
    }();
    if (report.has_error()) return fail(report.error());
    std::optional<Finding> finding;
    if (report.value().ended == Ended::kViolation) {
      auto found = find(report.value());
      if (found.has_error()) return fail(found.error());
      finding = std::move(found).value();
    }
    if (json_) {
      print_json(report.value(), finding);
    } else {
      print_text(report.value(), finding);
    }
    std::fflush(stdout);
    return finding ? kViolationFound : kNothingFound;
  }

 private:
  // The cases and the plan, from the options.
  Result<void> prepare() {
    const auto number = [&](const char* name, std::uint64_t most) -> Result<std::uint64_t> {
      const auto value = values_[name].as<std::uint64_t>();
      if (value >= 1 && value <= most) return value;
      return Error(ErrorCode::kInvalidArgument, fmt::format("--{} {}: must be from 1 to {}", name, value, most));
    };
    plan_.jobs = values_["jobs"].as<std::uint32_t>();
    if (plan_.jobs == 0 || plan_.jobs > properties::kMostJobs) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("--jobs {}: must be from 1 to {}", plan_.jobs, properties::kMostJobs));
    }
    POWERCUT_TRY(plan_.limits.most_at_point, number("point", 1'000'000'000));
    if (values_.count("further") > 0) {
      POWERCUT_TRY(plan_.limits.most_further, number("further", 1'000'000'000));
    } else if (values_["point"].defaulted()) {
      plan_.limits.most_further = kExploreFurther;
    }
    plan_.limits.most_preemptions = values_["preemptions"].as<std::uint32_t>();
    POWERCUT_TRY(plan_.limits.most_schedules, number("schedules", 1'000'000'000));
    plan_.limits.sampled_schedules = kExploreSampledSchedules;
    if (values_.count("max-recoveries") > 0) {
      POWERCUT_TRY(plan_.most_recoveries, number("max-recoveries", std::numeric_limits<std::uint64_t>::max()));
    }
    if (values_.count("time") > 0) {
      const auto seconds = values_["time"].as<double>();
      if (!(seconds > 0)) return Error(ErrorCode::kInvalidArgument, fmt::format("--time {}: must be more than 0 seconds", seconds));
      plan_.most_time = std::chrono::duration<double>(seconds);
    }
    if (given_) {
      cases_ = {*given_};
      return success();
    }
    if (values_.count("case") > 0) {
      POWERCUT_TRY(given_, properties::read_case_file(values_["case"].as<std::string>(), invocation_.engines));
      given_->failure = {};
      cases_ = {*given_};
      return success();
    }
    POWERCUT_TRY(properties::CampaignPlan plan, campaign_plan(invocation_, values_));
    isolation_ = plan.steps.isolation;
    if (values_["steps"].defaulted()) plan.side_by_side_steps = kExploreStepsSideBySide;
    set_for_exploration(plan);
    plan.steps.least = plan.steps.most;
    plan.long_of_16 = kExploreLongOf16;
    POWERCUT_TRY(const Campaign campaign, Campaign::make(std::move(plan)));
    const auto first_seed = values_["seed"].as<std::uint64_t>();
    POWERCUT_TRY(const std::uint64_t seeds, number("seeds", 1'000'000));
    for (std::uint64_t at = 0; at < seeds; ++at) cases_.push_back(campaign.case_of(first_seed + at));
    return success();
  }

  // The time left is that of the round: how much more the next one takes is not known.
  std::string progress_text(const ExplorationProgress& now) {
    if (now.nested != round_) {
      round_ = now.nested;
      round_began_ = now.seconds;
    }
    std::string text;
    if (cases_.size() > 1) text = fmt::format("case {} of {} · ", now.case_number + 1, cases_.size());
    text += now.points == 0 ? fmt::format("{} crash points", now.points_done)
                            : fmt::format("{} of {} crash points", now.points_done, now.points);
    text += fmt::format(" · {} · {} recoveries · {} states", counted(now.nested, "further crash"), grouped(now.recoveries),
                        power_of_two(std::max(0.0, now.total_bits)));
    const double of_case = now.points == 0 ? 0 : static_cast<double>(now.points_done) / now.points;
    const double done = (static_cast<double>(now.case_number) + of_case) / static_cast<double>(cases_.size());
    double left = done > 0 ? (now.seconds - round_began_) * (1 / done - 1) : 0;
    if (values_.count("time") > 0) {
      const double until = plan_.most_time.count() - now.seconds;
      left = done > 0 ? std::min(left, until) : until;
    } else if (done <= 0) {
      return text;
    }
    const auto seconds = static_cast<std::uint64_t>(std::max(0.0, left));
    return text + fmt::format(" · {}:{:02} left", seconds / 60, seconds % 60);
  }

  void print_heading() const {
    const Case& first = cases_.front();
    std::string defects;
    for (const auto& defect : first.setting.defects) defects.append(defects.empty() ? ", with the defect " : ", ").append(defect);
    fmt::print("{}{} · model {}, atom {} · {}, {} · {}\n\n", first.setting.kind->name(), defects, first.setting.model.name,
               atom_text(first.setting.model), counted(cases_.size(), "case"),
               nested_of(first.setting) == 0 ? "one crash each" : fmt::format("a crash and up to {} more", first.setting.nested),
               counted(plan_.jobs, "job"));
    std::fflush(stdout);
  }

  std::string explore_command_of(const Case& explored) const {
    if (!again_.empty()) return again_;
    std::string command = shell_word(invocation_.program) + " explore";
    if (given_) return command + " " + shell_word(values_["case"].as<std::string>());
    const bool alone = explored.setting.workload->sessions() == 1;
    command += fmt::format(" --seed {} --seeds 1 --steps {}", explored.seed,
                           alone ? values_["steps"].as<std::uint32_t>() : explored.steps.size() - 1);
    if (alone) return command + setting_words(explored.setting);
    command += fmt::format(" --preemptions {} --schedules {}", plan_.limits.most_preemptions, plan_.limits.most_schedules);
    if (isolation_) command.append(" --isolation ").append(properties::to_string(*isolation_));
    return command + setting_words(explored.setting);
  }

  Result<Finding> find(const ExplorationReport& report) {
    const Case& explored = report.cases[report.failing_case].explored;
    std::string again = explore_command_of(explored);
    if (!report.worker_death.empty()) {
      return Finding{properties::death(explored.seed, ": " + report.worker_death), std::move(again)};
    }
    return investigate(invocation_, *explored.setting.kind, explored.seed, std::move(again), output_, [&] {
      return properties::simplest_case(explored, plan_.limits, report.failing_point, report.failing_nested);
    });
  }

  static double rate(const ExplorationReport& report) {
    const auto& figures = report.figures;
    return figures.processor_seconds > 0 ? static_cast<double>(figures.count.recoveries) / figures.processor_seconds : 0;
  }

  void print_text(const ExplorationReport& report, const std::optional<Finding>& finding) const {
    fmt::print("{:>6}  {:<11} {:>5}  {:>13}  {:>12}  {:>12}  {:>11}  {:>8}  {}\n", "seed", "workload", "steps", "crash points",
               "most states", "states", "recoveries", "outcomes", "coverage");
    std::size_t waiting = 0;
    for (const CaseReport& one : report.cases) {
      if (!begun(one)) {
        ++waiting;
        continue;
      }
      fmt::print(
          "{:>6}  {:<11} {:>5}  {:>13}  {:>12}  {:>12}  {:>11}  {:>8}  {}\n", one.explored.seed,
          one.explored.setting.workload->name(), one.explored.steps.size() - 1,
          complete(one) ? grouped(one.points) : grouped(one.points_done) + " of " + (one.points > 0 ? grouped(one.points) : "?"),
          power_of_two(one.largest_bits), power_of_two(one.total_bits), grouped(one.figures.count.recoveries),
          grouped(one.figures.distinct_outcomes), text_of(one));
    }
    if (waiting > 0) fmt::print("        and {} that were not begun\n", counted(waiting, "case"));
    const CaseReport all = sum(report);
    fmt::print("\n{} · {} · {} recoveries · {} distinct outcomes · {} recoveries/s per core\n",
               counted(report.cases.size(), "case"), counted(all.points_done, "crash point"),
               grouped(report.figures.count.recoveries), grouped(all.figures.distinct_outcomes),
               grouped(static_cast<std::uint64_t>(rate(report))));
    const std::string breaches = properties::to_text(report.figures.count.breaches);
    if (!breaches.empty()) fmt::print("broken, and not promised: {}\n", breaches);
    if (finding) {
      print_finding(*finding);
      return;
    }
    fmt::print("{}\n", conclusion(report));
  }

  void print_json(const ExplorationReport& report, const std::optional<Finding>& finding) const {
    const Setting& setting = report.cases.front().explored.setting;
    static constexpr std::string_view kEnded[] = {"done", "violation", "budget", "interrupted"};
    Json document;
    document["command"] = "explore";
    document["engine"] = setting.kind->name();
    document["defects"] = setting.defects;
    document["model"] = setting.model.name;
    document["atom"] = atom_text(setting.model);
    document["nested"] = setting.nested;
    document["jobs"] = plan_.jobs;
    document["ended"] = kEnded[static_cast<std::size_t>(report.ended)];
    document["cases"] = Json::array();
    for (const CaseReport& one : report.cases) {
      Json json;
      json["seed"] = one.explored.seed;
      json["workload"] = one.explored.setting.workload->name();
      json["options"] = Json::object();
      for (const auto& option : one.explored.setting.options) json["options"][option.name] = option.value;
      json["steps"] = one.explored.steps.size();
      json["crash_points"] = one.points;
      json["crash_points_done"] = one.points_done;
      json["crash_points_unchanged"] = one.points_same;
      json["log2_states_of_largest_crash_point"] = one.largest_bits;
      json["log2_states"] = one.total_bits;
      json["crash_states_booted"] = one.states;
      json["recoveries"] = one.figures.count.recoveries;
      json["distinct_outcomes"] = one.figures.distinct_outcomes;
      json["first_crash"] = json_of(one.coverage);
      json["further_crashes"] = json_of(one.nested_coverage);
      json["interleavings"] = side_by_side(one) ? json_of(one.schedules) : Json(nullptr);
      json["complete"] = complete(one);
      document["cases"].push_back(std::move(json));
    }
    document["recoveries"] = report.figures.count.recoveries;
    document["recoveries_per_second_per_core"] = static_cast<std::uint64_t>(rate(report));
    document["judged_by"] = to_string(setting.judged_by);
    document["broken_and_not_promised"] = breaches_json(report.figures.count.breaches);
    document["violation"] = nullptr;
    if (finding) document["violation"] = to_json(*finding);
    fmt::print("{}\n", document.dump(2));
  }

  using Setting = properties::Setting;

  const Invocation& invocation_;
  const po::variables_map& values_;
  bool json_ = false;
  ExplorationPlan plan_;
  std::optional<Case> given_;
  std::string again_;
  std::optional<engine::Isolation> isolation_;
  std::vector<Case> cases_;
  std::uint32_t round_ = 0;
  double round_began_ = 0;
  std::string output_;
};

}  // namespace

po::options_description exploration_options(std::uint64_t schedules) {
  po::options_description options("how much, and where to");
  options.add_options()("preemptions", po::value<std::uint32_t>()->value_name("N")->default_value(kExplorePreemptions),
                        "where there are several sessions: how often one may be interrupted that could go on; every "
                        "interleaving with so many is visited");
  options.add_options()("schedules", po::value<std::uint64_t>()->value_name("N")->default_value(schedules),
                        fmt::format("no more interleavings of a case than this one after another; if there are more, {} at random",
                                    kExploreSampledSchedules)
                            .c_str());
  options.add_options()("jobs", po::value<std::uint32_t>()->default_value(std::max(1U, std::thread::hardware_concurrency())),
                        "processes that share the crash points; what is found does not depend on it");
  options.add_options()("time", po::value<double>()->value_name("SECONDS"), "stop cleanly after so long");
  options.add_options()("max-recoveries", po::value<std::uint64_t>()->value_name("N"), "stop cleanly after so many");
  options.add_options()("point", po::value<std::uint64_t>()->value_name("N")->default_value(kExploreAtPoint),
                        "recoveries that a crash point may take; where it needs more, few losses and a sample are visited");
  options.add_options()("further", po::value<std::uint64_t>()->value_name("N"),
                        "of these, what all further crashes may take (default: 1000; all, where --point is given)");
  options.add_options()("output", po::value<std::string>()->default_value("."), "directory for the case file of a failure");
  return options;
}

int explore_given(const Invocation& invocation, const po::variables_map& values, Case given, std::string again) {
  return ExploreCommand(invocation, values, std::move(given), std::move(again)).run();
}

int explore_command(const Invocation& invocation) {
  po::options_description options("what");
  options.add_options()("seeds", po::value<std::uint64_t>()->default_value(kExploreSeeds),
                        "how many seeds, each a case of its own");
  options.add_options()("seed", po::value<std::uint64_t>()->default_value(1), "the first seed");
  options.add_options()(
      "steps", po::value<std::uint32_t>()->default_value(kExploreSteps),
      fmt::format("steps of a case after its set-up; where there are several sessions, {} unless given", kExploreStepsSideBySide)
          .c_str());
  options.add(exploration_options(kExploreSchedules));
  options.add(setting_options(invocation));
  po::options_description hidden;
  hidden.add_options()("case", po::value<std::string>());
  po::positional_options_description positional;
  positional.add("case", 1);
  const Parsed parsed = parse(invocation, "explore [OPTIONS] | explore CASE.json [OPTIONS]",
                              "powercut explore --workload bank --seeds 1 --steps 20 --nested 1", options, positional, hidden);
  if (parsed.exit_status) return *parsed.exit_status;
  return ExploreCommand(invocation, parsed.values).run();
}

}  // namespace powercut::tools
