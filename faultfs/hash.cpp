#include "faultfs/hash.h"

#include <isa-l/crc.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace powercut {
namespace {

#if defined(__x86_64__)

// Up to so many bytes the processor's own instruction is faster than folding, which has more to set up.
constexpr std::size_t kShort = 192;
const bool kHasInstruction = __builtin_cpu_supports("sse4.2") != 0;

__attribute__((target("sse4.2"))) std::uint32_t crc32c_of_short(std::uint32_t seed, const byte* at, std::size_t left) {
  std::uint64_t wide = seed;
  for (; left >= 8; at += 8, left -= 8) wide = __builtin_ia32_crc32di(wide, load<std::uint64_t>(at));
  auto crc = static_cast<std::uint32_t>(wide);
  if ((left & 4U) != 0) {
    crc = __builtin_ia32_crc32si(crc, load<std::uint32_t>(at));
    at += 4;
  }
  if ((left & 2U) != 0) {
    crc = __builtin_ia32_crc32hi(crc, load<std::uint16_t>(at));
    at += 2;
  }
  if ((left & 1U) != 0) crc = __builtin_ia32_crc32qi(crc, load<std::uint8_t>(at));
  return crc;
}

#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t seed, std::span<const byte> bytes) {
#if defined(__x86_64__)
  if (bytes.size() <= kShort && kHasInstruction) return crc32c_of_short(seed, bytes.data(), bytes.size());
#endif
  // ISA-L takes a pointer to non-const but only reads.
  auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
  return crc32_iscsi(data, static_cast<int>(bytes.size()), seed);
}

std::uint64_t hash64(std::span<const byte> bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace powercut
