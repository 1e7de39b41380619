// The waits of the lock manager: parking, cycles among those who wait, and what people are told of them.
#include "engine/ledger/lock_conflicts.h"
#include "engine/ledger/lock_manager.h"
#include "engine/row.h"
#include "faultfs/assert.h"

#include <algorithm>
#include <utility>

namespace powercut::ledger {
namespace {

using faultfs::Scheduler;

constexpr std::size_t kMostNamed = 4;  // of those who hold something, in a message

// A read outside a transaction has no number.
std::string name_of(const LockOwner& owner) {
  return owner.id == TxnId::kNone ? "a single read" : "txn " + std::to_string(raw(owner.id));
}

// Such a read is the cheapest to repeat.
bool is_younger(const LockOwner& owner, const LockOwner& other) {
  return other.id != TxnId::kNone && (owner.id == TxnId::kNone || owner.id > other.id);
}

// A key with a zero after it is the first beyond the key.
std::string range_text(const KeyRange& range) {
  const bool closed = !range.to.empty() && range.to.back() == '\0';
  const std::string_view last = closed ? range.to.substr(0, range.to.size() - 1) : range.to;
  if (closed && last == range.from) return "[" + engine::bytes_text(last) + "]";
  return "[" + engine::bytes_text(range.from) + ".." + engine::bytes_text(last) + (closed ? "]" : ")");
}

}  // namespace

class LockManager::WaitText final : public Scheduler::Wait {
 public:
  WaitText(const LockManager& locks, const LockRequest& request) : locks_(locks), request_(request) {}
  std::string text() const override { return locks_.wait_text(request_); }

