// powercut survey: engines in their modes on disks of several kinds, and which promise holds.
#include "command.h"
#include "finding.h"
#include "properties/case_file.h"
#include "properties/survey.h"
#include "survey_report.h"
#include "terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using properties::KeepCases;
using properties::SurveyCell;
using properties::SurveyPlan;
using Texts = std::vector<std::string>;

struct Wanted {
  const engine::EngineKind* kind;
  engine::Mode mode;
  faultfs::PersistenceModel model;
};

class SurveyCommand {
 public:
  SurveyCommand(const Invocation& invocation, const po::variables_map& values) : invocation_(invocation), values_(values) {}

  int run() {
    const auto json = wants_json(values_);
    if (json.has_error()) return fail(json.error());
    json_ = json.value();
    const auto ready = prepare();
    if (ready.has_error()) return fail(ready.error());
    const auto writable = check_output(output_);
    if (writable.has_error()) return fail(kToolFailed, writable.error().context());
    // Said before the work, not after.
    for (const char* const option : {"html", "json"}) {
      if (values_.count(option) == 0) continue;
      const auto path = values_[option].as<std::string>();
      if (!std::ofstream(path, std::ios::app)) return fail(kToolFailed, fmt::format("--{} {}: cannot be written", option, path));
    }
    if (!json_) fmt::print("{}\n", survey_heading());
    std::fflush(stdout);
    for (std::size_t at = 0; at < wanted_.size() && !invocation_.interrupted; ++at) {
      const auto done = one(at);
      if (done.has_error()) return fail(done.error());
    }
    return report();
  }

 private:
  // Names that are there, each given once or more, or all of them.
  template <class All, class NameOf>
  static Result<std::vector<std::size_t>> chosen(const po::variables_map& values, const char* option, const All& all,
                                                 const NameOf& name_of) {
    std::vector<std::size_t> found;
    if (values.count(option) == 0) {
      for (std::size_t at = 0; at < all.size(); ++at) found.push_back(at);
      return found;
    }
    for (const std::string& name : values[option].template as<Texts>()) {
      const auto place = std::find_if(all.begin(), all.end(), [&](const auto& each) { return name_of(each) == name; });
      if (place == all.end()) {
        std::string message = fmt::format("--{} {}: there are:", option, name);
        for (const auto& each : all) message.append(" ").append(name_of(each));
        return Error(ErrorCode::kInvalidArgument, std::move(message));
      }
      found.push_back(static_cast<std::size_t>(place - all.begin()));
    }
    return found;
  }

