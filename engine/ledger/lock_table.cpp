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

Lockable* LockTable::find_row(LockedTree& tree, std::string_view key) {
  const std::uint64_t hash = hash_of(tree, key);
  for (Lockable* at = bucket(hash); at != nullptr; at = at->next) {
    if (at->hash == hash && at->tree == &tree && same_bytes(at->key, key)) return at;
  }
  return nullptr;
}

Lockable& LockTable::row(LockedTree& tree, std::string_view key) {
  const std::uint64_t hash = hash_of(tree, key);
  for (Lockable* at = bucket(hash); at != nullptr; at = at->next) {
    if (at->hash == hash && at->tree == &tree && same_bytes(at->key, key)) return *at;
  }
  return add(hash, &tree, key);
}

Lockable& LockTable::table(std::uint64_t id, std::string_view name) {
  const std::uint64_t hash = hash_of_table(id);
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
