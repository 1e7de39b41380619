#include "faultfs/hash.h"
#include "tests/support/property.h"

namespace powercut::testing {

TEST_CASE("CRC-32C is the one of RFC 3720") {
  // Its register is neither inverted at the start nor at the end here: the standard value is ~crc(~0).
  CHECK(~crc32c(~0U, as_bytes("123456789")) == 0xe3069283U);
  CHECK(~crc32c(~0U, as_bytes(std::string(32, '\0'))) == 0x8a9136aaU);
}

TEST_CASE("a checksum continues where another ended") {
  property("chained checksums", [](const std::string& a, const std::string& b) {
    RC_ASSERT(crc32c(crc32c(~0U, as_bytes(a)), as_bytes(b)) == crc32c(~0U, as_bytes(a + b)));
  });
}

TEST_CASE("a checksum of any length, from any place in memory, is the one that its bits give") {
  const auto bit_by_bit = [](std::uint32_t crc, std::string_view text) {
    for (const byte b : as_bytes(text)) {
      crc ^= std::to_integer<std::uint32_t>(b);
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    }
    return crc;
  };
  std::string text;
  for (std::size_t at = 0; at < 600; ++at) text += static_cast<char>(mix64(at));
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t length = 0; begin + length <= text.size(); ++length) {
      const std::string_view some = std::string_view(text).substr(begin, length);
      const auto seed = static_cast<std::uint32_t>(mix64(length));
      if (crc32c(seed, as_bytes(some)) != bit_by_bit(seed, some)) FAIL(length << " bytes from " << begin);
    }
  }
}

TEST_CASE("XXH3 is the published one") { CHECK(hash64(as_bytes("")) == 0x2d06800538d394c2ULL); }

}  // namespace powercut::testing
