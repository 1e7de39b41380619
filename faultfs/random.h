// The generator behind every random choice: xoshiro256** 1.0 (Blackman and Vigna, 2018), seeded by SplitMix64. Fixed
// here because the output of std:: distributions differs between standard libraries.
#pragma once

#include "faultfs/hash.h"

#include <array>
#include <bit>
#include <cstdint>

namespace powercut {

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      word = mix64(seed);
    }
  }

  constexpr std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // A value in [0, n), n > 0, by the high half of a 64 x 32 bit product; the bias is below 2^-32 for n < 2^32.
  constexpr std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32U) * std::uint64_t{n}) >> 32U); }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace powercut
