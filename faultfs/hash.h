// The two hashes of the project, both the same on every machine: CRC-32C for what lies on disk (ISA-L, and for few bytes the
// processor's instruction where it has one), XXH3-64 for traces and outcomes.
#pragma once

#include "faultfs/bytes.h"

#include <cstdint>
#include <span>

namespace powercut {

// CRC-32C (Castagnoli) of bytes, continued from seed. The raw register: no final inversion, so that it chains.
std::uint32_t crc32c(std::uint32_t seed, std::span<const byte> bytes);

// XXH3-64 of bytes.
std::uint64_t hash64(std::span<const byte> bytes, std::uint64_t seed = 0);

// One round of a strong 64-bit mixer (the finalizer of SplitMix64).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x ^= x >> 30U;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27U;
  x *= 0x94d049bb133111ebULL;
  x ^= x >> 31U;
  return x;
}

// Order-dependent combination: a sequence of values hashes to combine(combine(seed, a), b) ….
constexpr std::uint64_t combine(std::uint64_t seed, std::uint64_t value) {
  return mix64(seed ^ (value + 0x9e3779b97f4a7c15ULL + (seed << 6U) + (seed >> 2U)));
}

}  // namespace powercut
