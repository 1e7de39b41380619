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

  // Sets picks to 0, in halves, quarters and so on down to one, as long as it still fails; then makes each smaller.
  void shrink_picks() {
    if (failure_.crash_point == kNoCrash) return;
    for (std::size_t chunk = std::max<std::size_t>(1, failure_.picks.size()); chunk > 0; chunk /= 2) {
      for (std::size_t at = 0; at < failure_.picks.size() && !exhausted(); at += chunk) {
        std::vector<std::uint32_t> picks = failure_.picks;
        const auto from = picks.begin() + static_cast<std::ptrdiff_t>(at);
        const auto to = picks.begin() + static_cast<std::ptrdiff_t>(std::min(at + chunk, picks.size()));
        if (std::all_of(from, to, [](std::uint32_t pick) { return pick == 0; })) continue;
        std::fill(from, to, 0U);
        accept_if_fails(std::move(picks));
      }
    }
    for (std::size_t at = 0; at < failure_.picks.size() && !exhausted(); ++at) {
      for (std::uint32_t smaller = 1; smaller < failure_.picks[at]; ++smaller) {
        std::vector<std::uint32_t> picks = failure_.picks;
        picks[at] = smaller;
        if (accept_if_fails(std::move(picks))) break;
      }
    }
  }

  Shrunk result() { return {std::move(steps_), std::move(failure_)}; }

 private:
  bool exhausted() const { return left_ == 0; }

  bool fails(const Steps& steps) {
    auto found = finder_(steps, failure_, left_);
    if (!found) return false;
    failure_ = std::move(*found);
    return true;
  }

  bool accept_if_fails(std::vector<std::uint32_t> picks) {
    const std::uint64_t before = searcher_.count().recoveries;
    auto violation = searcher_.execute(steps_, failure_.crash_point, picks);
    left_ -= std::min(left_, searcher_.count().recoveries - before);
    if (!violation || violation->oracle != failure_.violation.oracle) return false;
    while (!picks.empty() && picks.back() == 0) picks.pop_back();
    failure_.picks = std::move(picks);
    failure_.violation = std::move(*violation);
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
    plan.picks_to_try = {known.picks};
    plan.only = known.violation.oracle;
    plan.most_recoveries = recoveries_left;
    const std::uint64_t before = searcher.count().recoveries;
    auto found = searcher.search(steps, plan);
    recoveries_left -= std::min(recoveries_left, searcher.count().recoveries - before);
    return found;
  };
}

Shrunk shrink(Searcher& searcher, const rc::Shrinkable<Steps>& steps, const Failure& failure, const Finder& finder,
              std::uint64_t most_recoveries) {
  Shrinking shrinking(searcher, failure, finder, most_recoveries);
  shrinking.shrink_steps(steps);
  shrinking.shrink_picks();
  return shrinking.result();
}

}  // namespace powercut::properties
