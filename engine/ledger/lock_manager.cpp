#include "engine/ledger/lock_manager.h"

#include "engine/ledger/lock_conflicts.h"
#include "faultfs/assert.h"

#include <algorithm>
#include <utility>

namespace powercut::ledger {
namespace {

// Conversions are before all others.
constexpr std::int64_t kConversion = std::int64_t{1} << 62U;

}  // namespace

LockOwner::~LockOwner() { locks_.release_all(*this); }

LockManager::~LockManager() { POWERCUT_ASSERT(held() == 0 && table_.rows() == 0, "locks end after those who hold them"); }

// Walks the shorter of the two lists.
inline Grant* LockManager::find_grant(LockOwner& owner, Lockable& thing) {
  auto of_thing = thing.holders.begin();
  auto of_owner = owner.grants_.begin();
  for (; of_thing != thing.holders.end() && of_owner != owner.grants_.end(); ++of_thing, ++of_owner) {
    if (of_thing->owner == &owner) return &*of_thing;
    if (of_owner->thing == &thing) return &*of_owner;
  }
  return nullptr;
}

void LockManager::grant_range(const LockRequest& request) {
  LockOwner& owner = *request.owner;
  owner.depends_on = std::max(owner.depends_on, last_early_commit_);
  RangeGrant& made = table_.ranges.take();
  made.owner = &owner;
  made.tree = request.tree;
  made.from.assign(request.range.from);
  made.to.assign(request.range.to);
  made.tree->ranges.push_back(made);
  owner.ranges_.push_back(made);
}

inline void LockManager::grant(LockOwner& owner, Lockable& thing, Grant* held, LockModes modes) {
  if (last_early_commit_ != Lsn::kNone) {
    owner.depends_on = std::max(owner.depends_on, early_commits_[thing.hash & (kEarlyCommits - 1)]);
  }
  const LockModes before = held == nullptr ? LockModes() : held->modes;
  if (held == nullptr) {
    held = &table_.grants.take();
    held->owner = &owner;
    held->thing = &thing;
    thing.holders.push_back(*held);
    owner.grants_.push_back(*held);
    if (thing.tree == nullptr) held->next_table = std::exchange(owner.tables_, held);
  }
  thing.held.replace(before, modes);
  held->modes = modes;
  if (thing.tree != nullptr && modes.is_exclusive() && !before.is_exclusive()) thing.tree->exclusive.push_back(*held);
}

void LockManager::grant(const LockRequest& request) {
  if (request.is_range()) return grant_range(request);
  grant(*request.owner, *request.thing, request.held, request.modes);
}

// Whether nobody holds what conflicts and nobody waits, as far as that is seen at a glance.
inline bool LockManager::is_free(const Lockable& thing, LockModes own, LockModes modes) {
  if (!thing.waiting.empty() || thing.conflicts(modes, own)) return false;
  const bool exclusive_row = thing.tree != nullptr && modes.is_exclusive();
  return !exclusive_row || (thing.tree->ranges.empty() && thing.tree->waiting_ranges.empty());
}

inline bool LockManager::lock_at_once(LockOwner& owner, Lockable& thing, Grant* held, LockModes asked) {
  if (held != nullptr && held->modes.contains(asked)) return true;
  const LockModes own = held == nullptr ? LockModes() : held->modes;
  if (is_free(thing, own, own.with(asked))) [[likely]] {
    grant(owner, thing, held, own.with(asked));
    return true;
  }
  LockRequest& request = owner.request_;
  request.held = held;
  request.thing = &thing;
  request.tree = thing.tree;
  request.modes = own.with(asked);
  request.place = next_place_++ - (held == nullptr ? 0 : kConversion);
  if (is_blocked(request)) return false;
  grant(request);
  return true;
}

Result<void> LockManager::lock_table(LockOwner& owner, std::uint64_t table, std::string_view name, TableLock mode) {
  Grant* const held = find_table_grant(owner, table);
  Lockable& thing = held == nullptr ? table_.table(table, name) : *held->thing;
  if (lock_at_once(owner, thing, held, mode)) return success();
  return wait(owner.request_);
}

Result<RowMode> LockManager::lock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode mode) {
  Lockable& row = table_.row(table_.tree(tree), key);
  Grant* const held = find_grant(owner, row);
  const RowMode before = held == nullptr ? RowMode::kNone : held->modes.row_mode();
  if (!lock_at_once(owner, row, held, mode)) [[unlikely]]
    POWERCUT_TRYV(wait(owner.request_));
  return before;
}

