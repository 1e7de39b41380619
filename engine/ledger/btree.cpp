#include "engine/ledger/btree.h"

#include <set>

namespace powercut::ledger {
namespace {

constexpr std::size_t kCapacity = kPageBytes - kPageHeaderBytes;
// A page less full than this is merged with a neighbour if both fit one page.
constexpr std::size_t kUnderfull = kCapacity / 4;

std::string_view child_bytes(const PageId& child) { return {reinterpret_cast<const char*>(&child), sizeof(child)}; }

// The slot at which a page is split: the first whose cell begins in the second half of the bytes.
std::size_t middle_slot(const Page& page) {
  const std::size_t half = page.used_bytes() / 2;
  std::size_t before = 0;
  std::size_t slot = 0;
  while (slot + 1 < page.count() && before < half) {
    before += Page::cell_bytes(page.key(slot), page.value(slot));
    ++slot;
  }
  return std::max<std::size_t>(slot, 1);
}

// A separator for two neighbours that are both leaves or both inner nodes, and the cells of the right one.
void append_cells(Page& left, std::string_view separator, const Page& right) {
  if (left.type() == PageType::kInner) left.insert(left.count(), separator, child_bytes(right.link()));
  for (std::size_t slot = 0; slot < right.count(); ++slot) left.insert(left.count(), right.key(slot), right.value(slot));
}

}  // namespace

Error BTree::corrupt(std::string_view what) const {
  return {ErrorCode::kCorrupt, "tree " + std::to_string(raw(root_)) + ": " + std::string(what)};
}

bool BTree::is_underfull(const Page& page) { return page.used_bytes() < kUnderfull; }

Result<PageId> BTree::create(PageStore& store) {
  StructureChange structure(store);
  POWERCUT_TRY(const Page root, structure.allocate(PageType::kLeaf));
  POWERCUT_TRYV(structure.log());
  return root.id();
}

Result<void> BTree::list_pages(std::vector<PageId>& pages) {
  std::vector<PageId> tree{root_};
  std::set<PageId> seen{root_};
  for (std::size_t at = 0; at < tree.size(); ++at) {
    POWERCUT_TRY(const PageRef ref, store_.fetch(tree[at]));
    const Page page = ref.page();
    if (page.type() != PageType::kInner) continue;
    for (std::size_t child = 0; child <= page.count(); ++child) {
      if (!seen.insert(page.child(child)).second) return corrupt("a page has two places in it");
      tree.push_back(page.child(child));
    }
  }
  pages.insert(pages.end(), tree.begin(), tree.end());
  return success();
}

// A child of an inner node, checked against what the node says of it: its keys are between the child's two separators.
Result<PageRef> BTree::fetch_child(const Page& parent, std::size_t child) {
  POWERCUT_TRY(PageRef ref, store_.fetch(parent.child(child)));
  const Page page = ref.page();
  if (page.type() != PageType::kLeaf && page.type() != PageType::kInner) {
    return corrupt("data page " + std::to_string(raw(page.id())) + " is not a page of a tree");
  }
  if (page.count() == 0) return ref;
  if ((child > 0 && compare_keys(page.key(0), parent.key(child - 1)) < 0) ||
      (child < parent.count() && compare_keys(page.key(page.count() - 1U), parent.key(child)) >= 0)) {
    return corrupt("data page " + std::to_string(raw(page.id())) + " holds keys that belong to another");
  }
  return ref;
}

Result<PageRef> BTree::descend(std::string_view key, Path* path, std::string* fence) {
  // In a pool too small for all who need pages at once they could take them from each other for ever: the last try holds on.
  constexpr int kTries = 16;
  for (int tries = 0; tries < kTries; ++tries) {
    std::optional<PageId> missing;
    POWERCUT_TRY(PageRef leaf, walk(key, path, fence, &missing));
    if (!missing) return leaf;
    POWERCUT_TRYV(store_.load(*missing));
  }
  return walk(key, path, fence, nullptr);
}

Result<PageRef> BTree::walk(std::string_view key, Path* path, std::string* fence, std::optional<PageId>* missing) {
  const auto stops_at = [&](PageId page) {
    if (missing == nullptr || !store_.must_wait_for(page)) return false;
    *missing = page;
    return true;
  };
  if (path != nullptr) path->levels = 0;
  if (fence != nullptr) fence->clear();
  if (stops_at(root_)) return PageRef();
  at_end_ = true;
  POWERCUT_TRY(PageRef ref, store_.fetch(root_));
  for (std::size_t level = 0; level < kMostLevels; ++level) {
    const Page page = ref.page();
    if (path != nullptr) path->pages[path->levels++] = page.id();
    if (page.type() == PageType::kLeaf) return ref;
    if (page.type() != PageType::kInner) return corrupt("its root is not a page of a tree");
    const std::size_t child = page.child_for(key);
    at_end_ = at_end_ && child == page.count();
    if (fence != nullptr && child < page.count()) *fence = page.key(child);
    if (stops_at(page.child(child))) return PageRef();
    POWERCUT_TRY(ref, fetch_child(page, child));
  }
  return corrupt("deeper than any tree can be, or a circle");
}

Result<BTree::Leaf> BTree::find_again(std::string_view key) {
  POWERCUT_TRY(Leaf leaf, find_again(key, store_.fingers().at(root_, key)));
  if (leaf.page) return leaf;
  return find_again(key, store_.fingers().at_end(root_));
}

Result<BTree::Leaf> BTree::find_again(std::string_view key, Fingers::Finger& finger) {
  Leaf leaf;
  if (!store_.fingers().is_valid(finger, root_) || !store_.has(finger.leaf)) return leaf;
  POWERCUT_TRY(leaf.page, store_.fetch(finger.leaf));
  const Page page = leaf.page.page();
  if (finger.slot < page.count() && compare_keys(page.key(finger.slot), key) == 0) {
    leaf.slot = finger.slot;
    leaf.found = true;
    return leaf;
  }
  if (page.count() == 0 || compare_keys(key, page.key(0)) < 0) return Leaf();
  if (compare_keys(key, page.key(page.count() - 1U)) > 0) {
    if (!finger.is_last) return Leaf();
    leaf.slot = finger.slot = page.count();
    return leaf;
  }
  const Page::Place place = page.search(key);
  leaf.slot = finger.slot = place.slot;
  leaf.found = place.found;
  return leaf;
}

void BTree::note(std::string_view key, const Leaf& leaf) {
  Fingers& fingers = store_.fingers();
  const PageId page = leaf.page.page().id();
  fingers.note(fingers.at(root_, key), root_, page, leaf.slot, at_end_);
  if (at_end_) fingers.note(fingers.at_end(root_), root_, page, leaf.slot, true);
}

Result<BTree::Leaf> BTree::find(std::string_view key) {
  POWERCUT_TRY(Leaf leaf, find_again(key));
  if (leaf.page) return leaf;
  POWERCUT_TRY(leaf.page, descend(key, nullptr, nullptr));
  const Page::Place place = leaf.page.page().search(key);
  leaf.slot = place.slot;
  leaf.found = place.found;
  note(key, leaf);
  return leaf;
}

namespace {

bool has_room(const BTree::Leaf& leaf, std::string_view key, std::size_t row_bytes) {
  const Page page = leaf.page.page();
  if (leaf.found) return row_bytes <= page.free_bytes() + page.value(leaf.slot).size();
  return kCellHeaderBytes + kSlotBytes + key.size() + row_bytes <= page.free_bytes();
}

}  // namespace

Result<BTree::Leaf> BTree::find_with_room(std::string_view key, std::size_t row_bytes) {
  {
    POWERCUT_TRY(Leaf leaf, find_again(key));
    if (leaf.page && has_room(leaf, key, row_bytes)) return leaf;
  }
  for (;;) {
    Path path;
    Leaf leaf;
    POWERCUT_TRY(leaf.page, descend(key, &path, nullptr));
    const Page::Place place = leaf.page.page().search(key);
    leaf.slot = place.slot;
    leaf.found = place.found;
    if (has_room(leaf, key, row_bytes)) {
      note(key, leaf);
      return leaf;
    }
    leaf.page = PageRef();
    POWERCUT_TRYV(split(path, path.levels - 1));
  }
}

Result<BTree::Leaf> BTree::with_room(Leaf found, std::string_view key, std::size_t row_bytes) {
  if (has_room(found, key, row_bytes)) return found;
  found.page = PageRef();
  return find_with_room(key, row_bytes);
}

// Splits the page at a level of the path into two, or makes room above so that the next try can.
Result<void> BTree::split(const Path& path, std::size_t level) {
  if (level == 0) return grow_root();
  // Not a page of the path stays pinned while one above is split: a deep tree has more levels than a small pool has frames.
  {
    StructureChange structure(store_);
    POWERCUT_TRY(Page from, structure.change(path.pages[level]));
    POWERCUT_TRY(Page above, structure.change(path.pages[level - 1]));
    if (from.count() < 2) return corrupt("a page with fewer than two cells is full");
    const std::size_t middle = middle_slot(from);
    const std::string separator(from.key(middle));
    const Page::Place place = above.search(separator);
    if (place.found) return corrupt("a separator is there twice");
    if (Page::cell_bytes(separator, child_bytes(PageId{})) <= above.free_bytes()) {
      POWERCUT_TRY(Page to, structure.allocate(from.type()));
      if (from.type() == PageType::kLeaf) {
        from.move_tail(middle, to);
      } else {
        to.set_link(from.child(middle + 1));
        from.move_tail(middle + 1, to);
        from.erase(middle);
      }
      above.insert(place.slot, separator, child_bytes(to.id()));
      return structure.log();
    }
  }
  return split(path, level - 1);
}

Result<void> BTree::grow_root() {
  StructureChange structure(store_);
  POWERCUT_TRY(Page top, structure.change(root_));
  POWERCUT_TRY(Page child, structure.allocate(top.type()));
  child.set_link(top.link());
  top.move_tail(0, child);
  const Lsn lsn = top.lsn();
  top.format(root_, PageType::kInner);
  top.set_lsn(lsn);
  top.set_link(child.id());
  return structure.log();
}

Result<void> BTree::rebalance(std::string_view key) {
  for (bool changed = true; changed;) {
    changed = false;
    Path path;
    POWERCUT_TRYV(descend(key, &path, nullptr));
    for (std::size_t level = path.levels - 1; level > 0 && !changed; --level) {
      POWERCUT_TRY(changed, merge(path, level, key));
    }
    if (!changed) {
      POWERCUT_TRY(changed, collapse_root());
    }
  }
  return success();
}

// Merges the page at a level of the path with a neighbour if it is underfull and both fit one page.
Result<bool> BTree::merge(const Path& path, std::size_t level, std::string_view key) {
  PageId left_id{};
  PageId right_id{};
  std::size_t slot = 0;  // of the separator between the two, in the page above
  bool fits = false;
  {
    POWERCUT_TRY(const PageRef here, store_.fetch(path.pages[level]));
    if (!is_underfull(here.page())) return false;
    POWERCUT_TRY(const PageRef parent, store_.fetch(path.pages[level - 1]));
    const Page above = parent.page();
    const std::size_t child = above.child_for(key);
    for (const bool with_right : {true, false}) {
      if (fits || (with_right ? child == above.count() : child == 0)) continue;
      slot = with_right ? child : child - 1;
      POWERCUT_TRY(const PageRef other, fetch_child(above, with_right ? child + 1 : child - 1));
      if (other.page().type() != here.page().type()) return corrupt("two neighbours are of different levels");
      left_id = (with_right ? here : other).page().id();
      right_id = (with_right ? other : here).page().id();
      const std::size_t separator_bytes =
          here.page().type() == PageType::kInner ? Page::cell_bytes(above.key(slot), child_bytes(PageId{})) : 0;
      fits = here.page().used_bytes() + separator_bytes + other.page().used_bytes() <= kCapacity;
    }
  }
  if (!fits) return false;
  StructureChange structure(store_);
  POWERCUT_TRY(Page into, structure.change(left_id));
  POWERCUT_TRY(const Page right, structure.change(right_id));
  POWERCUT_TRY(Page above, structure.change(path.pages[level - 1]));
  append_cells(into, above.key(slot), right);
  above.erase(slot);
  POWERCUT_TRYV(structure.free(right_id));
  POWERCUT_TRYV(structure.log());
  return true;
}

// A root with a single child takes that child's place.
Result<bool> BTree::collapse_root() {
  {
    POWERCUT_TRY(const PageRef root, store_.fetch(root_));
    if (root.page().type() != PageType::kInner || root.page().count() != 0) return false;
    POWERCUT_TRYV(fetch_child(root.page(), 0));
  }
  StructureChange structure(store_);
  POWERCUT_TRY(Page top, structure.change(root_));
  POWERCUT_TRY(Page child, structure.change(top.link()));
  const Lsn lsn = top.lsn();
  top.format(root_, child.type());
  top.set_lsn(lsn);
  top.set_link(child.link());
  child.move_tail(0, top);
  POWERCUT_TRYV(structure.free(child.id()));
  POWERCUT_TRYV(structure.log());
  return true;
}

}  // namespace powercut::ledger
