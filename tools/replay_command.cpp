// powercut replay: one failure again, told from the first operation to what recovery left.
#include "campaign_options.h"
#include "command.h"
#include "properties/blame.h"
#include "properties/case_file.h"
#include "properties/replay.h"
#include "properties/workers.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using properties::Blame;
using properties::BlamedChange;
using properties::Case;
using properties::Replayed;

constexpr std::size_t kColumns = 118;
constexpr std::size_t kMostDifferences = 4;

// The sentence in lines that fit a screen.
std::string wrapped(std::string_view text, std::string_view indent) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = text.size();
    if (length > kColumns) {
      length = text.rfind(' ', kColumns);
      if (length == std::string_view::npos) length = std::min(text.find(' '), text.size());
    }
    out.append(indent).append(text.substr(0, length)).append("\n");
    text.remove_prefix(std::min(text.size(), length + 1));
  }
  return out;
}

// What a reader needs first, in less than a screen.
std::string why(const Replayed& replayed, const Blame& blame) {
  std::string out = "\nWHY\n" + wrapped(blame.sentence, "  ");
  if (replayed.violation) {
    out += fmt::format("  VIOLATION {}: {}\n", to_string(replayed.violation->oracle), replayed.violation->summary);
    std::size_t told = 0;
    for (const auto& line : replayed.violation->differences) {
      if (told++ == kMostDifferences) {
        out += fmt::format("    … and {} more\n", replayed.violation->differences.size() - kMostDifferences);
        break;
      }
      out += "    " + line + "\n";
    }
  }
  if (!blame.statements.empty()) out += "  the statements that make it up:\n";
  for (const auto& line : blame.statements) out += "    " + line + "\n";
  if (!blame.turns.empty()) out += "  whose turn it was:\n" + wrapped(blame.turns, "    ");
  if (!blame.context.empty())
    out += blame.lost.empty() && blame.kept.empty() ? "  what came last:\n" : "  the operations around it:\n";
  for (const auto& line : blame.context) out += "    " + line + "\n";
  return out;
}

Json json_of(const BlamedChange& change) {
  static constexpr std::string_view kKinds[] = {"bytes", "size", "name"};
  Json ranges = Json::array();
  for (const auto& [from, to] : change.ranges) ranges.push_back({from, to});
  return {{"kind", kKinds[static_cast<std::size_t>(change.kind)]},
          {"recovery", change.recovery},
          {"operation", change.operation},
          {"path", change.path},
          {"name", change.name},
          {"ranges", std::move(ranges)},
          {"garbage", change.garbage},
          {"what", change.what},
          {"source", change.source}};
}

Json json_of(const Blame& blame) {
  Json json;
  json["kind"] = to_string(blame.kind);
  json["sentence"] = blame.sentence;
  json["missing"] = blame.missing;
  json["lost"] = Json::array();
  for (const auto& change : blame.lost) json["lost"].push_back(json_of(change));
  json["kept"] = Json::array();
  for (const auto& change : blame.kept) json["kept"].push_back(json_of(change));
  json["context"] = blame.context;
  json["statements"] = blame.statements;
  json["turns"] = blame.turns;
  json["minimal"] = blame.minimal;
  json["recoveries"] = blame.recoveries;
  return json;
}

std::string text_of(const Case& failing, const Replayed& replayed, const std::optional<Blame>& blame) {
  std::string out;
  const auto section = [&](std::string_view title, const std::vector<std::string>& lines) {
    out += fmt::format("\n{}\n", title);
    for (const std::string& line : lines) out += "  " + line + "\n";
  };
  std::string options;
  for (const auto& option : failing.setting.options) options += " " + option.name + "=" + option.value;
  std::string defects;
  for (const auto& defect : failing.setting.defects) defects += (defects.empty() ? ", with the defect " : ", ") + defect;
  out += fmt::format("{}{}{} · {} · model {}, atom {} · seed {}\n", failing.setting.kind->name(), options, defects,
                     failing.setting.workload->name(), failing.setting.model.name, atom_text(failing.setting.model), failing.seed);
  if (failing.setting.fault) {
    const faultfs::Fault& fault = *failing.setting.fault;
    out += fmt::format("fault: {} ({}), at operation {} of those that it may hit in {}, counting from 0; {} {}\n",
                       faultfs::info(fault.kind).name, faultfs::info(fault.kind).summary, fault.at,
                       fault.in_recovery ? "the recovery" : "the work", fault.count,
                       fault.kind == faultfs::FaultKind::kFullDisk ? "steps long" : "in a row");
  }
  if (blame) out += why(replayed, *blame);
  section("HISTORY: the steps, and the numbered operations that each made on the files", replayed.narrative.history);
  if (failing.failure.crash_point != properties::kNoCrash) {
    section("PENDING when the power failed: what was written since the last sync", replayed.narrative.pending);
    section("RECOVERY: what survived, asked when it was read; what analysis, redo and undo did", replayed.narrative.recovery);
    section("LOG as recovery left it", replayed.narrative.log);
  }
  out += "\nRESULT\n";
  if (replayed.violation) {
    out += fmt::format("  VIOLATION {}: {}\n  promised: {}\n", to_string(replayed.violation->oracle), replayed.violation->summary,
                       describe(replayed.violation->oracle));
    for (const auto& line : replayed.violation->differences) out += "  " + line + "\n";
  } else {
    out += "  no violation: every promise was kept\n";
  }
  out += fmt::format("\ntrace hash {}", properties::hash_text(replayed.trace_hash));
  out += replayed.trace_hash == failing.trace_hash ? ", the same as recorded\n"
                                                   : fmt::format(", recorded was {}: the engine or powercut has changed since\n",
                                                                 properties::hash_text(failing.trace_hash));
  return out;
}

