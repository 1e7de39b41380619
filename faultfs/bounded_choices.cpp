#include "faultfs/bounded_choices.h"

namespace powercut::faultfs {

void BoundedChoices::start(std::uint32_t most_preemptions) {
  most_ = most_preemptions;
  prefix_.clear();
  picks_.clear();
  asked_.clear();
  preemptions_ = 0;
  begun_ = bounded_ = diverged_ = false;
}

bool BoundedChoices::next() {
  if (!begun_) return begun_ = true;
  // The last question that has another answer, which the bound allows.
  std::uint32_t before = preemptions_;
  for (std::size_t at = picks_.size(); at > 0; --at) {
    const Asked& asked = asked_[at - 1];
    const std::uint32_t picked = picks_[at - 1];
    if (picked >= asked.free_options) --before;
    const std::uint32_t other = picked + 1;
    if (other >= asked.options) continue;
    if (other >= asked.free_options && before == most_) {
      bounded_ = true;
      continue;
    }
    prefix_.assign(picks_.begin(), picks_.begin() + static_cast<std::ptrdiff_t>(at));
    prefix_.back() = other;
    asked_.resize(at);
    picks_.clear();
    preemptions_ = 0;
    return true;
  }
  return false;
}

std::uint32_t BoundedChoices::choose(std::uint32_t n, const ChoiceLabel& label) {
  const std::size_t at = picks_.size();
  std::uint32_t picked = 0;
  if (at < prefix_.size()) {
    diverged_ = diverged_ || asked_[at].options != n || asked_[at].free_options != label.free_options;
    picked = prefix_[at] % n;
  } else {
    asked_.push_back({n, label.free_options});
  }
  if (picked >= label.free_options) ++preemptions_;
  picks_.push_back(picked);
  return picked;
}

}  // namespace powercut::faultfs
