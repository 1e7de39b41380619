// What the lock manager keeps: things that are locked, who holds them, and who waits. Nothing here decides anything.
//
// A row is in the table while somebody holds it or waits for it, and not longer; tables are few, and stay for a while. All nodes
// are pooled: in the steady state a lock costs no allocation. Lists are in the order in which things happened, and only they are
// walked; the order of the hash table decides nothing.
#pragma once

#include "engine/ledger/ids.h"
#include "engine/ledger/lock_key.h"
#include "engine/ledger/lock_modes.h"
#include "faultfs/result.h"
#include "faultfs/scheduler.h"

#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

class LockManager;
class LockOwner;
struct Lockable;
struct LockedTree;

using LockHook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;
template <class T, LockHook T::*hook>
using LockList =
    boost::intrusive::list<T, boost::intrusive::member_hook<T, LockHook, hook>, boost::intrusive::constant_time_size<false>>;

// [from, to) of the keys of a tree; an empty `to` means to the end.
struct KeyRange {
  std::string_view from;
  std::string_view to;

  bool contains(std::string_view key) const { return key >= from && (to.empty() || key < to); }
  bool contains(const KeyRange& other) const { return other.from >= from && (to.empty() || (!other.to.empty() && other.to <= to)); }
};

// What one owner holds of one thing.
struct Grant {
  LockOwner* owner = nullptr;
  Lockable* thing = nullptr;
  LockModes modes;
  Grant* next_table = nullptr;  // of a table: another that the owner holds
  LockHook of_thing;
  LockHook of_owner;
  LockHook of_tree;  // while exclusive, of a row
};

// A range that one owner holds, shared.
struct RangeGrant {
  LockOwner* owner = nullptr;
  LockedTree* tree = nullptr;
  std::string from;
  std::string to;
  LockHook of_tree;
  LockHook of_owner;

  KeyRange range() const { return {from, to}; }
};

// What an owner asks for. It waits for one thing at a time.
struct LockRequest {
  LockOwner* owner = nullptr;
  Lockable* thing = nullptr;   // null: a range
  LockedTree* tree = nullptr;  // null: a table
  Grant* held = nullptr;       // what the owner holds of the thing already: a conversion
  LockModes modes;             // with those that it holds
  KeyRange range;

  enum class State : std::uint8_t { kIdle, kWaiting, kGranted, kRefused };
  State state = State::kIdle;
  // The place in line, smaller before greater. A conversion is before all that hold nothing of the thing.
  std::int64_t place = 0;
  bool out_of_line = false;  // waits for holders only, as those before it in line may wait for its owner
  faultfs::FiberId fiber = 0;
  std::optional<Error> refusal;
  LockHook of_thing;
  LockHook of_tree;  // of a range, and of a row if exclusive

  bool is_range() const { return thing == nullptr; }
  bool is_exclusive_row() const { return thing != nullptr && tree != nullptr && modes.is_exclusive(); }
};

// A tree in which a row or a range was ever locked.
struct LockedTree {
  PageId id{};
  LockList<Grant, &Grant::of_tree> exclusive;  // rows held so
  LockList<RangeGrant, &RangeGrant::of_tree> ranges;
  LockList<LockRequest, &LockRequest::of_tree> waiting_exclusive;
  LockList<LockRequest, &LockRequest::of_tree> waiting_ranges;
};

// A table or a row.
struct Lockable {
  LockedTree* tree = nullptr;  // null: a table
  std::uint64_t hash = 0;      // of a table: what tells it from others
  LockKey key;                 // of a table: its name
  Lockable* next = nullptr;
  LockCounts held;
  LockList<Grant, &Grant::of_thing> holders;
  LockList<LockRequest, &LockRequest::of_thing> waiting;  // by place

  bool idle() const { return holders.empty() && waiting.empty(); }
  // Whether somebody holds what conflicts, apart from one who holds `own`.
  bool conflicts(LockModes modes, LockModes own) const { return held.others_hold(modes.conflicts(), own); }
};

