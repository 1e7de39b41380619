// Numbers of which few are drawn often: the generators of YCSB (Cooper et al., SoCC 2010), after Gray et al., "Quickly
// generating billion-record synthetic databases" (SIGMOD 1994).
#pragma once

#include "faultfs/random.h"

#include <cstdint>

namespace powercut::measure {

// [0, 1), all of 53 bits.
inline double unit(Random& random) { return static_cast<double>(random.next() >> 11U) * 0x1p-53; }

// [0, items): 0 is drawn most often, number n about (n + 1)^-0.99 as often.
class Zipfian {
 public:
  static constexpr double kTheta = 0.99;  // YCSB's zipfian constant

  // Takes time in proportion to the items.
  explicit Zipfian(std::uint64_t items);
  // The same with zeta(items), the sum of n^-kTheta for n from 1 to items, known.
  Zipfian(std::uint64_t items, double zeta);

  std::uint64_t draw(Random& random) const;

  // There are more items from now on. Takes time in proportion to how many more.
  void grow(std::uint64_t items);

 private:
  void derive();

  std::uint64_t items_;
  double zeta_;
  double alpha_ = 0;
  double eta_ = 0;
};

// [0, items): as skewed, but the popular ones lie anywhere. As YCSB does it: a Zipfian over 10^10 items, hashed (FNV-1a) into
// those there are.
class ScrambledZipfian {
 public:
  explicit ScrambledZipfian(std::uint64_t items) : items_(items) {}

  std::uint64_t draw(Random& random) const { return fnv(drawn_.draw(random)) % items_; }

  // FNV-1a over the eight bytes, lowest first; YCSB's keys are "user" and this of their number.
  static std::uint64_t fnv(std::uint64_t value);

 private:
  static constexpr std::uint64_t kItems = 10'000'000'000;
  static constexpr double kZeta = 26.46902820178302;  // of kItems

  std::uint64_t items_;
  Zipfian drawn_{kItems, kZeta};
};

}  // namespace powercut::measure