std::optional<RowMode> LockManager::try_lock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode mode) {
  Lockable& row = table_.row(table_.tree(tree), key);
  Grant* const held = find_grant(owner, row);
  const RowMode before = held == nullptr ? RowMode::kNone : held->modes.row_mode();
  if (lock_at_once(owner, row, held, mode)) return before;
  table_.drop_if_idle(row);
  return std::nullopt;
}

Result<bool> LockManager::lock_range(LockOwner& owner, PageId tree, std::string_view from, std::string_view to) {
  LockRequest& request = owner.request_;
  request.range = {from, to};
  request.tree = &table_.tree(tree);
  for (const RangeGrant& held : owner.ranges_) {
    if (held.tree == request.tree && held.range().contains(request.range)) return false;
  }
  request.thing = nullptr;
  request.held = nullptr;
  request.modes = RowMode::kShared;
  request.place = next_place_++;
  if (is_blocked(request)) {
    POWERCUT_TRYV(wait(request));
  } else {
    grant_range(request);
  }
  return true;
}

// Of a row: to nothing gives it back.
void LockManager::weaken(Grant& held, LockModes modes) {
  if (modes.empty()) {
    held.owner->grants_.erase(held.owner->grants_.iterator_to(held));
    give_back(held);
    return;
  }
  Lockable& row = *held.thing;
  const bool frees_ranges = held.modes.is_exclusive();
  if (frees_ranges) row.tree->exclusive.erase(row.tree->exclusive.iterator_to(held));
  row.held.replace(held.modes, modes);
  held.modes = modes;
  serve(row);
  if (frees_ranges) serve_ranges(*row.tree, row.key);
}

// Its owner does not list it any more.
inline void LockManager::give_back(Grant& held) {
  Lockable& thing = *held.thing;
  LockedTree* const frees_ranges = held.modes.is_exclusive() ? thing.tree : nullptr;
  if (frees_ranges != nullptr) frees_ranges->exclusive.erase(frees_ranges->exclusive.iterator_to(held));
  thing.held.replace(held.modes, {});
  thing.holders.erase(thing.holders.iterator_to(held));
  table_.grants.give_back(held);
  if (!thing.waiting.empty()) serve(thing);
  if (frees_ranges != nullptr && !frees_ranges->waiting_ranges.empty()) serve_ranges(*frees_ranges, thing.key);
  table_.drop_if_idle(thing);
}

void LockManager::release(RangeGrant& held) {
  LockedTree& tree = *held.tree;
  tree.ranges.erase(tree.ranges.iterator_to(held));
  held.owner->ranges_.erase(held.owner->ranges_.iterator_to(held));
  serve_rows(tree, held.range());
  table_.ranges.give_back(held);
}

void LockManager::unlock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode before) {
  Lockable* const row = table_.find_row(table_.tree(tree), key);
  Grant* const held = row == nullptr ? nullptr : find_grant(owner, *row);
  if (held != nullptr && held->modes.row_mode() > before) weaken(*held, before);
}

void LockManager::unlock_range(LockOwner& owner, PageId tree, std::string_view from, std::string_view to) {
  const LockedTree& in = table_.tree(tree);
  for (RangeGrant& held : owner.ranges_) {
    if (held.tree != &in || held.from != from || held.to != to) continue;
    release(held);
    return;
  }
}

