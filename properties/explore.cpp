#include "properties/explore.h"

#include "faultfs/assert.h"
#include "faultfs/bounded_choices.h"
#include "faultfs/random.h"

#include <algorithm>
#include <tuple>

namespace powercut::properties {
namespace {

constexpr std::uint64_t kScheduleStream = 7;  // of the plan's seed

std::vector<std::uint32_t> without_trailing_zeros(std::span<const std::uint32_t> picks) {
  std::vector<std::uint32_t> kept(picks.begin(), picks.end());
  while (!kept.empty() && kept.back() == 0) kept.pop_back();
  return kept;
}

}  // namespace

void Coverage::add(const Coverage& other) {
  if (other.exhaustive) return;
  if (exhaustive) {
    *this = other;
    return;
  }
  losses = std::min(losses, other.losses);
  survivors = std::min(survivors, other.survivors);
}

// One crash point: its tree and the ones nested in it.
class Explorer::Point {
 public:
  Point(Explorer& owner, const CrashMoment& moment, PointReport& report) : owner_(owner), moment_(moment), report_(report) {}

  std::optional<Failure> explore() {
    owner_.counting_disk_.boot(moment_.disk, owner_.counting_choices_);
    report_.bits = owner_.counting_disk_.open_bits();
    before_ = owner_.checker_.recoveries();
    owner_.seen_.clear();
    auto found = crash(0, moment_.disk, Checker::promised_at(moment_), owner_.checker_.most_nested(), moment_.where);
    report_.recoveries = owner_.checker_.recoveries() - before_;
    if (!found) return std::nullopt;
    while (!found->picks.empty() && found->picks.back() == 0) found->picks.pop_back();
    return Failure{{}, moment_.point, std::move(found->picks), std::move(found->violation)};
  }

 private:
  struct Found {
    std::vector<std::uint32_t> picks;
    Violation violation;
  };

  // All that may survive a crash of this disk, and all that may follow.
  std::optional<Found> crash(std::size_t depth, const faultfs::SimDisk& crashed, const Promised& promised, std::uint32_t nested,
                             std::string_view why) {
    for (const Then then : {Then::kNothing, Then::kSameWork, Then::kOtherWork}) {
      if (then != Then::kNothing && nested == 0) break;
      if (then == Then::kOtherWork && promised.interrupted.kind != StepKind::kTransaction) break;
      if (auto found = tree({depth, crashed, promised, nested, then, why})) return found;
      if (owner_.stopped_) break;
    }
    return std::nullopt;
  }

  // What all recoveries of a tree have in common.
  struct Root {
    std::size_t depth;
    const faultfs::SimDisk& crashed;
    const Promised& promised;
    std::uint32_t nested;
    Then then;
    std::string_view why;
  };

  std::optional<Found> tree(const Root& root) {
    using Base = faultfs::ExhaustiveChoices::Base;
    const std::uint64_t used = owner_.checker_.recoveries() - before_;
    const std::uint64_t left = owner_.plan_.most_at_point - std::min(owner_.plan_.most_at_point, used);
    std::uint64_t most = owner_.plan_.most_at_point;
    if (root.depth == 0 && root.then != Then::kNothing) most = std::max(left / 2, kLeast);
    if (root.depth > 0) {
      const std::uint64_t further = used - std::min(used, report_.states);
      const std::uint64_t share = std::min(left, owner_.plan_.most_further - std::min(owner_.plan_.most_further, further));
      most = share == 0 ? 0 : std::max(share / kShare, kLeast);
    }
    Coverage covered;
    auto found = from(root, Base::kFirst, most, covered.exhaustive, covered.losses);
    if (!found && !covered.exhaustive) {
      bool all = false;
      found = from(root, Base::kLast, most / 4, all, covered.survivors);
      if (!found) found = sample(root, most / 4);
    }
    (root.depth == 0 && root.then == Then::kNothing ? report_.coverage : report_.nested_coverage).add(covered);
    return found;
  }

