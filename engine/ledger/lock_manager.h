// Two-phase locking over fibers: tables, rows, and exact ranges of keys in place of next-key locks.
//
// What others hold in conflict is never granted. Of those who wait, the earlier in line comes first: a request waits also
// for earlier ones in conflict with it, so readers do not starve a writer; a conversion of what its owner holds goes before
// all that convert nothing. All decisions follow from the order of calls alone, so a replayed schedule gives the same locks.
//
// A deadlock is found by the wait that would close it (the waits-for graph, Gray and Reuter 1993, section 7.11). A cycle in
// which each waits for a holder costs one of them its transaction. A cycle that is there only because somebody keeps his
// place in line costs nothing: he is let out of the line.
//
//   LockOwner owner(locks, txn);
//   POWERCUT_TRYV(locks.lock_table(owner, id, "accounts", TableLock::kIntentExclusive));
//   POWERCUT_TRY(const RowMode before, locks.lock_row(owner, tree, key, RowMode::kShared));
//   …                                          // read the row; in read committed that is all:
//   locks.unlock_row(owner, tree, key, before);
//   locks.release_all(owner);                  // at the end of the transaction
//
// Errors of all that may wait. kDeadlock: the owner was chosen to give way; it undoes what it did and calls release_all(),
// and until then is given no lock that it would have to wait for. kDeadlock also where there are no other fibers that could
// release. kTimeout: the owner's limit was over. kStopped: the scheduler ends everything. After an error nothing is locked
// that was not before.
#pragma once

#include "engine/ledger/latch.h"
#include "engine/ledger/lock_table.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

// What people call a tree, for messages.
class LockNames {
 public:
  virtual std::string tree(PageId root) const = 0;

 protected:
  ~LockNames() = default;
};

class LockManager {
 public:
  // All may be null: nobody waits then, trees are called by their numbers, and there is no latch to open while one waits.
  explicit LockManager(faultfs::Scheduler* scheduler, const LockNames* names = nullptr, Latch* latch = nullptr)
      : scheduler_(scheduler), names_(names), latch_(latch) {}
  LockManager(const LockManager&) = delete;
  LockManager& operator=(const LockManager&) = delete;
  // After its owners.
  ~LockManager();

  // `table` tells tables apart; `name` is for people. What is held already is added to, never weakened.
  Result<void> lock_table(LockOwner& owner, std::uint64_t table, std::string_view name, TableLock mode);
  // Whether lock_table() would add nothing.
  static bool holds_table(const LockOwner& owner, std::uint64_t table, TableLock mode) {
    const Grant* const held = find_table_grant(owner, table);
    return held != nullptr && held->modes.contains(mode);
  }
  // A key with or without a row. Returns what the owner held of it before, for unlock_row().
  Result<RowMode> lock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode mode);
  // The same where it need not wait; else nothing.
  std::optional<RowMode> try_lock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode mode);
  // Every key of the range, there or not, shared. Returns whether the owner did not hold all of it before, for unlock_range().
  Result<bool> lock_range(LockOwner& owner, PageId tree, std::string_view from, std::string_view to);

  // Takes back what lock_row() added, if it is still there. Not after a change of the row.
  void unlock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode before);
  // Takes back what lock_range() added.
  void unlock_range(LockOwner& owner, PageId tree, std::string_view from, std::string_view to);
  void release_all(LockOwner& owner);
  // The same before the commit of the owner, which is at this place in the log, is durable: who locks next what the owner has
  // changed depends on it (early lock release, DeWitt et al. 1984, section 5). Rows with like hashes are taken for one, and who
  // locks a range depends on all such commits.
  void release_early(LockOwner& owner, Lsn commit);

  // A planted bug: no search for cycles.
  void ignore_deadlocks(bool ignore) { ignore_deadlocks_ = ignore; }

  struct Counters {
    std::uint64_t waits = 0;
    std::uint64_t deadlocks = 0;  // owners who were chosen to give way
    std::uint64_t timeouts = 0;
  };
  const Counters& counters() const { return counters_; }
  // Locks held, of whatever kind.
  std::size_t held() const { return table_.grants.in_use() + table_.ranges.in_use(); }

 private:
  class WaitText;

  static Grant* find_grant(LockOwner& owner, Lockable& thing);
  static Grant* find_table_grant(const LockOwner& owner, std::uint64_t table) {
    Grant* held = owner.tables_;
    while (held != nullptr && held->thing->hash != table) held = held->next_table;
    return held;
  }
  // For an owner who holds so much of the thing; false if it must wait, for which its request is made.
  bool lock_at_once(LockOwner& owner, Lockable& thing, Grant* held, LockModes asked);
  // `modes`: with those that it holds.
  void grant(LockOwner& owner, Lockable& thing, Grant* held, LockModes modes);
  void grant(const LockRequest& request);
  void grant_range(const LockRequest& request);
  void weaken(Grant& held, LockModes modes);
  void give_back(Grant& held);
  void release(RangeGrant& held);

  // visit(owner, its lock of the thing or of a row in the range, its lock of a range) for all who hold what conflicts, until
  // it returns false; one of the two is null. False if it did.
  template <class Visit>
  static bool visit_holders(const LockRequest& request, Visit&& visit);
  // visit(request) for those before it in line that it must wait for, at least the nearest: the others wait for each other.
  template <class Visit>
  static bool visit_line(const LockRequest& request, Visit&& visit);
  static bool is_blocked(const LockRequest& request);
  static bool is_free(const Lockable& thing, LockModes own, LockModes modes);

  // Grants what can be granted, in line: of a thing; of the ranges that hold a key; of the rows in a range.
  void serve(Lockable& thing);
  void serve_ranges(LockedTree& tree, std::string_view key);
  void serve_rows(LockedTree& tree, const KeyRange& range);
  void grant_if_possible(LockRequest& request);

  Result<void> wait(LockRequest& request);
  void enter_line(LockRequest& request);
  void leave_line(LockRequest& request);
  // Ends a wait in vain, and serves those behind it.
  void withdraw(LockRequest& request);

  // Whether somebody may wait for the owner of this request, so that its wait can close a cycle. That of a conversion is in
  // line before others, so it always may.
  static bool may_be_waited_for(const LockRequest& request);
  // Leaves in cycle_ a shortest cycle that begins with the owner: each waits for the next and the last for the first.
  bool find_cycle(LockOwner& start, bool through_lines);
  void resolve_deadlocks(LockRequest& request);
  void refuse_cheapest();

  std::string thing_text(const LockRequest& request) const;
  std::string wait_text(const LockRequest& request) const;
  std::string tree_text(PageId tree) const;

  faultfs::Scheduler* scheduler_;
  const LockNames* names_;
  Latch* latch_;
  LockTable table_;
  Counters counters_;
  bool ignore_deadlocks_ = false;
  static constexpr std::size_t kEarlyCommits = 4096;
  std::vector<Lsn> early_commits_;  // by hash of what was exclusively locked
  Lsn last_early_commit_ = Lsn::kNone;
  std::int64_t next_place_ = 1;
  std::size_t out_of_line_ = 0;  // requests that wait so
  std::uint64_t searches_ = 0;
  std::vector<LockOwner*> cycle_;    // scratch
  std::vector<LockOwner*> reached_;  // scratch
};

}  // namespace powercut::ledger
