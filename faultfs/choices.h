// The single source of chance. All nondeterminism of a run is a call of Choices::pick: which version of an atom
// survived, whether to cut the power again during recovery, which fiber runs next.
//
// Pick 0 is always the benign option (nothing lost, nothing fails), so a list with more zeros is a simpler case and
// shrinking is the same for everything. Below this interface nothing in the process is a source of chance.
#pragma once

#include "faultfs/random.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace powercut::faultfs {

// Says what a pick decides, without costing anything unless somebody looks: a word and up to two numbers.
struct ChoiceLabel {
  std::string_view what;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  bool fair = false;  // every option is as likely as every other, whatever the list leans to

  // Of a question about what survived a crash ("atom", "size" or "name" of inode `first`; atom number `second`).
  std::string_view name = {};  // of the name
  std::uint32_t crash = 0;     // 1 for the first crash of a disk, 2 for that of a disk booted after it, …; 0: another question
  std::uint32_t oldest = 0;    // the option that loses most; those after it are garbage

  // Of a question about who goes on: options from this one on take the turn from somebody who could go on.
  std::uint32_t free_options = 1;
};

class Choices {
 public:
  virtual ~Choices() = default;

  // One of n options, n >= 1. Returns a value in [0, n); asks nothing (and records nothing) when n is 1.
  std::uint32_t pick(std::uint32_t n, const ChoiceLabel& label) { return n <= 1 ? 0 : choose(n, label); }

 protected:
  virtual std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) = 0;
};

// Picks at random from a 64-bit seed and records what it picked.
//
// Uniform picks alone find little: most failures need almost everything kept and one write lost, or the reverse. So the
// seed also draws a leaning for the whole list: the probability that a pick is benign is one of 1/2, 7/8, 63/64, 1/8;
// what is not benign is uniform over the rest, except that with the last leaning it is the last option (the oldest).
// A fair question is answered uniformly.
class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(std::uint64_t seed) { reset(seed); }

  // Starts a new list, keeping memory.
  void reset(std::uint64_t seed);

  std::span<const std::uint32_t> picks() const { return picks_; }

 private:
  std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) override;

  Random random_{0};
  std::uint32_t benign_of_64_ = 32;
  bool prefer_oldest_ = false;
  std::vector<std::uint32_t> picks_;
};

// Picks 0 always and records nothing: for real runs, where nothing is replayed.
class FirstChoice final : public Choices {
  std::uint32_t choose(std::uint32_t /*n*/, const ChoiceLabel& /*label*/) override { return 0; }
};

// Replays a recorded list. Past its end every pick is 0. A recorded pick that is out of range (the list belongs to
// another case) is taken modulo n, so that any list of numbers is a legal case; picks() gives what was really taken.
class RecordedChoices final : public Choices {
 public:
  explicit RecordedChoices(std::vector<std::uint32_t> list) : list_(std::move(list)) {}

  std::span<const std::uint32_t> picks() const { return taken_; }

 private:
  std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) override;

  std::vector<std::uint32_t> list_;
  std::vector<std::uint32_t> taken_;
};

}  // namespace powercut::faultfs
