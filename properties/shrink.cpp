#include "properties/shrink.h"

#include <algorithm>

namespace powercut::properties {
namespace {

class Shrinking {
 public:
  Shrinking(Searcher& searcher, const Failure& failure, const Finder& finder, std::uint64_t most_recoveries)
      : searcher_(searcher), failure_(failure), finder_(finder), left_(most_recoveries) {}

  void shrink_steps(rc::Shrinkable<Steps> current) {
    for (bool simpler = true; simpler;) {
      simpler = false;
      auto candidates = current.shrinks();
      for (auto next = candidates.next(); next && !exhausted(); next = candidates.next()) {
        if (!fails(next->value())) continue;
        current = *next;
        simpler = true;
        break;
      }
    }
    steps_ = current.value();
  }

  // Fewer turns taken from somebody. The crash may then be at another point.
  void shrink_schedule() {
    shrink_list(&Failure::schedule, [this](Failure candidate) { return fails(steps_, candidate); });
  }

  void shrink_picks() {
    if (failure_.crash_point == kNoCrash) return;
    shrink_list(&Failure::picks, [this](Failure candidate) { return accept_if_fails(std::move(candidate)); });
  }

  Shrunk result() { return {std::move(steps_), std::move(failure_)}; }

 private:
  bool exhausted() const { return left_ == 0; }

  // Sets picks to 0, in halves, quarters and so on down to one, as long as it still fails; then makes each smaller. `accept`
  // makes a candidate that fails the failure.
  template <class Accept>
  void shrink_list(std::vector<std::uint32_t> Failure::*list, const Accept& accept) {
    for (std::size_t chunk = std::max<std::size_t>(1, (failure_.*list).size()); chunk > 0; chunk /= 2) {
      for (std::size_t at = 0; at < (failure_.*list).size() && !exhausted(); at += chunk) {
        Failure candidate = failure_;
        auto& picks = candidate.*list;
        const auto from = picks.begin() + static_cast<std::ptrdiff_t>(at);
        const auto to = picks.begin() + static_cast<std::ptrdiff_t>(std::min(at + chunk, picks.size()));
        if (std::all_of(from, to, [](std::uint32_t pick) { return pick == 0; })) continue;
        std::fill(from, to, 0U);
        accept(std::move(candidate));
      }
    }
    for (std::size_t at = 0; at < (failure_.*list).size() && !exhausted(); ++at) {
      for (std::uint32_t smaller = 1; smaller < (failure_.*list)[at]; ++smaller) {
        Failure candidate = failure_;
        (candidate.*list)[at] = smaller;
        if (accept(std::move(candidate))) break;
      }
    }
  }

  // With who goes on as it is known, or as simple as can be.
  bool fails(const Steps& steps) {
    if (fails(steps, failure_)) return true;
    if (failure_.schedule.empty()) return false;
    Failure unscheduled = failure_;
    unscheduled.schedule.clear();
    return fails(steps, unscheduled);
  }

  bool fails(const Steps& steps, const Failure& known) {
    auto found = finder_(steps, known, left_);
    if (!found) return false;
    failure_ = std::move(*found);
    return true;
  }

  bool accept_if_fails(Failure candidate) {
    const std::uint64_t before = searcher_.count().recoveries;
    auto violation = searcher_.execute(steps_, candidate);
    left_ -= std::min(left_, 1 + searcher_.count().recoveries - before);
    if (!violation || violation->oracle != failure_.violation.oracle) return false;
    while (!candidate.picks.empty() && candidate.picks.back() == 0) candidate.picks.pop_back();
    candidate.violation = std::move(*violation);
    failure_ = std::move(candidate);
    return true;
  }

  Searcher& searcher_;
  Steps steps_;
  Failure failure_;
  const Finder& finder_;
  std::uint64_t left_;  // recoveries
};

}  // namespace

Finder random_finder(Searcher& searcher) {
  return [&searcher](const Steps& steps, const Failure& known, std::uint64_t& recoveries_left) {
    SearchPlan plan;
    plan.seed = 1;
    plan.boots_per_point = 8;
    plan.schedule = known.schedule;
    plan.picks_to_try = {known.picks};
    plan.only = known.violation.oracle;
    plan.most_recoveries = recoveries_left;
    const std::uint64_t before = searcher.count().recoveries;
    auto found = searcher.search(steps, plan);
    recoveries_left -= std::min(recoveries_left, 1 + searcher.count().recoveries - before);
    return found;
  };
}

Shrunk shrink(Searcher& searcher, const rc::Shrinkable<Steps>& steps, const Failure& failure, const Finder& finder,
              std::uint64_t most_recoveries) {
  Shrinking shrinking(searcher, failure, finder, most_recoveries);
  shrinking.shrink_steps(steps);
  shrinking.shrink_schedule();
  shrinking.shrink_picks();
  return shrinking.result();
}

}  // namespace powercut::properties
