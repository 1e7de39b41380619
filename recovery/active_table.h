// The table of active transactions, as analysis keeps it: each record that is read looks up its transaction.
//
// A hash table with open addressing, at most half full; an entry that leaves pulls those behind it forward, so that no look-up
// passes a gap. In the end transactions are told in the order in which they came.
#pragma once

#include "engine/ledger/log_record.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace powercut::recovery {

class ActiveTable {
 public:
  ActiveTable() : entries_(kLeastEntries) {}

  // Null if it is not there. Valid until the table changes.
  ledger::ActiveTxn* find(ledger::TxnId txn) {
    Entry& entry = entries_[place_of(txn)];
    return entry.active.txn == txn ? &entry.active : nullptr;
  }

  // One that is not there.
  void add(const ledger::ActiveTxn& active) {
    if (2 * count_ > mask_) grow();
    entries_[place_of(active.txn)] = {active, arrivals_++};
    ++count_;
  }

  // If it is there.
  void remove(ledger::TxnId txn) {
    std::size_t gap = place_of(txn);
    if (is_free(gap)) return;
    for (std::size_t at = after(gap); !is_free(at); at = after(at)) {
      // Whether it would be found where the gap is: from its own place on, the gap comes first.
      const std::size_t home = home_of(entries_[at].active.txn);
      if (((at - home) & mask_) < ((at - gap) & mask_)) continue;
      entries_[gap] = entries_[at];
      gap = at;
    }
    entries_[gap] = {};
    --count_;
  }

  std::vector<ledger::ActiveTxn> in_order() const {
    std::vector<Entry> sorted;
    for (const Entry& entry : entries_) {
      if (entry.active.txn != ledger::TxnId::kNone) sorted.push_back(entry);
    }
    std::sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) { return a.arrival < b.arrival; });
    std::vector<ledger::ActiveTxn> all;
    all.reserve(sorted.size());
    for (const Entry& entry : sorted) all.push_back(entry.active);
    return all;
  }

 private:
  struct Entry {
    ledger::ActiveTxn active;  // TxnId::kNone: free
    std::uint64_t arrival = 0;
  };
  static constexpr std::size_t kLeastEntries = 64;  // a power of two

  std::size_t after(std::size_t at) const { return (at + 1) & mask_; }
  bool is_free(std::size_t at) const { return entries_[at].active.txn == ledger::TxnId::kNone; }
  // Numbers of transactions follow one another: the product spreads them.
  std::size_t home_of(ledger::TxnId txn) const { return (raw(txn) * 0x9e3779b97f4a7c15ULL >> 32U) & mask_; }
  // Where it is, or would be put.
  std::size_t place_of(ledger::TxnId txn) const {
    std::size_t at = home_of(txn);
    while (entries_[at].active.txn != txn && !is_free(at)) at = after(at);
    return at;
  }

  void grow() {
    std::vector<Entry> old(2 * entries_.size());
    old.swap(entries_);
    mask_ = entries_.size() - 1;
    for (const Entry& entry : old) {
      if (entry.active.txn != ledger::TxnId::kNone) entries_[place_of(entry.active.txn)] = entry;
    }
  }

  std::vector<Entry> entries_;
  std::size_t mask_ = kLeastEntries - 1;
  std::size_t count_ = 0;
  std::uint64_t arrivals_ = 0;
};

}  // namespace powercut::recovery
