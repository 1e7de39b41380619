#include "engine/ledger/lock_manager.h"

#include "engine/ledger/lock_conflicts.h"
#include "faultfs/assert.h"

#include <algorithm>

namespace powercut::ledger {
namespace {

// Conversions are before all others.
constexpr std::int64_t kConversion = std::int64_t{1} << 62U;

}  // namespace

LockOwner::~LockOwner() { locks_.release_all(*this); }

LockManager::~LockManager() { POWERCUT_ASSERT(held() == 0 && table_.things() == 0, "locks end after those who hold them"); }

// Walks the shorter of the two lists.
Grant* LockManager::find_grant(LockOwner& owner, Lockable& thing) {
  auto of_thing = thing.holders.begin();
  auto of_owner = owner.grants_.begin();
  for (; of_thing != thing.holders.end() && of_owner != owner.grants_.end(); ++of_thing, ++of_owner) {
    if (of_thing->owner == &owner) return &*of_thing;
    if (of_owner->thing == &thing) return &*of_owner;
  }
  return nullptr;
}

bool LockManager::ask(LockOwner& owner, Lockable& thing, LockModes modes) {
  LockRequest& request = owner.request_;
  request.held = find_grant(owner, thing);
  if (request.held != nullptr && request.held->modes.contains(modes)) return false;
  request.thing = &thing;
  request.tree = thing.tree;
  request.modes = request.held == nullptr ? modes : request.held->modes.with(modes);
  request.place = next_place_++ - (request.held == nullptr ? 0 : kConversion);
  return true;
}

Result<void> LockManager::lock_table(LockOwner& owner, std::uint64_t table, std::string_view name, TableLock mode) {
  if (!ask(owner, table_.table(table, name), mode)) return success();
  return lock(owner.request_);
}

Result<RowMode> LockManager::lock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode mode) {
  const bool more = ask(owner, table_.row(table_.tree(tree), key), mode);
  const RowMode before = owner.request_.held == nullptr ? RowMode::kNone : owner.request_.held->modes.row_mode();
  if (more) POWERCUT_TRYV(lock(owner.request_));
  return before;
}

std::optional<RowMode> LockManager::try_lock_row(LockOwner& owner, PageId tree, std::string_view key, RowMode mode) {
  Lockable& row = table_.row(table_.tree(tree), key);
  const bool more = ask(owner, row, mode);
  const RowMode before = owner.request_.held == nullptr ? RowMode::kNone : owner.request_.held->modes.row_mode();
  if (!more) return before;
  if (is_blocked(owner.request_)) {
    table_.drop_if_idle(row);
    return std::nullopt;
  }
  grant(owner.request_);
  return before;
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
  POWERCUT_TRYV(lock(request));
  return true;
}

Result<void> LockManager::lock(LockRequest& request) {
  if (is_blocked(request)) return wait(request);
  grant(request);
  return success();
}

void LockManager::note_dependence(const LockRequest& request) const {
  const Lsn commit = request.is_range() ? last_early_commit_ : early_commits_[request.thing->hash & (early_commits_.size() - 1)];
  request.owner->depends_on = std::max(request.owner->depends_on, commit);
}

void LockManager::grant(LockRequest& request) {
  LockOwner& owner = *request.owner;
  if (last_early_commit_ != Lsn::kNone) note_dependence(request);
  if (request.is_range()) {
    RangeGrant& made = table_.ranges.take();
    made.owner = &owner;
    made.tree = request.tree;
    made.from.assign(request.range.from);
    made.to.assign(request.range.to);
    made.tree->ranges.push_back(made);
    owner.ranges_.push_back(made);
    return;
  }
  Lockable& thing = *request.thing;
  Grant* held = request.held;
  bool was_exclusive = false;
  if (held == nullptr) {
    held = &table_.grants.take();
    held->owner = &owner;
    held->thing = &thing;
    thing.holders.push_back(*held);
    owner.grants_.push_back(*held);
  } else {
    was_exclusive = held->modes.is_exclusive();
    thing.count(held->modes, false);
  }
  held->modes = request.modes;
  thing.count(held->modes, true);
  if (request.is_exclusive_row() && !was_exclusive) thing.tree->exclusive.push_back(*held);
}

// To nothing: gives it back.
void LockManager::weaken(Grant& held, LockModes modes) {
  Lockable& thing = *held.thing;
  const bool frees_ranges = thing.tree != nullptr && held.modes.is_exclusive();
  if (frees_ranges) thing.tree->exclusive.erase(thing.tree->exclusive.iterator_to(held));
  thing.count(held.modes, false);
  thing.count(modes, true);
  held.modes = modes;
  if (modes.empty()) {
    thing.holders.erase(thing.holders.iterator_to(held));
    held.owner->grants_.erase(held.owner->grants_.iterator_to(held));
    table_.grants.give_back(held);
  }
  serve(thing);
  if (frees_ranges) serve_ranges(*thing.tree, thing.key);
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
  while (!owner.grants_.empty()) weaken(owner.grants_.front(), {});
  while (!owner.ranges_.empty()) release(owner.ranges_.front());
  owner.gives_way_ = false;
}

void LockManager::release_early(LockOwner& owner, Lsn commit) {
  constexpr std::size_t kHashes = 4096;
  if (early_commits_.empty()) early_commits_.assign(kHashes, Lsn::kNone);
  last_early_commit_ = commit;
  for (const Grant& held : owner.grants_) {
    if (held.modes.is_exclusive()) early_commits_[held.thing->hash & (kHashes - 1)] = commit;
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
    if (thing.held[LockModes::kExclusiveMode] > 0) return;
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
