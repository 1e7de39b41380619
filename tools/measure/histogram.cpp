#include "tools/measure/histogram.h"

#include <algorithm>
#include <cmath>

namespace powercut::measure {

void Histogram::add(const Histogram& other) {
  for (std::size_t at = 0; at < kBuckets; ++at) counts_[at] += other.counts_[at];
  total_ += other.total_;
  sum_ += other.sum_;
  most_ = std::max(most_, other.most_);
}

std::uint64_t Histogram::greatest_in(std::size_t bucket) {
  if (bucket < (1U << kBits)) return bucket;
  const std::size_t shift = (bucket >> kBits) - 1;
  const std::uint64_t first = ((bucket & ((1U << kBits) - 1)) + (1U << kBits)) << shift;
  return first + (std::uint64_t{1} << shift) - 1;
}

std::uint64_t Histogram::percentile(double part) const {
  // 0.07 of 100 is 7, though the product of the two is a little more.
  constexpr double kRounding = 1e-12;
  const double exact = part * static_cast<double>(total_);
  const auto wanted = static_cast<std::uint64_t>(std::ceil(exact - exact * kRounding));
  std::uint64_t seen = 0;
  for (std::size_t at = 0; at < kBuckets; ++at) {
    seen += counts_[at];
    if (counts_[at] > 0 && seen >= wanted) return std::min(greatest_in(at), most_);
  }
  return most_;
}

}  // namespace powercut::measure
