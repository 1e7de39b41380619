#include "faultfs/exhaustive_choices.h"

#include <algorithm>

namespace powercut::faultfs {

void ExhaustiveChoices::start(Base base, std::size_t most_waiting) {
  base_ = base;
  most_waiting_ = most_waiting;
  runs_.assign(1, {});
  next_ = 0;
  dropped_ = false;
  diverged_ = false;
  deviations_.clear();
  next_deviation_ = 0;
  picks_.clear();
}

bool ExhaustiveChoices::next() {
  if (next_ == runs_.size()) return false;
  deviations_.clear();
  for (std::size_t run = next_; run != 0; run = runs_[run].parent) deviations_.push_back({runs_[run].position, runs_[run].option});
  std::reverse(deviations_.begin(), deviations_.end());
  ++next_;
  next_deviation_ = 0;
  diverged_ = false;
  picks_.clear();
  return true;
}

std::uint32_t ExhaustiveChoices::choose(std::uint32_t n, const ChoiceLabel& /*label*/) {
  const auto position = static_cast<std::uint32_t>(picks_.size());
  const std::uint32_t base = base_ == Base::kFirst ? 0 : n - 1;
  std::uint32_t picked = base;
  if (!fresh()) {
    if (deviations_[next_deviation_].position == position) {
      picked = deviations_[next_deviation_].option;
      ++next_deviation_;
      if (picked >= n) {
        diverged_ = true;
        picked = base;
      }
    }
  } else if (runs_.size() - next_ + n > most_waiting_) {
    const std::uint32_t lost = deviations() + 1;
    dropped_deviations_ = dropped_ ? std::min(dropped_deviations_, lost) : lost;
    dropped_ = true;
  } else {
    const auto parent = static_cast<std::uint32_t>(next_ - 1);
    for (std::uint32_t option = 0; option < n; ++option) {
      if (option != base) runs_.push_back({parent, position, option});
    }
  }
  picks_.push_back(picked);
  return picked;
}

std::uint32_t ExhaustiveChoices::deviations_of(std::size_t run) const {
  std::uint32_t count = 0;
  for (; run != 0; run = runs_[run].parent) ++count;
  return count;
}

int ExhaustiveChoices::complete_to() const {
  // Runs are made in the order of their deviations: the next one says how far the complete part goes.
  int to = next_ < runs_.size() ? static_cast<int>(deviations_of(next_)) - 1 : static_cast<int>(deviations_of(runs_.size() - 1));
  if (dropped_) to = std::min(to, static_cast<int>(dropped_deviations_) - 1);
  return to;
}

}  // namespace powercut::faultfs
