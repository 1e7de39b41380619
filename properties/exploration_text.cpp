#include "properties/exploration_text.h"

#include "properties/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace powercut::properties {

std::uint32_t nested_of(const Setting& setting) { return setting.fault ? 0 : setting.nested; }

bool side_by_side(const CaseReport& report) { return report.explored.setting.workload->sessions() > 1; }

bool complete(const CaseReport& report) { return report.rounds > nested_of(report.explored.setting); }

std::string text_of(const Coverage& coverage) {
  if (coverage.exhaustive) return "exhaustive";
  std::string text;
  if (coverage.losses >= 0) text = "complete up to " + counted(static_cast<std::uint64_t>(coverage.losses), "loss");
  if (coverage.survivors >= 0) {
    text += (text.empty() ? "complete up to " : " and ") + counted(static_cast<std::uint64_t>(coverage.survivors), "survivor");
  }
  return text + (text.empty() ? "sampled" : ", then sampled");
}

std::string text_of(const ScheduleCoverage& schedules) {
  const std::string count = counted(schedules.schedules, "interleaving");
  if (schedules.schedules == 0) return "interleavings not finished";
  if (schedules.exhaustive) return count + ", all there are";
  std::string text = count;
  if (schedules.preemptions == 0) text += ", among them all without a preemption";
  if (schedules.preemptions > 0) {
    text += ", among them all with up to " + counted(static_cast<std::uint64_t>(schedules.preemptions), "preemption");
  }
  return schedules.sampled == 0 ? text : text + ", then " + grouped(schedules.sampled) + " at random";
}

std::string text_of(const CaseReport& report) {
  std::string text = text_of(report.coverage);
  if (report.nested_coverage != report.coverage) text += "; further crashes: " + text_of(report.nested_coverage);
  if (report.explored.setting.workload != nullptr && side_by_side(report)) text += "; " + text_of(report.schedules);
  if (!complete(report)) text = "not finished; so far " + text;
  return text;
}

namespace {

void add(ScheduleCoverage& all, const ScheduleCoverage& one) {
  all.schedules += one.schedules;
  all.sampled += one.sampled;
  all.preemptions = std::min(all.preemptions, one.preemptions);
  all.exhaustive = all.exhaustive && one.exhaustive;
}

}  // namespace

CaseReport sum(const ExplorationReport& report) {
  CaseReport all;
  all.explored.setting.nested = nested_of(report.cases.front().explored.setting);
  all.rounds = all.explored.setting.nested + 1;
  all.schedules = {0, std::numeric_limits<int>::max(), true, 0};
  double states = 0;
  for (const CaseReport& one : report.cases) {
    all.points += one.points;
    all.points_done += one.points_done;
    all.points_same += one.points_same;
    all.largest_bits = std::max(all.largest_bits, one.largest_bits);
    all.total_bits = std::max(all.total_bits, one.total_bits);
    all.figures.add(one.figures);
    all.states += one.states;
    all.coverage.add(one.coverage);
    all.nested_coverage.add(one.nested_coverage);
    if (side_by_side(one)) add(all.schedules, one.schedules);
    all.rounds = std::min(all.rounds, one.rounds);
  }
  for (const CaseReport& one : report.cases) states += std::exp2(one.total_bits - all.total_bits);
  if (states > 0) all.total_bits += std::log2(states);
  return all;
}

bool exhaustive(const ExplorationReport& report) {
  if (report.ended != ExplorationReport::Ended::kDone) return false;
  const CaseReport all = sum(report);
  return all.coverage.exhaustive && all.nested_coverage.exhaustive && all.schedules.exhaustive;
}

std::string conclusion(const ExplorationReport& report) {
  using Ended = ExplorationReport::Ended;
  const CaseReport all = sum(report);
  const bool several = std::any_of(report.cases.begin(), report.cases.end(), side_by_side);
  const std::string of_schedules = several ? " of " + text_of(all.schedules) : "";
  std::string text;
  if (report.ended == Ended::kInterrupted) text += "interrupted; ";
  if (report.ended == Ended::kBudget) text += "stopped at the budget; ";
  if (report.ended != Ended::kDone || !all.coverage.exhaustive) {
    return text + fmt::format("no violation in what was visited of {} crash states{}: {}", power_of_two(all.total_bits),
                              of_schedules, text_of(all));
  }
  const bool all_hold = to_text(report.figures.count.breaches).empty();
  text += fmt::format("every one of the {} crash states{} {}", power_of_two(all.total_bits), of_schedules,
                      all_hold ? "holds" : "keeps what is promised");
  if (all.explored.setting.nested > 0 && all.nested_coverage.exhaustive) {
    text +=
        fmt::format(", and whatever up to {} may leave", counted(report.cases.front().explored.setting.nested, "further crash"));
  } else if (all.explored.setting.nested > 0) {
    text += fmt::format("; further crashes: {}", text_of(all.nested_coverage));
  }
  return text + ": no violation";
}

}  // namespace powercut::properties