void LockManager::release_all(LockOwner& owner) {
  POWERCUT_ASSERT(owner.request_.state == LockRequest::State::kIdle, "who waits for a lock does not end");
  owner.tables_ = nullptr;
  while (!owner.grants_.empty()) {
    Grant& held = owner.grants_.front();
    owner.grants_.pop_front();
    give_back(held);
  }
  while (!owner.ranges_.empty()) release(owner.ranges_.front());
  owner.gives_way_ = false;
}

void LockManager::release_early(LockOwner& owner, Lsn commit) {
  if (early_commits_.empty()) early_commits_.assign(kEarlyCommits, Lsn::kNone);
  last_early_commit_ = commit;
  for (const Grant& held : owner.grants_) {
    if (held.modes.is_exclusive()) early_commits_[held.thing->hash & (kEarlyCommits - 1)] = commit;
  }
  release_all(owner);
}

bool LockManager::is_blocked(const LockRequest& request) {
  const auto holder = [](const LockOwner&, const Grant*, const RangeGrant*) { return false; };
  const auto waiter = [](const LockRequest&) { return false; };
  return !visit_holders(request, holder) || !visit_line(request, waiter);
}

void LockManager::grant_if_possible(LockRequest& request) {
  if (is_blocked(request)) return;
  leave_line(request);
  grant(request);
  request.state = LockRequest::State::kGranted;
  scheduler_->wake(request.fiber);
}

void LockManager::serve(Lockable& thing) {
  for (auto at = thing.waiting.begin(); at != thing.waiting.end();) {
    if (thing.conflicts(RowMode::kShared, {})) return;
    LockRequest& request = *at++;
    grant_if_possible(request);
    const bool still_waits = request.state == LockRequest::State::kWaiting;
    // Nobody passes it, but who is out of line.
    if (still_waits && request.modes.is_exclusive() && out_of_line_ == 0) return;
  }
}

void LockManager::serve_ranges(LockedTree& tree, std::string_view key) {
  for (auto at = tree.waiting_ranges.begin(); at != tree.waiting_ranges.end();) {
    LockRequest& request = *at++;
    if (request.range.contains(key)) grant_if_possible(request);
  }
}

void LockManager::serve_rows(LockedTree& tree, const KeyRange& range) {
  for (auto at = tree.waiting_exclusive.begin(); at != tree.waiting_exclusive.end();) {
    LockRequest& request = *at++;
    if (range.contains(request.thing->key)) grant_if_possible(request);
  }
}

void LockManager::enter_line(LockRequest& request) {
  request.state = LockRequest::State::kWaiting;
  request.out_of_line = false;
  request.fiber = scheduler_->current();
  if (request.is_range()) {
    request.tree->waiting_ranges.push_back(request);
    return;
  }
  auto& line = request.thing->waiting;
  auto at = line.end();
  if (request.held != nullptr) {
    for (at = line.begin(); at != line.end() && at->place < request.place;) ++at;
  }
  line.insert(at, request);
  if (request.is_exclusive_row()) request.tree->waiting_exclusive.push_back(request);
}

void LockManager::leave_line(LockRequest& request) {
  request.state = LockRequest::State::kIdle;
  if (request.out_of_line) --out_of_line_;
  request.out_of_line = false;
  if (request.is_range()) {
    request.tree->waiting_ranges.erase(request.tree->waiting_ranges.iterator_to(request));
    return;
  }
  request.thing->waiting.erase(request.thing->waiting.iterator_to(request));
  if (request.is_exclusive_row()) request.tree->waiting_exclusive.erase(request.tree->waiting_exclusive.iterator_to(request));
}

void LockManager::withdraw(LockRequest& request) {
  leave_line(request);
  if (request.is_range()) {
    serve_rows(*request.tree, request.range);
    return;
  }
  serve(*request.thing);
  if (request.is_exclusive_row()) serve_ranges(*request.tree, request.thing->key);
  table_.drop_if_idle(*request.thing);
}

}  // namespace powercut::ledger
