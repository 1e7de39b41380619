// Visits every list of picks exactly once, lists with fewer deviations first: stateless model checking.
//
// The system under test is run again and again. In each run every question is answered with the base option, but for the
// deviations that this run is about; a question that comes after the last of them spawns one later run for each other
// answer. So a run costs 12 bytes until it is made, and nothing is visited twice.
//
// With base kFirst a list with d deviations is "all new, but for d": nothing was lost but d things. With kLast it is "all
// old, but for d".
#pragma once

#include "faultfs/choices.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace powercut::faultfs {

class ExhaustiveChoices final : public Choices {
 public:
  enum class Base : unsigned char { kFirst, kLast };

  // Begins anew, keeping memory. Runs beyond `most_waiting` that wait to be made are dropped, and complete_to() says so.
  void start(Base base, std::size_t most_waiting = std::size_t{1} << 22U);

  // Begins the next run; false when there is none. The first call of a new start() is always true.
  bool next();

  // Whether all deviations of this run lie behind: what happens now has happened in no earlier run.
  bool fresh() const { return next_deviation_ == deviations_.size(); }

  // The picks of this run so far.
  std::span<const std::uint32_t> picks() const { return picks_; }

  // A deviation of this run was never asked for, or had too few options: the system under test is not deterministic.
  bool diverged() const { return diverged_ || !fresh(); }

  // Deviations of this run.
  std::uint32_t deviations() const { return static_cast<std::uint32_t>(deviations_.size()); }

  // No list is left, and none was dropped.
  bool exhausted() const { return next_ == runs_.size() && !dropped_; }

  // So many runs are known of: those made, and those that wait.
  std::size_t known_runs() const { return runs_.size(); }
  std::size_t waiting() const { return runs_.size() - next_; }

  // Every list with so many deviations or fewer has been visited, once the current run has ended; -1 if not even the base.
  int complete_to() const;

 private:
  struct Run {
    std::uint32_t parent = 0;
    std::uint32_t position = 0;
    std::uint32_t option = 0;
  };
  struct Deviation {
    std::uint32_t position = 0;
    std::uint32_t option = 0;
  };

  std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) override;
  std::uint32_t deviations_of(std::size_t run) const;

  Base base_ = Base::kFirst;
  std::size_t most_waiting_ = 0;
  std::vector<Run> runs_;  // a tree in the order of visiting; [0] is the base itself
  std::size_t next_ = 0;
  bool dropped_ = false;
  std::uint32_t dropped_deviations_ = 0;  // the fewest of a list that was dropped
  bool diverged_ = false;
  std::vector<Deviation> deviations_;  // of this run, by position
  std::size_t next_deviation_ = 0;
  std::vector<std::uint32_t> picks_;
};

}  // namespace powercut::faultfs
