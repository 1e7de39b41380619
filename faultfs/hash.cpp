#include "faultfs/hash.h"

#include <isa-l/crc.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace powercut {

std::uint32_t crc32c(std::uint32_t seed, std::span<const byte> bytes) {
  // ISA-L takes a pointer to non-const but only reads.
  auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
  return crc32_iscsi(data, static_cast<int>(bytes.size()), seed);
}

std::uint64_t hash64(std::span<const byte> bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace powercut
