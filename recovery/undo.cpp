#include "recovery/undo.h"

#include "engine/ledger/transaction.h"

#include <algorithm>
#include <memory>
#include <string>

namespace powercut::recovery {

using ledger::ActiveTxn;
using ledger::raw;
using ledger::Transaction;

Result<void> undo_losers(ledger::Core& core, const std::vector<ActiveTxn>& losers, const engine::Narrator* narrator) {
  if (core.options.defects.no_undo) return success();
  std::vector<std::unique_ptr<Transaction>> undoing;
  for (const ActiveTxn& loser : losers) undoing.push_back(std::make_unique<Transaction>(core, loser));
  while (!undoing.empty()) {
    const auto newest = std::max_element(undoing.begin(), undoing.end(),
                                         [](const auto& a, const auto& b) { return a->state().undo_next < b->state().undo_next; });
    Transaction& txn = **newest;
    const auto undone = txn.state().undo_next;
    POWERCUT_TRY(const bool more, core.options.defects.undo_oldest_first ? txn.undo_oldest() : txn.undo_next());
    if (more) {
      if (narrator != nullptr) {
        (*narrator)("undo", "txn " + std::to_string(raw(txn.state().txn)) + ": LSN " + std::to_string(raw(undone)) +
                                " taken back by the CLR at LSN " + std::to_string(raw(txn.state().last)) + ", next " +
                                std::to_string(raw(txn.state().undo_next)));
      }
      continue;
    }
    POWERCUT_TRYV(txn.finish_rollback());
    if (narrator != nullptr) (*narrator)("undo", "txn " + std::to_string(raw(txn.state().txn)) + " is rolled back");
    undoing.erase(newest);
  }
  return success();
}

}  // namespace powercut::recovery
