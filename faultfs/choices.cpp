#include "faultfs/choices.h"

namespace powercut::faultfs {

void RandomChoices::reset(std::uint64_t seed) {
  static constexpr std::uint32_t kBenignOf64[] = {32, 56, 63, 8};
  random_ = Random(seed);
  const auto leaning = random_.below(4);
  benign_of_64_ = kBenignOf64[leaning];
  prefer_oldest_ = leaning == 3;
  picks_.clear();
}

std::uint32_t RandomChoices::choose(std::uint32_t n, const ChoiceLabel& label) {
  std::uint32_t picked = 0;
  if (label.fair) {
    picked = random_.below(n);
  } else if (random_.below(64) >= benign_of_64_) {
    picked = prefer_oldest_ ? n - 1 : 1 + random_.below(n - 1);
  }
  picks_.push_back(picked);
  return picked;
}

std::uint32_t RecordedChoices::choose(std::uint32_t n, const ChoiceLabel& /*label*/) {
  const auto next = taken_.size();
  const std::uint32_t picked = next < list_.size() ? list_[next] % n : 0;
  taken_.push_back(picked);
  return picked;
}

}  // namespace powercut::faultfs
