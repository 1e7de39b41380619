#include "engine/ledger/page.h"
#include "faultfs/random.h"
#include "tests/support/property.h"

#include <array>
#include <map>

namespace powercut::testing {
using namespace ledger;

TEST_CASE("a slotted page holds what a map holds, whatever is inserted, replaced and erased") {
  property("page against map", [](std::uint64_t seed) {
    Random random(seed);
    std::array<byte, kPageBytes> bytes;
    Page page(bytes.data());
    page.format(PageId{7}, PageType::kLeaf);
    std::map<std::string, std::string> expected;
    for (int step = 0; step < 200; ++step) {
      const std::string key = "k" + std::to_string(random.below(30));
      const std::string value(random.below(random.below(4) == 0 ? 900 : 60), static_cast<char>('a' + random.below(26)));
      const Page::Place place = page.search(key);
      RC_ASSERT(place.found == expected.contains(key));
      if (!place.found) {
        if (Page::cell_bytes(key, value) > page.free_bytes()) continue;
        page.insert(place.slot, key, value);
        expected[key] = value;
      } else if (random.below(2) == 0) {
        page.erase(place.slot);
        expected.erase(key);
      } else {
        if (value.size() > page.free_bytes() + page.value(place.slot).size()) continue;
        page.replace(place.slot, value);
        expected[key] = value;
      }
      RC_ASSERT(page.well_formed());
      RC_ASSERT(page.count() == expected.size());
    }
    std::size_t slot = 0;
    for (const auto& [key, value] : expected) {
      RC_ASSERT(page.key(slot) == key);
      RC_ASSERT(page.value(slot) == value);
      ++slot;
    }
  });
}

TEST_CASE("a page with any bit flipped does not pass its checksum") {
  property("flipped bits", [] {
    std::array<byte, kPageBytes> bytes;
    Page page(bytes.data());
    page.format(PageId{3}, PageType::kLeaf);
    page.insert(0, "key", "value");
    page.set_checksum();
    RC_ASSERT(page.checksum_matches());
    bytes[*rc::gen::inRange<std::size_t>(0, kPageBytes)] ^= static_cast<byte>(1U << *rc::gen::inRange(0U, 8U));
    RC_ASSERT(!page.checksum_matches());
  });
}

TEST_CASE("a page whose keys do not ascend, or whose cell is longer than any may be, is not well formed") {
  std::array<byte, kPageBytes> bytes{};
  Page page(bytes.data());
  page.format(PageId{3}, PageType::kLeaf);
  page.insert(0, "b", "value");
  CHECK(page.well_formed());
  page.insert(1, "a", "value");
  CHECK_FALSE(page.well_formed());
  page.erase(1);
  page.insert(1, "b", "value");
  CHECK_FALSE(page.well_formed());
  page.erase(1);
  CHECK(page.well_formed());
  page.insert(1, "c", std::string(kMostCellBytes, 'x'));
  CHECK_FALSE(page.well_formed());
}

TEST_CASE("arbitrary bytes are never taken for a page that is not one") {
  property(
      "arbitrary pages",
      [](std::uint64_t seed) {
        Random random(seed);
        std::array<byte, kPageBytes> bytes{};
        Page page(bytes.data());
        page.format(PageId{1}, PageType::kLeaf);
        for (int cell = 10; cell < 30; ++cell) page.insert(page.count(), "key" + std::to_string(cell), "value");
        // A few wild bytes, mostly where the structure is.
        for (int change = 0; change < 3; ++change)
          bytes[random.below(random.below(2) == 0 ? 80 : 4096)] = static_cast<byte>(random.below(256));
        if (!page.well_formed()) return;
        for (std::size_t slot = 0; slot < page.count(); ++slot) {
          RC_ASSERT(page.key(slot).data() + page.key(slot).size() <= reinterpret_cast<const char*>(bytes.data()) + kPageBytes);
          RC_ASSERT(page.value(slot).data() + page.value(slot).size() <= reinterpret_cast<const char*>(bytes.data()) + kPageBytes);
        }
      },
      10);
}

}  // namespace powercut::testing
