// A B+tree of rows by key, over logged pages. The root page never moves, so its number is the tree's.
//
// Structure changes (splits, merges, a root that grows or collapses) are made one at a time, each one log record, before
// the row change that needs them; after each the descent starts again. They are never undone.
//
// A descent that finds a page not in the pool lets others go on while it is read, and begins again. What it returns is what
// the tree was in one moment, which lasts until its caller waits for something.
//
// Pages that do not fit together (a write was lost, or went elsewhere) give kCorrupt, or rows that were there once; never
// an endless loop or a read outside a page.
#pragma once

#include "engine/engine.h"
#include "engine/ledger/page_store.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

class BTree {
 public:
  BTree(PageStore& store, PageId root) : store_(store), root_(root) {}

  // A new, empty tree; the number of its root.
  static Result<PageId> create(PageStore& store);
  // Appends the number of every page of the tree. kCorrupt when a page is there twice.
  Result<void> list_pages(std::vector<PageId>& pages);

  PageId root() const { return root_; }

  struct Leaf {
    PageRef page;
    std::uint16_t slot = 0;
    bool found = false;

    void take(const Page::Place& place) {
      slot = place.slot;
      found = place.found;
    }
  };
  // The leaf that holds the key, or would.
  Result<Leaf> find(std::string_view key);
  // Asks the processor's caches for what find() looks at first.
  [[gnu::always_inline]] void fetch_ahead(std::string_view key) const {
    __builtin_prefetch(&store_.fingers().at(Fingers::hash(root_, key)));
  }
  // The same, after splits so that the leaf has room for the row: as a new cell, or in the place of the one there.
  Result<Leaf> find_with_room(std::string_view key, std::size_t row_bytes);
  // Whether the key's leaf has it already.
  static bool has_room(const Leaf& leaf, std::string_view key, std::size_t row_bytes) {
    const Page page = leaf.page.page();
    if (leaf.found) return row_bytes <= page.free_bytes() + page.value(leaf.slot).size();
    return kCellHeaderBytes + kSlotBytes + key.size() + row_bytes <= page.free_bytes();
  }
  // Merges what has become too empty around the key.
  Result<void> rebalance(std::string_view key);
  // Whether a page is so empty that rebalance() would merge it if it can.
  static bool is_underfull(const Page& page);

  // Rows with from <= key < to in order; an empty `to` means to the end. Stops when visit returns false.
  template <class Visit>
  Result<void> scan(std::string_view from, std::string_view to, Visit&& visit);

 private:
  static constexpr std::size_t kMostLevels = 24;
  struct Path {
    std::array<PageId, kMostLevels> pages{};
    std::size_t levels = 0;
  };

  // The leaf of a key that was found lately, or that comes after all others; false if it is not known.
  bool find_again(std::string_view key, std::uint64_t hash, Leaf& leaf);
  bool find_beyond(std::string_view key, Leaf& leaf);
  void note(std::uint64_t hash, const Leaf& leaf);

  // The leaf for the key; notes the pages on the way, and the smallest key beyond the leaf (empty: none) if asked.
  Result<PageRef> descend(std::string_view key, Path* path, std::string* fence);
  // The same, but gives up before the first page that others should not wait for, if `missing` is given.
  Result<PageRef> walk(std::string_view key, Path* path, std::string* fence, std::optional<PageId>* missing);
  Result<void> split(const Path& path, std::size_t level);
  Result<void> grow_root();
  Result<bool> merge(const Path& path, std::size_t level, std::string_view key);
  Result<bool> collapse_root();
  Result<PageRef> fetch_child(const Page& parent, std::size_t child);
  // Checks a child of an inner node against what the node says of it: its keys are between the child's two separators.
  Result<void> check_place(const Page& parent, std::size_t child, const PageRef& ref);
  Error corrupt(std::string_view what) const;

  PageStore& store_;
  PageId root_;
  bool at_end_ = false;  // the last descent went to the last leaf
};

template <class Visit>
Result<void> BTree::scan(std::string_view from, std::string_view to, Visit&& visit) {
  std::string start(from);
  for (;;) {
    std::string fence;
    POWERCUT_TRY(const PageRef leaf, descend(start, nullptr, &fence));
    const Page page = leaf.page();
    for (std::size_t slot = page.search(start).slot; slot < page.count(); ++slot) {
      if (!to.empty() && page.key(slot) >= to) return success();
      if (!visit(page.key(slot), page.value(slot))) return success();
    }
    if (fence.empty() || (!to.empty() && std::string_view(fence) >= to)) return success();
    start = std::move(fence);
  }
}

}  // namespace powercut::ledger
