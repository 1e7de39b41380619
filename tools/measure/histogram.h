// Counts of values by size: percentiles of latencies within 1 % without keeping each of them.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace powercut::measure {

class Histogram {
 public:
  void add(std::uint64_t value) {
    ++counts_[bucket(value)];
    ++total_;
    sum_ += value;
    if (value > most_) most_ = value;
  }
  void add(const Histogram& other);

  std::uint64_t count() const { return total_; }
  std::uint64_t most() const { return most_; }
  double mean() const { return total_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(total_); }
  // The least value that at least this part (0 to 1) of all do not exceed, at most 1 % too great; 0 of none.
  std::uint64_t percentile(double part) const;

 private:
  // 128 linear steps in each power of two.
  static constexpr unsigned kBits = 7;
  static constexpr std::size_t kBuckets = std::size_t{64 - kBits + 1} << kBits;

  static std::size_t bucket(std::uint64_t value) {
    if (value < (1U << kBits)) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1U - kBits;
    return (std::size_t{shift + 1} << kBits) + ((value >> shift) - (1U << kBits));
  }
  static std::uint64_t greatest_in(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace powercut::measure