  std::optional<Found> from(const Root& root, faultfs::ExhaustiveChoices::Base base, std::uint64_t most, bool& exhaustive,
                            int& complete_to) {
    while (owner_.choices_.size() <= root.depth) {
      owner_.choices_.push_back(std::make_unique<faultfs::ExhaustiveChoices>());
    }
    faultfs::ExhaustiveChoices& choices = *owner_.choices_[root.depth];
    choices.start(base, static_cast<std::size_t>(most) + 1);
    exhaustive = false;
    complete_to = -1;
    if (most == 0) return std::nullopt;
    for (std::uint64_t made = 0; made < most; ++made) {
      if (owner_.stop_now()) return std::nullopt;
      if (!choices.next()) break;
      if (auto found = one(
              root, choices, [&] { return choices.fresh(); }, [&] { return choices.picks(); }))
        return found;
      if (choices.diverged()) {
        return Found{
            {choices.picks().begin(), choices.picks().end()},
            {Oracle::kAlive, "the engine is not deterministic: recovering the same crash state again, it read other things", {}}};
      }
    }
    exhaustive = choices.exhausted();
    complete_to = choices.complete_to();
    return std::nullopt;
  }

  std::optional<Found> sample(const Root& root, std::uint64_t count) {
    faultfs::RandomChoices choices(0);
    for (std::uint64_t at = 0; at < count; ++at) {
      if (owner_.stop_now()) return std::nullopt;
      choices.reset(combine(combine(owner_.plan_.seed, moment_.point), at));
      if (auto found = one(
              root, choices, [] { return true; }, [&] { return choices.picks(); }))
        return found;
    }
    return std::nullopt;
  }

  // One recovery, and where nothing like it was seen before, the crashes that may follow.
  template <class Fresh, class Picks>
  std::optional<Found> one(const Root& root, faultfs::Choices& choices, const Fresh& fresh, const Picks& picks) {
    if (root.depth == 0) ++report_.states;
    std::optional<Found> nested_found;
    Checker::NextCrashVisitor visit;
    if (root.nested > 0) {
      visit = [&](const NextCrash& next) -> std::optional<Violation> {
        if (!fresh() || owner_.stopped_) return std::nullopt;
        if (!owner_.seen_.insert(identity(root, next)).second) {
          ++report_.nested_seen;
          return std::nullopt;
        }
        ++report_.nested_trees;
        nested_found = crash(root.depth + 1, next.disk, next.promised, root.nested - 1, next.text());
        if (!nested_found) return std::nullopt;
        nested_found->picks = Checker::picks_through(picks(), next, nested_found->picks);
        return nested_found->violation;
      };
    }
    auto violation = owner_.checker_.recover(root.depth, root.crashed, root.promised, choices, root.then, visit, root.why);
    if (nested_found) return nested_found;
    if (!violation) {
      if (*owner_.outcome_) (*owner_.outcome_)(owner_.checker_.outcome());
      return std::nullopt;
    }
    if (owner_.plan_.only && violation->oracle != *owner_.plan_.only) return std::nullopt;
    return Found{Checker::picks_to(root.nested, root.then, picks()), std::move(*violation)};
  }

  // Equal only for further crashes that have the same consequences.
  static std::uint64_t identity(const Root& root, const NextCrash& next) {
    const Model& model = next.promised.model;
    std::uint64_t hash = next.disk.image_hash();
    for (const std::uint64_t value : {std::uint64_t{root.depth}, std::uint64_t{root.nested}, static_cast<std::uint64_t>(next.then),
                                      std::uint64_t{next.promised.expected ? *next.promised.expected + 1 : 0}, model.hash(),
                                      std::uint64_t{model.history().size()}}) {
      hash = combine(hash, value);
    }
    return hash;
  }

  // The part of what is left that a nested tree may take, and what it may always take.
  static constexpr std::uint64_t kShare = 16;
  static constexpr std::uint64_t kLeast = 16;