// The locks of one transaction. Gives them back when it ends; must not wait then.
class LockOwner {
 public:
  LockOwner(LockManager& locks, TxnId owner_id) : id(owner_id), locks_(locks) { request_.owner = this; }
  LockOwner(const LockOwner&) = delete;
  LockOwner& operator=(const LockOwner&) = delete;
  ~LockOwner();

  const TxnId id;
  // How many changes a rollback would undo. In a deadlock who has least gives way.
  std::uint64_t cost = 0;
  // How long one wait may take, in virtual nanoseconds.
  std::uint64_t lock_limit = faultfs::Scheduler::kNoLimit;
  // What it has locked was given back by a commit at this place in the log, at the latest: until that is durable, what the
  // owner has seen may yet vanish.
  Lsn depends_on = Lsn::kNone;

 private:
  friend class LockManager;

  LockManager& locks_;
  LockList<Grant, &Grant::of_owner> grants_;
  Grant* tables_ = nullptr;  // of them, those of tables, which are given back together
  LockList<RangeGrant, &RangeGrant::of_owner> ranges_;
  LockRequest request_;
  bool gives_way_ = false;  // was chosen in a deadlock, and has not given its locks back yet
  // Of the search for cycles.
  std::uint64_t search_ = 0;
  LockOwner* reached_from_ = nullptr;
  bool reached_in_line_ = false;
};

template <class T>
class LockPool {
 public:
  T& take() {
    ++in_use_;
    if (free_.empty()) return all_.emplace_back();
    T& taken = *free_.back();
    free_.pop_back();
    return taken;
  }
  void give_back(T& unused) {
    --in_use_;
    free_.push_back(&unused);
  }
  std::size_t in_use() const { return in_use_; }

 private:
  std::size_t in_use_ = 0;
  std::deque<T> all_;
  std::vector<T*> free_;
};

class LockTable {
 public:
  LockTable();

  LockedTree& tree(PageId id) { return last_tree_ != nullptr && last_tree_->id == id ? *last_tree_ : find_tree(id); }
  Lockable& row(LockedTree& tree, std::string_view key) {
    const std::uint64_t hash = hash_of_row(tree, key);
    Lockable* const known = find(hash, tree, key);
    return known != nullptr ? *known : add(hash, &tree, key);
  }
  // Null when nobody holds it or waits for it.
  Lockable* find_row(const LockedTree& tree, std::string_view key) { return find(hash_of_row(tree, key), tree, key); }
  Lockable& table(std::uint64_t id, std::string_view name) {
    for (Lockable* at = bucket(id); at != nullptr; at = at->next) {
      if (at->hash == id && at->tree == nullptr) return *at;
    }
    return add_table(id, name);
  }
  // Forgets a row that nobody holds or waits for.
  void drop_if_idle(Lockable& thing) {
    if (thing.tree != nullptr && thing.idle()) drop(thing);
  }

  LockPool<Grant> grants;
  LockPool<RangeGrant> ranges;
  std::size_t rows() const { return things_.in_use() - tables_.size(); }

 private:
  static std::uint64_t hash_of_row(const LockedTree& tree, std::string_view key) {
    return hash_of_key(key, std::uint64_t{raw(tree.id)} << 32U);
  }
  Lockable* find(std::uint64_t hash, const LockedTree& tree, std::string_view key) {
    for (Lockable* at = bucket(hash); at != nullptr; at = at->next) {
      if (at->hash == hash && at->tree == &tree && same_bytes(at->key, key)) return at;
    }
    return nullptr;
  }
  LockedTree& find_tree(PageId id);
  Lockable& add_table(std::uint64_t id, std::string_view name);
  Lockable& add(std::uint64_t hash, LockedTree* tree, std::string_view key);
  void drop(Lockable& thing);
  void grow();
  Lockable*& bucket(std::uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }

  std::vector<Lockable*> buckets_;
  LockPool<Lockable> things_;
  std::vector<Lockable*> tables_;  // of them, the tables
  std::deque<LockedTree> trees_;
  std::vector<LockedTree*> tree_slots_;  // open addressing, at most half full
  LockedTree* last_tree_ = nullptr;
};

}  // namespace powercut::ledger
