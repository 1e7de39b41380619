#include "engine/ledger/lock_table.h"

#include "faultfs/assert.h"
#include "faultfs/hash.h"

#include <span>

namespace powercut::ledger {
namespace {

std::uint64_t hash_of(const LockedTree& tree, std::string_view key) {
  return hash64(std::span(reinterpret_cast<const byte*>(key.data()), key.size()), raw(tree.id));
}

}  // namespace

void Lockable::count(LockModes modes, bool more) {
  for (std::size_t mode = 0; mode < held.size(); ++mode) {
    if (modes.has(mode)) held[mode] += more ? 1U : ~0U;
  }
}

bool Lockable::conflicts(LockModes modes, LockModes own) const {
  for (std::size_t mode = 0; mode < held.size(); ++mode) {
    if (modes.conflicts_with_mode(mode) && held[mode] > (own.has(mode) ? 1U : 0U)) return true;
  }
  return false;
}

LockTable::LockTable() : buckets_(64), tree_slots_(16) {}

LockedTree& LockTable::tree(PageId id) {
  if (last_tree_ != nullptr && last_tree_->id == id) return *last_tree_;
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

Lockable* LockTable::find_row(LockedTree& tree, std::string_view key) {
  for (Lockable* at = bucket(hash_of(tree, key)); at != nullptr; at = at->next) {
    if (at->tree == &tree && at->key == key) return at;
  }
  return nullptr;
}

Lockable& LockTable::row(LockedTree& tree, std::string_view key) {
  const std::uint64_t hash = hash_of(tree, key);
  for (Lockable* at = bucket(hash); at != nullptr; at = at->next) {
    if (at->hash == hash && at->tree == &tree && at->key == key) return *at;
  }
  return add(hash, &tree, key);
}

// mix64 is one to one: tables with the same hash have the same id.
Lockable& LockTable::table(std::uint64_t id, std::string_view name) {
  const std::uint64_t hash = mix64(id);
  for (Lockable* at = bucket(hash); at != nullptr; at = at->next) {
    if (at->hash == hash && at->tree == nullptr) return *at;
  }
  return add(hash, nullptr, name);
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

void LockTable::drop_if_idle(Lockable& thing) {
  if (!thing.idle()) return;
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
