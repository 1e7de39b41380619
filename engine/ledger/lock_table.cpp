#include "engine/ledger/lock_table.h"

#include "faultfs/hash.h"

namespace powercut::ledger {
LockTable::LockTable() : buckets_(64), tree_slots_(16) {}

LockedTree& LockTable::find_tree(PageId id) {
  const auto slot_of = [&](PageId wanted) -> LockedTree*& {
    std::size_t at = mix64(raw(wanted)) & (tree_slots_.size() - 1);
    while (tree_slots_[at] != nullptr && tree_slots_[at]->id != wanted) at = (at + 1) & (tree_slots_.size() - 1);
    return tree_slots_[at];
  };
  LockedTree* found = slot_of(id);
  if (found == nullptr) {
    if (trees_.size() >= tree_slots_.size() / 2) {
      tree_slots_.assign(tree_slots_.size() * 2, nullptr);
      for (LockedTree& known : trees_) slot_of(known.id) = &known;
    }
    found = &trees_.emplace_back();
    found->id = id;
    slot_of(id) = found;
  }
  last_tree_ = found;
  return *found;
}

// Of tables that nobody holds or waits for many would stay for ever where tables come and go.
Lockable& LockTable::add_table(std::uint64_t id, std::string_view name) {
  constexpr std::size_t kMostTables = 64;
  if (tables_.size() >= kMostTables) {
    std::erase_if(tables_, [&](Lockable* table) {
      if (!table->idle()) return false;
      drop(*table);
      return true;
    });
  }
  tables_.push_back(&add(id, nullptr, name));
  return *tables_.back();
}

Lockable& LockTable::add(std::uint64_t hash, LockedTree* tree, std::string_view key) {
  Lockable& added = things_.take();
  if (things_.in_use() > buckets_.size()) grow();
  added.tree = tree;
  added.hash = hash;
  added.key.assign(key);
  added.next = bucket(hash);
  bucket(hash) = &added;
  return added;
}

void LockTable::drop(Lockable& thing) {
  Lockable** at = &bucket(thing.hash);
  while (*at != &thing) at = &(*at)->next;
  *at = thing.next;
  things_.give_back(thing);
}

void LockTable::grow() {
  std::vector<Lockable*> before(buckets_.size() * 2);
  before.swap(buckets_);
  for (Lockable* at : before) {
    while (at != nullptr) {
      Lockable* const next = at->next;
      at->next = bucket(at->hash);
      bucket(at->hash) = at;
      at = next;
    }
  }
}

}  // namespace powercut::ledger
