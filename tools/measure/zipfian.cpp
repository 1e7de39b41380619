#include "tools/measure/zipfian.h"

#include <algorithm>
#include <cmath>

namespace powercut::measure {
namespace {

double zeta(std::uint64_t from, std::uint64_t items) {
  double sum = 0;
  for (std::uint64_t n = from; n <= items; ++n) sum += std::pow(static_cast<double>(n), -Zipfian::kTheta);
  return sum;
}

}  // namespace

Zipfian::Zipfian(std::uint64_t items) : Zipfian(items, zeta(1, items)) {}

Zipfian::Zipfian(std::uint64_t items, double zeta_of_items) : items_(items), zeta_(zeta_of_items) { derive(); }

void Zipfian::derive() {
  alpha_ = 1 / (1 - kTheta);
  const double zeta_of_2 = 1 + std::pow(0.5, kTheta);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(items_), 1 - kTheta)) / (1 - zeta_of_2 / zeta_);
}

std::uint64_t Zipfian::draw(Random& random) const {
  static const double kSecond = 1 + std::pow(0.5, kTheta);
  const double part = unit(random);
  if (part * zeta_ < 1) return 0;
  if (part * zeta_ < kSecond) return std::min<std::uint64_t>(1, items_ - 1);
  const auto drawn = static_cast<std::uint64_t>(static_cast<double>(items_) * std::pow(eta_ * part - eta_ + 1, alpha_));
  return std::min(drawn, items_ - 1);
}

void Zipfian::grow(std::uint64_t items) {
  if (items <= items_) return;
  zeta_ += zeta(items_ + 1, items);
  items_ = items;
  derive();
}

std::uint64_t ScrambledZipfian::fnv(std::uint64_t value) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (int at = 0; at < 8; ++at) {
    hash = (hash ^ (value & 0xffU)) * 0x100000001b3ULL;
    value >>= 8U;
  }
  return hash;
}

}  // namespace powercut::measure
