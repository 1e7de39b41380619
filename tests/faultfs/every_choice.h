// Tries every list of picks, depth first: run, advance, run again, until there is no next list.
#pragma once

#include "faultfs/assert.h"
#include "faultfs/choices.h"

#include <vector>

namespace powercut::testing {

class EveryChoice final : public faultfs::Choices {
 public:
  // Goes to the next list; false when there is none.
  bool advance() {
    while (!taken_.empty() && taken_.back().pick + 1 == taken_.back().options) taken_.pop_back();
    if (taken_.empty()) return false;
    ++taken_.back().pick;
    return true;
  }
  void rewind() { at_ = 0; }
  std::size_t asked() const { return at_; }

 private:
  struct Taken {
    std::uint32_t pick = 0;
    std::uint32_t options = 0;
  };
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& /*label*/) override {
    if (at_ == taken_.size()) taken_.push_back({0, n});
    POWERCUT_ASSERT(taken_[at_].options == n, "the same picks lead to the same questions");
    return taken_[at_++].pick;
  }
  std::vector<Taken> taken_;
  std::size_t at_ = 0;
};

}  // namespace powercut::testing