std::string json_of(const Case& failing, const Replayed& replayed, const std::optional<Blame>& blame) {
  Json document;
  document["command"] = "replay";
  document["case"] = Json::parse(to_json(failing));
  document["blame"] = nullptr;
  if (blame) document["blame"] = json_of(*blame);
  document["history"] = replayed.narrative.history;
  document["pending"] = replayed.narrative.pending;
  document["recovery"] = replayed.narrative.recovery;
  document["log"] = replayed.narrative.log;
  document["violation"] = nullptr;
  if (replayed.violation) {
    document["violation"] = {{"oracle", to_string(replayed.violation->oracle)},
                             {"summary", replayed.violation->summary},
                             {"differences", replayed.violation->differences}};
  }
  document["trace_hash"] = properties::hash_text(replayed.trace_hash);
  document["trace_hash_as_recorded"] = replayed.trace_hash == failing.trace_hash;
  return document.dump(2) + "\n";
}

// The case of a file, or of a seed and the options that `run` had; nothing if that seed does not fail.
Result<std::optional<Case>> find_case(const Invocation& invocation, const po::variables_map& values) {
  const bool has_file = values.count("case") > 0;
  if (has_file == (values.count("seed") > 0)) {
    return Error(ErrorCode::kInvalidArgument, "replay what? Give a case file, or --seed and the options that run had");
  }
  if (has_file) {
    POWERCUT_TRY(Case failing, properties::read_case_file(values["case"].as<std::string>(), invocation.engines));
    return std::optional<Case>(std::move(failing));
  }
  POWERCUT_TRY(properties::CampaignPlan plan, campaign_plan(invocation, values));
  POWERCUT_TRY(properties::Campaign campaign, properties::Campaign::make(std::move(plan)));
  return campaign.simplest_case(values["seed"].as<std::uint64_t>());
}

// Status digit, then the text for standard output (or standard error, if the status is an error).
std::string replay_to_text(const Invocation& invocation, const po::variables_map& values, bool json) {
  const auto failed = [](const Error& error) {
    const bool usage = error.code() == ErrorCode::kInvalidArgument;
    return std::to_string(usage ? kWrongUsage : kToolFailed) + (usage ? error.context() : error.message());
  };
  const auto found = find_case(invocation, values);
  if (found.has_error()) return failed(found.error());
  if (!found.value()) {
    return std::to_string(kNothingFound) +
           (json ? "{\"command\": \"replay\", \"violation\": null}\n" : "no violation with this seed\n");
  }
  const Case& failing = *found.value();
  const auto replayed = properties::replay(failing, true);
  if (replayed.has_error()) return failed(replayed.error());
  std::optional<Blame> blame;
  if (replayed.value().violation) {
    auto blamed = properties::blame(failing);
    if (blamed.has_error()) return failed(blamed.error());
    blame = std::move(blamed).value();
  }
  return std::to_string(replayed.value().violation ? kViolationFound : kNothingFound) +
         (json ? json_of(failing, replayed.value(), blame) : text_of(failing, replayed.value(), blame));
}

}  // namespace

int replay_command(const Invocation& invocation) {
  po::options_description options("which failure");
  options.add_options()("seed", po::value<std::uint64_t>(), "of a failing run; give the other options as run had them");
  options.add(campaign_options(invocation));
  po::options_description hidden;
  hidden.add_options()("case", po::value<std::string>());
  po::positional_options_description positional;
  positional.add("case", 1);
  const Parsed parsed = parse(invocation, "replay CASE.json | replay --seed N [OPTIONS]",
                              "powercut replay powercut-ledger-bank-seed-1.json", options, positional, hidden);
  if (parsed.exit_status) return *parsed.exit_status;
  const auto json = wants_json(parsed.values);
  if (json.has_error()) return fail(json.error());

  // In a process of its own, since the engine may crash.
  const auto told =
      properties::in_child([&] { return replay_to_text(invocation, parsed.values, json.value()); }, invocation.interrupted);
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