  Result<void> prepare() {
    const auto number = [&](const char* name, std::uint64_t least, std::uint64_t most) -> Result<std::uint64_t> {
      const auto value = values_[name].as<std::uint64_t>();
      if (value >= least && value <= most) return value;
      return Error(ErrorCode::kInvalidArgument, fmt::format("--{} {}: must be from {} to {}", name, value, least, most));
    };
    POWERCUT_TRY(plan_.first_seed, number("seed", 0, std::uint64_t{1} << 62U));
    POWERCUT_TRY(plan_.seeds, number("seeds", 1, 1'000'000'000));
    POWERCUT_TRY(plan_.explored, number("explored", 0, 1000));
    POWERCUT_TRY(const std::uint64_t steps, number("steps", 1, 1000));
    plan_.explored_steps = static_cast<std::uint32_t>(steps);
    POWERCUT_TRY(plan_.recoveries, number("recoveries", 1, 1'000'000'000));
    POWERCUT_TRY(const std::uint64_t jobs, number("jobs", 1, properties::kMostJobs));
    plan_.jobs = static_cast<std::uint32_t>(jobs);
    POWERCUT_TRY(const std::uint64_t nested, number("nested", 0, 2));
    plan_.nested = static_cast<std::uint32_t>(nested);
    const auto keep = values_["cases"].as<std::string>();
    if (keep != "none" && keep != "broken" && keep != "lost") {
      return Error(ErrorCode::kInvalidArgument, "--cases " + keep + ": there are: none broken lost");
    }
    plan_.keep = keep == "none" ? KeepCases::kNone : keep == "lost" ? KeepCases::kLost : KeepCases::kBroken;
    output_ = values_["output"].as<std::string>();

    const auto& kinds = invocation_.engines;
    POWERCUT_TRY(const auto engines, chosen(values_, "engine", kinds, [](const auto& kind) { return std::string(kind->name()); }));
    POWERCUT_TRY(const auto modes, chosen_modes(engines));
    for (const auto& [kind, mode] : modes) {
      for (const std::string& name : values_["model"].as<Texts>()) {
        POWERCUT_TRY(faultfs::PersistenceModel model, faultfs::preset(name));
        if (values_.count("atom") > 0) POWERCUT_TRYV(set_atom(model, values_["atom"].as<std::string>()));
        wanted_.push_back({kind, mode, std::move(model)});
      }
    }
    return success();
  }

  Result<std::vector<std::pair<const engine::EngineKind*, engine::Mode>>> chosen_modes(
      const std::vector<std::size_t>& engines) const {
    std::vector<std::pair<const engine::EngineKind*, engine::Mode>> all;
    for (const std::size_t engine : engines) {
      for (const engine::Mode& mode : invocation_.engines[engine]->modes())
        all.emplace_back(invocation_.engines[engine].get(), mode);
    }
    POWERCUT_TRY(const auto picked, chosen(values_, "mode", all, [](const auto& each) { return std::string(each.second.name); }));
    if (values_.count("mode") == 0) return all;
    // A name may be that of a mode of several engines.
    std::vector<std::pair<const engine::EngineKind*, engine::Mode>> some;
    for (const auto& each : all) {
      const bool named =
          std::any_of(picked.begin(), picked.end(), [&](std::size_t at) { return all[at].second.name == each.second.name; });
      if (named) some.push_back(each);
    }
    return some;
  }

  Result<void> one(std::size_t at) {
    const Wanted& wanted = wanted_[at];
    ProgressLine progress;
    const std::string where =
        fmt::format("cell {} of {} · {} {} · {}", at + 1, wanted_.size(), wanted.kind->name(), wanted.mode.name, wanted.model.name);
    POWERCUT_TRY(SurveyCell cell,
                 survey_cell(*wanted.kind, wanted.mode, wanted.model, plan_, invocation_.interrupted,
                             [&](std::string_view doing) { progress.show(fmt::format("{} · {}", where, doing)); }));
    progress.clear();
    if (cell.interrupted) return success();
    SurveyedCell surveyed{std::move(cell), command(wanted), {}, {}};
    if (!surveyed.cell.example.empty()) POWERCUT_TRYV(store(surveyed));
    if (!json_) fmt::print("{}\n", survey_line(surveyed));
    std::fflush(stdout);
    cells_.push_back(std::move(surveyed));
    return success();
  }

  Result<void> store(SurveyedCell& surveyed) const {
    const SurveyCell& cell = surveyed.cell;
    POWERCUT_TRY(const auto example, properties::case_from_json(cell.example, invocation_.engines));
    surveyed.case_file = fmt::format("{}powercut-{}-{}-{}.json", output_ == "." ? std::string() : output_ + "/", cell.kind->name(),
                                     cell.mode.name, cell.model.name);
    surveyed.summary = fmt::format("{}: {}", to_string(example.failure.violation.oracle), example.failure.violation.summary);
    return properties::write_case_file(surveyed.case_file, example);
  }

  std::string command(const Wanted& wanted) const {
    std::string text = fmt::format("{} survey --engine {} --mode {} --model {}", shell_word(invocation_.program),
                                   wanted.kind->name(), wanted.mode.name, wanted.model.name);
    for (const char* const option : {"seed", "seeds", "explored", "steps", "recoveries", "nested"}) {
      if (!values_[option].defaulted()) text += fmt::format(" --{} {}", option, values_[option].as<std::uint64_t>());
    }
    if (values_.count("atom") > 0) text += " --atom " + shell_word(values_["atom"].as<std::string>());
    return text;
  }

  int report() {
    std::size_t disagreeing = 0;
    for (const SurveyedCell& each : cells_) disagreeing += each.cell.disagrees() ? 1 : 0;
    const auto json = survey_json(cells_, plan_);
    for (const auto& [option, text] : {std::pair("html", survey_html(cells_, plan_)), std::pair("json", json.dump(2) + "\n")}) {
      if (values_.count(option) == 0) continue;
      const auto path = values_[option].as<std::string>();
      std::ofstream file(path, std::ios::binary);
      file << text;
      file.flush();
      if (!file) return fail(kToolFailed, fmt::format("--{} {}: cannot be written", option, path));
    }
    if (json_) {
      fmt::print("{}\n", json.dump(2));
    } else {
      if (invocation_.interrupted) fmt::print("interrupted; ");
      fmt::print("\n{} of {} cells; in {} what is documented and what was seen differ\n", cells_.size(), wanted_.size(),
                 disagreeing);
      fmt::print("yes: promised and never broken · no: not promised, and broken · unseen: not promised, and never broken\n");
    }
    std::fflush(stdout);
    return disagreeing > 0 ? kViolationFound : kNothingFound;
  }

  const Invocation& invocation_;
  const po::variables_map& values_;
  bool json_ = false;
  SurveyPlan plan_;
  std::string output_;
  std::vector<Wanted> wanted_;
  std::vector<SurveyedCell> cells_;
};

}  // namespace

int survey_command(const Invocation& invocation) {
  const SurveyPlan plan;
  po::options_description options("what, how much, and where to");
  options.add_options()("engine", po::value<Texts>()->value_name("NAME"), "an engine, may be repeated (default: all)");
  options.add_options()("mode", po::value<Texts>()->value_name("NAME"), "a mode of an engine, may be repeated (default: all)");
  options.add_options()(
      "model",
      po::value<Texts>()->value_name("NAME")->default_value({"posix", "ext4-ordered", "btrfs"}, "posix ext4-ordered btrfs"),
      "what a crash may keep (see: powercut list models), may be repeated");
  options.add_options()("atom", po::value<std::string>(),
                        "what is written whole or not at all: 512, 4096 or write (default: the model's)");
  options.add_options()("seeds", po::value<std::uint64_t>()->default_value(plan.seeds), "random cases of a cell");
  options.add_options()("seed", po::value<std::uint64_t>()->default_value(plan.first_seed), "the first");
  options.add_options()("explored", po::value<std::uint64_t>()->default_value(plan.explored),
                        "cases of a cell of which every crash state is visited");
  options.add_options()("steps", po::value<std::uint64_t>()->default_value(plan.explored_steps), "of each of them");
  options.add_options()("recoveries", po::value<std::uint64_t>()->default_value(plan.recoveries), "that may take in a cell");
  options.add_options()("nested", po::value<std::uint64_t>()->default_value(plan.nested),
                        "further crashes after the first: 0, 1 or 2");
  options.add_options()("jobs", po::value<std::uint64_t>()->default_value(std::max(1U, std::thread::hardware_concurrency())),
                        "processes that share the work of a cell");
  options.add_options()("cases", po::value<std::string>()->default_value("broken"),
                        "which cells store a case: none; broken, where it was promised; lost, also where it was not");
  options.add_options()("output", po::value<std::string>()->default_value("."), "directory for case files");
  options.add_options()("html", po::value<std::string>()->value_name("FILE"), "also write a page");
  options.add_options()("json", po::value<std::string>()->value_name("FILE"), "also write JSON");
  const Parsed parsed =
      parse(invocation, "survey [OPTIONS]", "powercut survey --engine sqlite --model posix --html survey.html", options);
  if (parsed.exit_status) return *parsed.exit_status;
  return SurveyCommand(invocation, parsed.values).run();
}

}  // namespace powercut::tools
