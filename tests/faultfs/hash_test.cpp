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

TEST_CASE("XXH3 is the published one") { CHECK(hash64(as_bytes("")) == 0x2d06800538d394c2ULL); }

}  // namespace powercut::testing
