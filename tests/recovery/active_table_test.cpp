#include "recovery/active_table.h"

#include "faultfs/random.h"
#include "tests/support/property.h"

#include <algorithm>
#include <vector>

namespace powercut::testing {
namespace {

using ledger::ActiveTxn;
using ledger::Lsn;
using ledger::TxnId;

}  // namespace

TEST_CASE("the table of active transactions holds what a list in order of arrival holds") {
  property("active table", [](std::uint64_t seed) {
    Random random(seed);
    recovery::ActiveTable table;
    std::vector<ActiveTxn> expected;
    std::uint64_t next = 1 + random.below(1000);
    const std::uint32_t most = 1 + random.below(random.below(4) == 0 ? 400 : 20);
    for (std::uint64_t step = 1; step < 2000; ++step) {
      if (expected.size() < most && random.below(2) == 0) {
        // Numbers follow one another, but those of transactions that changed nothing are left out.
        next += 1 + random.below(3) * random.below(100);
        expected.push_back({TxnId{next}, Lsn{step}, Lsn{step}, Lsn{step}});
        table.add(expected.back());
        continue;
      }
      if (expected.empty()) continue;
      const auto chosen = expected.begin() + random.below(static_cast<std::uint32_t>(expected.size()));
      if (random.below(3) == 0) {
        table.remove(chosen->txn);
        RC_ASSERT(table.find(chosen->txn) == nullptr);
        table.remove(chosen->txn);
        expected.erase(chosen);
      } else {
        RC_ASSERT(table.find(chosen->txn) != nullptr);
        chosen->last = table.find(chosen->txn)->last = Lsn{step};
      }
    }
    const auto found = table.in_order();
    RC_ASSERT(std::equal(found.begin(), found.end(), expected.begin(), expected.end(), [](const ActiveTxn& a, const ActiveTxn& b) {
      return a.txn == b.txn && a.first == b.first && a.last == b.last && a.undo_next == b.undo_next;
    }));
    for (const ActiveTxn& active : expected) RC_ASSERT(table.find(active.txn) != nullptr);
    RC_ASSERT(table.find(TxnId{next + 1}) == nullptr);
  });
}

}  // namespace powercut::testing
