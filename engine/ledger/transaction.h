// A transaction: its chain of log records, its savepoints, and what happens at its end.
//
// Undo is logical, through the trees, and each step of it is logged as a compensation record that says what is to be
// undone next; so undo, too, survives a crash at any point (ARIES, Mohan et al. 1992, section 5.2). Rollback at run time
// and recovery's undo of losers are the same functions.
#pragma once

#include "engine/ledger/btree.h"
#include "engine/ledger/core.h"
#include "engine/ledger/lock_manager.h"

#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

class Transaction : public ActiveHook {
 public:
  // Registers with the core as active; leaves it when destroyed.
  explicit Transaction(Core& core);
  // One that recovery found.
  Transaction(Core& core, const ActiveTxn& found);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  // Inserts, updates or deletes a row of a tree, which must be possible. After an error the row is as it was.
  Result<void> write(RowAction action, PageId tree, std::string_view key, std::string_view row, bool logged = true);
  // The same where the key was just looked for: inserts the row, or updates the one that is there.
  Result<void> write_at(BTree::Leaf& found, PageId tree, std::string_view key, std::string_view row);
  // Trees that this transaction may have made unnecessary: once it has committed, those that no table has are freed.
  void drop_trees(const std::vector<PageId>& trees);

  // A place in the chain; undo_to() takes back what came after it. After an error another try goes on where it stood.
  Lsn mark() const { return state_.last; }
  Result<void> undo_to(Lsn mark);
  // Undoes one more record; false when there is none left. For recovery, which takes turns.
  Result<bool> undo_next();
  // The same from the wrong end: what a planted bug does.
  Result<bool> undo_oldest();

  // A commit is two steps. append_commit() puts it into the log, and returns the place that must be durable before anybody is
  // told (none if nothing was changed: that is told at once). If it is_over() then, what is left is Core::wait_for_own_commit(),
  // for which nobody needs the transaction; if not, end_commit() with that place. After an error that did not stop the log
  // the transaction is still active; if is_in_doubt(), its commit may be in the log, and only a rollback settles that.
  Result<Lsn> append_commit();
  bool is_over() const { return over_; }
  Result<void> end_commit(Lsn awaited);
  bool is_in_doubt() const { return in_doubt_; }
  // Its COMMIT is in the log: it is over as soon as that is durable.
  bool is_committing() const { return committing_; }
  // After an error another try goes on where it stood.
  Result<void> rollback();
  // After the last undo: says so in the log and frees the trees that the transaction had made.
  Result<void> finish_rollback();

  // Before a checkpoint begins: reserves room for the images of the pages that undo will change, which the checkpoint makes
  // necessary once more.
  Result<void> reserve_images();

  // Released when it is over.
  LockOwner& locks() { return locks_; }

  const ActiveTxn& state() const { return state_; }
  bool changed_anything() const { return state_.last != Lsn::kNone; }

 private:
  Result<void> change_at(BTree::Leaf& leaf, RowAction action, PageId tree, std::string_view key, std::string_view row, bool logged);
  Result<void> undo_change(const RowChange& change, Lsn undo_next, bool logged);
  // The record of its end.
  Result<Lsn> append_plain(RecordType type);
  void appended(Lsn lsn);
  void note_if_underfull(PageId tree, std::string_view key, const Page& page);
  void unused_dropped();
  void keep_unused_trees();
  void release_early(Lsn commit);
  void leave();

  Core& core_;
  ActiveTxn state_;
  LockOwner locks_;
  struct DroppedTree {
    Lsn mark = Lsn::kNone;  // of the chain when it was dropped
    PageId root{};
  };
  std::vector<DroppedTree> dropped_;  // freed after commit
  std::vector<PageId> unused_;        // of changes that were undone; freed at the end unless a table has them
  Lsn undone_until_ = Lsn::kNone;     // of undo_oldest()
  Log::Reserve reserve_;              // room in the log for undo and for the last record
  std::uint64_t changes_ = 0;         // that may have to be undone
  std::uint64_t imaged_ = 0;          // of them, those with room for an image of their page
  Lsn rolled_back_ = Lsn::kNone;      // the record that says so
  bool committing_ = false;
  bool released_early_ = false;
  bool in_doubt_ = false;
  bool over_ = false;
  struct Underfull {
    PageId tree{};
    std::string key;
  };
  std::vector<Underfull> underfull_;  // where pages may be merged after the end
  std::string undone_;                // scratch: the record that is being undone
};

}  // namespace powercut::ledger
