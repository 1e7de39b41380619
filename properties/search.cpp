#include "properties/search.h"

#include "faultfs/random.h"

namespace powercut::properties {
namespace {

constexpr std::uint64_t kSchedule = 7;  // the seed's stream of who goes on

std::vector<std::uint32_t> without_trailing_zeros(std::span<const std::uint32_t> picks) {
  std::vector<std::uint32_t> kept(picks.begin(), picks.end());
  while (!kept.empty() && kept.back() == 0) kept.pop_back();
  return kept;
}

}  // namespace

std::optional<Failure> Searcher::search(const Steps& steps, const SearchPlan& plan, const OutcomeSink& outcome) {
  std::optional<Failure> failure;
  faultfs::RandomChoices random_choices(0);
  Random random(combine(plan.seed, 1));
  const std::uint64_t recoveries_before = checker_.recoveries();
  const auto fails = [&](const CrashMoment& moment, faultfs::Choices& choices) {
    ++count_.states;
    auto violation = checker_.check(moment, choices);
    if (!violation) {
      if (outcome) outcome(checker_.outcome());
      return false;
    }
    if (plan.only && violation->oracle != *plan.only) return false;
    failure = Failure{{}, moment.point, {}, std::move(*violation)};
    return true;
  };
  const auto at_moment = [&](const CrashMoment& moment) {
    if (plan.points_of_16 < 16 && random.below(16) >= plan.points_of_16) return true;
    for (const auto& picks : plan.picks_to_try) {
      faultfs::RecordedChoices recorded(picks);
      if (fails(moment, recorded)) {
        failure->picks = without_trailing_zeros(recorded.picks());
        return false;
      }
    }
    for (std::uint32_t boot = 0; boot < plan.boots_per_point; ++boot) {
      random_choices.reset(combine(combine(plan.seed, moment.point), boot));
      if (fails(moment, random_choices)) {
        failure->picks = without_trailing_zeros(random_choices.picks());
        return false;
      }
    }
    return checker_.recoveries() - recoveries_before < plan.most_recoveries;
  };
  faultfs::RandomChoices drawn(combine(plan.seed, kSchedule));
  faultfs::RecordedChoices given(plan.schedule.value_or(std::vector<std::uint32_t>()));
  faultfs::Choices& schedule = plan.schedule ? static_cast<faultfs::Choices&>(given) : drawn;
  auto powered_on = timeline_.run(engine_, setting_, steps, schedule, at_moment);
  count_.recoveries += checker_.recoveries() - recoveries_before;
  count_.breaches = checker_.breaches();
  if (!failure && powered_on && (!plan.only || powered_on->oracle == *plan.only))
    failure = Failure{{}, kNoCrash, {}, std::move(*powered_on)};
  if (failure) failure->schedule = without_trailing_zeros(plan.schedule ? given.picks() : drawn.picks());
  return failure;
}

std::optional<Violation> Searcher::execute(const Steps& steps, const Failure& how, CheckObserver* observer,
                                           const Timeline::Watch& watch, const std::function<void(const CrashMoment&)>& at_crash) {
  std::optional<Violation> violation;
  const std::uint64_t recoveries_before = checker_.recoveries();
  const auto at_moment = [&](const CrashMoment& moment) {
    if (moment.point != how.crash_point) return true;
    if (at_crash) at_crash(moment);
    ++count_.states;
    faultfs::RecordedChoices choices(how.picks);
    violation = checker_.check(moment, choices, observer);
    if (observer != nullptr) observer->on_checked(checker_.last_disk());
    return false;
  };
  faultfs::RecordedChoices schedule(how.schedule);
  auto powered_on = timeline_.run(engine_, setting_, steps, schedule, at_moment, watch);
  count_.recoveries += checker_.recoveries() - recoveries_before;
  count_.breaches = checker_.breaches();
  return violation ? std::move(violation) : std::move(powered_on);
}

}  // namespace powercut::properties