  Explorer& owner_;
  std::uint64_t before_ = 0;  // recoveries
  const CrashMoment& moment_;
  PointReport& report_;
};

std::optional<Failure> Explorer::explore(const Steps& steps, const ExplorePlan& plan, const Claim& claim,
                                         const PointSink& point_done, const Stop& stop, const OutcomeSink& outcome) {
  plan_ = plan;
  stop_ = &stop;
  outcome_ = &outcome;
  stopped_ = false;
  points_ = 0;
  schedules_ = {};
  moments_.clear();
  if (plan.schedule || setting_.workload->sessions() == 1) {
    faultfs::RecordedChoices given(plan.schedule.value_or(std::vector<std::uint32_t>()));
    auto failure = one_schedule(steps, given, claim, point_done);
    if (failure) failure->schedule = plan.schedule.value_or(std::vector<std::uint32_t>());
    return failure;
  }
  if (auto failure = systematically(steps, claim, point_done)) return failure;
  return at_random(steps, claim, point_done);
}

// Every interleaving with no preemption, then every one with one, and so on. Those with fewer come again in each round, and are
// not counted again.
std::optional<Failure> Explorer::systematically(const Steps& steps, const Claim& claim, const PointSink& point_done) {
  faultfs::BoundedChoices schedules;
  for (std::uint32_t preemptions = 0;; ++preemptions) {
    schedules.start(preemptions);
    while (schedules.next()) {
      if (schedules_.schedules == plan_.most_schedules || points_ >= plan_.most_points) return std::nullopt;
      auto failure = one_schedule(steps, schedules, claim, point_done);
      if (schedules.preemptions() == preemptions) ++schedules_.schedules;
      if (failure) {
        failure->schedule = without_trailing_zeros(schedules.picks());
        return failure;
      }
      if (stopped_) return std::nullopt;
      POWERCUT_ASSERT(!schedules.diverged(), "the same picks give the same interleaving");
    }
    schedules_.preemptions = static_cast<int>(preemptions);
    schedules_.exhaustive = !schedules.bounded();
    if (schedules_.exhaustive || preemptions == plan_.most_preemptions) return std::nullopt;
  }
}

std::optional<Failure> Explorer::at_random(const Steps& steps, const Claim& claim, const PointSink& point_done) {
  if (schedules_.exhaustive || stopped_) return std::nullopt;
  for (; schedules_.sampled < plan_.sampled_schedules && points_ < plan_.most_points; ++schedules_.sampled) {
    faultfs::RandomChoices drawn(combine(combine(plan_.seed, kScheduleStream), schedules_.sampled));
    auto failure = one_schedule(steps, drawn, claim, point_done);
    if (failure) {
      failure->schedule = without_trailing_zeros(drawn.picks());
      return failure;
    }
    if (stopped_) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Failure> Explorer::one_schedule(const Steps& steps, faultfs::Choices& schedule, const Claim& claim,
                                              const PointSink& point_done) {
  std::optional<Failure> failure;
  const bool side_by_side = setting_.workload->sessions() > 1;
  // What a crash may leave, and what is owed, are the same as long as neither of these changes.
  std::tuple<std::uint32_t, std::size_t, std::uint64_t> before{};
  const auto at_moment = [&](const CrashMoment& moment) {
    PointReport report;
    if (side_by_side) {
      if (!moments_.insert(combine(combine(moment.disk.image_hash(), moment.model.hash()), moment.history->hash())).second)
        return true;
    } else {
      const std::tuple now{moment.disk.operations(), moment.step, moment.model.hash()};
      report.same_as_before = moment.point > 0 && now == before;
      before = now;
    }
    report.point = points_++;
    if (claim && !claim(report.point)) return true;
    if (!report.same_as_before) failure = Point(*this, moment, report).explore();
    if (stopped_) return false;
    if (point_done && !point_done(report)) {
      stopped_ = true;
      return false;
    }
    return !failure;
  };
  auto powered_on = timeline_.run(engine_, setting_, steps, schedule, at_moment);
  if (!failure && !stopped_ && powered_on && (!plan_.only || powered_on->oracle == *plan_.only))
    failure = Failure{{}, kNoCrash, {}, std::move(*powered_on)};
  return failure;
}

bool Explorer::stop_now() {
  if (!stopped_ && *stop_) stopped_ = (*stop_)(checker_.recoveries());
  return stopped_;
}

}  // namespace powercut::properties