 private:
  const LockManager& locks_;
  const LockRequest& request_;
};

Result<void> LockManager::wait(LockRequest& request) {
  LockOwner& owner = *request.owner;
  const auto refuse = [&](ErrorCode code, std::string text) -> Result<void> {
    if (!request.is_range()) table_.drop_if_idle(*request.thing);
    return Error(code, std::move(text));
  };
  if (scheduler_ == nullptr || !scheduler_->in_fiber()) {
    return refuse(ErrorCode::kDeadlock, name_of(owner) + " needs " + wait_text(request) + ", and nobody can release it");
  }
  if (owner.gives_way_) {
    return refuse(ErrorCode::kDeadlock, name_of(owner) + " was chosen to give way, and cannot wait for " + wait_text(request));
  }
  ++counters_.waits;
  enter_line(request);
  if (!ignore_deadlocks_ && !scheduler_->stopped()) resolve_deadlocks(request);
  Scheduler::Woken woken = Scheduler::Woken::kWoken;
  if (request.state == LockRequest::State::kWaiting) {
    const auto park = [&]() -> Result<Scheduler::Woken> { return scheduler_->park(WaitText(*this, request), owner.lock_limit); };
    const auto parked = latch_ == nullptr ? park() : latch_->opened(park);
    if (parked.has_error()) {
      if (request.state == LockRequest::State::kWaiting) withdraw(request);
      request.state = LockRequest::State::kIdle;
      return parked.error();
    }
    woken = parked.value();
  }
  if (request.state != LockRequest::State::kWaiting) {
    const bool granted = std::exchange(request.state, LockRequest::State::kIdle) == LockRequest::State::kGranted;
    if (granted) return success();
    return *std::exchange(request.refusal, std::nullopt);
  }
  POWERCUT_ASSERT(woken != Scheduler::Woken::kWoken, "nobody else wakes who waits for a lock");
  std::string text = wait_text(request);
  withdraw(request);
  if (woken == Scheduler::Woken::kStopped) {
    return Error(ErrorCode::kStopped, "everything ends while " + name_of(owner) + " waits for " + text);
  }
  ++counters_.timeouts;
  return Error(ErrorCode::kTimeout, name_of(owner) + " waited too long for " + text);
}

bool LockManager::may_be_waited_for(const LockRequest& request) {
  const LockOwner& owner = *request.owner;
  for (const RangeGrant& held : owner.ranges_) {
    if (!held.tree->waiting_exclusive.empty()) return true;
  }
  return std::any_of(owner.grants_.begin(), owner.grants_.end(), [](const Grant& held) {
    return !held.thing->waiting.empty() ||
           (held.thing->tree != nullptr && held.modes.is_exclusive() && !held.thing->tree->waiting_ranges.empty());
  });
}

bool LockManager::find_cycle(LockOwner& start, bool through_lines) {
  ++searches_;
  reached_.assign(1, &start);
  start.search_ = searches_;
  for (std::size_t next = 0; next < reached_.size(); ++next) {
    LockOwner& at = *reached_[next];
    if (at.request_.state != LockRequest::State::kWaiting) continue;
    const auto reach = [&](LockOwner& owner, bool in_line) {
      if (&owner != &start && owner.search_ == searches_) return true;
      owner.search_ = searches_;
      owner.reached_from_ = &at;
      owner.reached_in_line_ = in_line;
      reached_.push_back(&owner);
      return &owner != &start;
    };
    const bool done =
        visit_holders(at.request_, [&](LockOwner& owner, const Grant*, const RangeGrant*) { return reach(owner, false); }) &&
        (!through_lines || visit_line(at.request_, [&](const LockRequest& other) { return reach(*other.owner, true); }));
    if (done) continue;
    cycle_.clear();
    for (LockOwner* back = start.reached_from_; back != &start; back = back->reached_from_) cycle_.push_back(back);
    cycle_.push_back(&start);
    std::reverse(cycle_.begin(), cycle_.end());
    return true;
  }
  return false;
}

// A new cycle goes through the new wait: every other edge is older, or leads to one who did not wait.
void LockManager::resolve_deadlocks(LockRequest& request) {
  if (!may_be_waited_for(request)) return;
  while (request.state == LockRequest::State::kWaiting) {
    if (find_cycle(*request.owner, false)) {
      refuse_cheapest();
      continue;
    }
    if (!find_cycle(*request.owner, true)) return;
    std::size_t at = 0;
    while (at < cycle_.size() && !cycle_[(at + 1) % cycle_.size()]->reached_in_line_) ++at;
    POWERCUT_ASSERT(at < cycle_.size(), "a cycle of holders alone was found before");
    LockRequest& overtaking = cycle_[at]->request_;
    overtaking.out_of_line = true;
    ++out_of_line_;
    grant_if_possible(overtaking);
  }
}

void LockManager::refuse_cheapest() {
  LockOwner* victim = cycle_.front();
  bool tie = false;
  for (LockOwner* owner : cycle_) {
    if (owner == victim || owner->cost > victim->cost) continue;
    tie = owner->cost == victim->cost;
    if (!tie || is_younger(*owner, *victim)) victim = owner;
  }
  std::string text;
  for (std::size_t at = 0; at < cycle_.size(); ++at) {
    text += (at == 0 ? "" : ", ") + name_of(*cycle_[at]) + " waits for " + name_of(*cycle_[(at + 1) % cycle_.size()]) + " (" +
            thing_text(cycle_[at]->request_) + ")";
  }
  text += "; " + name_of(*victim) + " was chosen as it " +
          (tie ? "is the youngest of those that have changed least" : "has changed least");
  ++counters_.deadlocks;
  LockRequest& request = victim->request_;
  withdraw(request);
  request.state = LockRequest::State::kRefused;
  request.refusal.emplace(ErrorCode::kDeadlock, std::move(text));
  victim->gives_way_ = true;
  scheduler_->wake(request.fiber);
}

std::string LockManager::tree_text(PageId tree) const {
  return names_ == nullptr ? "tree " + std::to_string(raw(tree)) : names_->tree(tree);
}

std::string LockManager::thing_text(const LockRequest& request) const {
  const std::string_view mode = request.tree == nullptr ? request.modes.table_text() : request.modes.row_text();
  std::string text = std::string(mode) + " lock of ";
  if (request.tree == nullptr) return text.append("table ").append(request.thing->key);
  text += tree_text(request.tree->id);
  return text + (request.is_range() ? range_text(request.range) : "[" + engine::bytes_text(request.thing->key) + "]");
}

std::string LockManager::wait_text(const LockRequest& request) const {
  const std::string thing = thing_text(request);
  std::string text = (thing.starts_with("shared") ? "a " : "an ") + thing;
  std::size_t named = 0;
  const auto name = [&](std::string_view how, const LockOwner& owner, std::string_view mode) {
    if (++named > kMostNamed) {
      text += " and others";
      return false;
    }
    text.append(", ").append(named > 1 ? "" : how).append(name_of(owner)).append(" (").append(mode).append(")");
    return true;
  };
  visit_holders(request, [&](const LockOwner& owner, const Grant* held, const RangeGrant* range) {
    std::string mode(range != nullptr ? "shared" : request.tree == nullptr ? held->modes.table_text() : held->modes.row_text());
    if (range != nullptr) mode += " " + range_text(range->range());
    if (request.is_range()) mode += " [" + engine::bytes_text(held->thing->key) + "]";
    return name("held by ", owner, mode);
  });
  if (named > 0) return text;
  visit_line(request, [&](const LockRequest& other) {
    return name("asked for before by ", *other.owner, other.tree == nullptr ? other.modes.table_text() : other.modes.row_text());
  });
  return text;
}

}  // namespace powercut::ledger
