// The B+tree against std::map, with the fewest frames that are allowed.
#include "engine/ledger/btree.h"
#include "engine/ledger/core.h"
#include "engine/ledger/transaction.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/ledger_database.h"
#include "tests/support/property.h"

#include <map>

namespace powercut::testing {

using namespace ledger;

TEST_CASE("a B+tree holds what a map holds, through splits and merges, in eight frames") {
  property("tree against map", [](std::uint64_t seed) {
    Random random(seed);
    LedgerOnDisk on_disk(std::vector<engine::Option>{{"frames", "8"}, {"segment", "65536"}});
    auto database = on_disk.open();
    auto session = std::move(database->new_session()).value();
    RC_ASSERT(session->create_table({"t", {{"v", engine::ColumnType::kText}}}).has_value());
    std::map<std::string, std::string> expected;
    RC_ASSERT(session->begin().has_value());
    const std::uint32_t keys = 1 + random.below(400);
    const std::uint32_t most_bytes = random.below(2) == 0 ? 30 : 700;
    for (int step = 0; step < 600; ++step) {
      // Mostly growing, then mostly shrinking.
      const bool grows = (step / 150) % 2 == 0;
      const std::string key = std::string(random.below(2) == 0 ? "" : "long-prefix-") + std::to_string(random.below(keys));
      std::string row;
      engine::encode_row({std::string_view(std::string(random.below(most_bytes), static_cast<char>('a' + random.below(26))))}, row);
      if (random.below(4) != 0 ? grows : !grows) {
        RC_ASSERT(session->put("t", key, row).has_value());
        expected[key] = row;
      } else {
        const auto erased = session->erase("t", key);
        RC_ASSERT(erased.has_value() == (expected.erase(key) == 1));
      }
      if (step % 50 == 0) {
        std::string found;
        const std::string probe = std::to_string(random.below(keys));
        RC_ASSERT(session->get("t", probe, found).value() == expected.contains(probe));
        if (expected.contains(probe)) RC_ASSERT(found == expected[probe]);
      }
    }
    const std::string from = std::to_string(random.below(keys));
    const std::string to = from + "9";
    for (const bool all : {true, false}) {
      auto next = all ? expected.begin() : expected.lower_bound(from);
      const auto end = all ? expected.end() : expected.lower_bound(to);
      bool same = true;
      RC_ASSERT(session
                    ->scan("t", all ? "" : from, all ? "" : to,
                           [&](std::string_view key, std::string_view row) {
                             same = same && next != end && next->first == key && next->second == row;
                             if (next != end) ++next;
                             return true;
                           })
                    .has_value());
      RC_ASSERT(same);
      RC_ASSERT(next == end);
    }
    RC_ASSERT(session->commit().has_value());
  });
}

TEST_CASE("a tree with more levels than the pool has frames to spare still grows") {
  LedgerOnDisk on_disk(std::vector<engine::Option>{{"frames", "8"}, {"segment", "65536"}});
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table({"t", {{"v", engine::ColumnType::kText}}}).has_value());
  std::string row;
  engine::encode_row({std::string_view(std::string(500, 'x'))}, row);
  // Long keys: an inner node has few children, so the tree is deep.
  constexpr int kRows = 16000;
  REQUIRE(session->begin().has_value());
  for (int number = 0; number < kRows; ++number) {
    REQUIRE(session->insert("t", std::string(470, 'k') + std::to_string(100000 + number), row).has_value());
  }
  REQUIRE(session->commit().has_value());
  int rows = 0;
  REQUIRE(session->scan("t", {}, {}, [&](std::string_view, std::string_view) { return ++rows, true; }).has_value());
  CHECK(rows == kRows);
}

}  // namespace powercut::testing
