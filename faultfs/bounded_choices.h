// Visits every schedule with at most so many preemptions exactly once, depth first.
//
// Bugs of concurrency need few preemptions (Musuvathi, Qadeer: Iterative Context Bounding for Systematic Testing of
// Multithreaded Programs, PLDI 2007): who goes on where somebody must give way is free, taking the turn from somebody who
// could go on counts (ChoiceLabel::free_options). So the number of schedules is a polynomial in their length.
#pragma once

#include "faultfs/choices.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace powercut::faultfs {

class BoundedChoices final : public Choices {
 public:
  // Begins anew.
  void start(std::uint32_t most_preemptions);

  // Begins the next run; false when there is none. The first call after start() is always true.
  bool next();

  // The picks of this run so far.
  std::span<const std::uint32_t> picks() const { return picks_; }
  std::uint32_t preemptions() const { return preemptions_; }

  // Something was left out in some run because of the bound: with a larger one there is more.
  bool bounded() const { return bounded_; }

  // A question of an earlier run came with other options: the system under test is not deterministic.
  bool diverged() const { return diverged_; }

 private:
  struct Asked {
    std::uint32_t options = 0;
    std::uint32_t free_options = 0;
  };

  std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) override;

  std::uint32_t most_ = 0;
  std::vector<std::uint32_t> prefix_;  // of this run
  std::vector<std::uint32_t> picks_;
  std::vector<Asked> asked_;  // as long as picks_, and of the run before behind that
  std::uint32_t preemptions_ = 0;
  bool begun_ = false;
  bool bounded_ = false;
  bool diverged_ = false;
};

}  // namespace powercut::faultfs
