// A transaction: its chain of log records, its savepoints, and what happens at its end.
//
// Undo is logical, through the trees, and each step of it is logged as a compensation record that says what is to be
// undone next; so undo, too, survives a crash at any point (ARIES, Mohan et al. 1992, section 5.2). Rollback at run time
// and recovery's undo of losers are the same functions.
#pragma once

#include "engine/ledger/btree.h"
#include "engine/ledger/core.h"

#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

class Transaction {
 public:
  // Registers with the core as active; leaves it when destroyed.
  explicit Transaction(Core& core);
  // One that recovery found.
  Transaction(Core& core, const ActiveTxn& found);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  // Inserts, updates or deletes a row of a tree, which must be possible.
  Result<void> write(RowAction action, PageId tree, std::string_view key, std::string_view row, bool logged = true);
  // Trees that this transaction made unnecessary: freed once it has committed.
  void drop_trees(const std::vector<PageId>& trees);

  // A place in the chain; undo_to() takes back what came after it.
  Lsn mark() const { return state_.last; }
  Result<void> undo_to(Lsn mark);
  // Undoes one more record; false when there is none left. For recovery, which takes turns.
  Result<bool> undo_next();
  // The same from the wrong end: what a planted bug does.
  Result<bool> undo_oldest();

  // Durable when it returns.
  Result<void> commit();
  Result<void> rollback();
  // After the last undo: says so in the log and frees the trees that the transaction had made.
  Result<void> finish_rollback();

  const ActiveTxn& state() const { return state_; }
  bool changed_anything() const { return state_.last != Lsn::kNone; }

 private:
  Result<void> undo_change(const RowChange& change, Lsn undo_next, bool logged);
  void appended(Lsn lsn);
  Result<void> free_unused();

  Core& core_;
  ActiveTxn state_;
  struct DroppedTree {
    Lsn mark = Lsn::kNone;  // of the chain when it was dropped
    PageId root{};
  };
  std::vector<DroppedTree> dropped_;  // freed after commit
  std::vector<PageId> unused_;        // made by changes that were undone; freed at the end
  Lsn undone_until_ = Lsn::kNone;     // of undo_oldest()
  std::string record_;                // scratch
  std::string undone_;                // scratch: the record that is being undone
};

}  // namespace powercut::ledger
