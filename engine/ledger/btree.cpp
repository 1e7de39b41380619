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

Result<void> BTree::check_place(const Page& parent, std::size_t child, const PageRef& ref) {
  const Page page = ref.page();
  if (page.type() != PageType::kLeaf && page.type() != PageType::kInner) {
    return corrupt("data page " + std::to_string(raw(page.id())) + " is not a page of a tree");
  }
  if (page.count() > 0 && ((child > 0 && compare_keys(page.key(0), parent.key(child - 1)) < 0) ||
                           (child < parent.count() && compare_keys(page.key(page.count() - 1U), parent.key(child)) >= 0))) {
    return corrupt("data page " + std::to_string(raw(page.id())) + " holds keys that belong to another");
  }
  store_.found_in_place(ref, parent.id());
  return success();
}

Result<PageRef> BTree::fetch_child(const Page& parent, std::size_t child) {
  POWERCUT_TRY(PageRef ref, store_.fetch(parent.child(child)));
  if (!store_.is_in_place(ref, parent.id())) POWERCUT_TRYV(check_place(parent, child, ref));
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
  if (path != nullptr) path->levels = 0;
  if (fence != nullptr) fence->clear();
  at_end_ = true;
  PageId at = root_;
  PageRef parent;
  std::size_t child = 0;
  for (std::size_t level = 0; level < kMostLevels; ++level) {
    PageRef ref = store_.fetch_loaded(at);
    if (!ref) {
      if (missing != nullptr && store_.must_wait_for(at)) {
        *missing = at;
        return PageRef();
      }
      POWERCUT_TRY(ref, store_.fetch(at));
    }
    if (parent && !store_.is_in_place(ref, parent.page().id())) POWERCUT_TRYV(check_place(parent.page(), child, ref));
    const Page page = ref.page();
    if (path != nullptr) path->pages[path->levels++] = page.id();
    if (page.type() == PageType::kLeaf) return ref;
    if (page.type() != PageType::kInner) return corrupt("its root is not a page of a tree");
    child = page.child_for(key);
    at_end_ = at_end_ && child == page.count();
    if (fence != nullptr && child < page.count()) *fence = page.key(child);
    at = page.child(child);
    parent = std::move(ref);
  }
  return corrupt("deeper than any tree can be, or a circle");
}

inline bool BTree::find_again(std::string_view key, std::uint64_t hash, Leaf& leaf) {
  if (find_beyond(key, leaf)) return true;
  const Fingers::Finger finger = store_.fingers().at(hash);
  if (store_.leaf_of(finger.frame) != root_) return false;
  leaf.page = store_.fetch_frame(finger.frame);
  const Page page = leaf.page.page();
  if (finger.slot < page.count() && compare_keys(page.key(finger.slot), key) == 0) {
    leaf.slot = finger.slot;
    leaf.found = true;
    return true;
  }
  // It has moved, or the finger is of another.
  if (page.count() == 0 || compare_keys(key, page.key(0)) < 0 || compare_keys(key, page.key(page.count() - 1U)) > 0) return false;
  leaf.take(page.search(key));
  store_.fingers().note(hash, finger.frame, leaf.slot);
  return true;
}

bool BTree::find_beyond(std::string_view key, Leaf& leaf) {
  const Fingers::EndFinger* const finger = store_.fingers().find_end(root_);
  if (finger == nullptr || first_bytes(key) < finger->first) return false;
  leaf.page = store_.fetch_shaped(finger->frame, finger->shape);
  if (!leaf.page) return false;
  const Page page = leaf.page.page();
  if (page.count() == 0 || compare_keys(key, page.key(0)) < 0) return false;
  if (compare_keys(key, page.key(page.count() - 1U)) > 0) {
    leaf.slot = page.count();
    leaf.found = false;
    return true;
  }
  leaf.take(page.search(key));
  return true;
}

void BTree::note(std::uint64_t hash, const Leaf& leaf) {
  Fingers& fingers = store_.fingers();
  const Page page = leaf.page.page();
  const std::uint64_t shape = store_.shape_of(leaf.page);
  fingers.note(hash, leaf.page.frame(), leaf.slot);
  store_.note_leaf(leaf.page, root_);
  if (at_end_) fingers.note_end(root_, leaf.page.frame(), shape, page.count() == 0 ? 0 : first_bytes(page.key(0)));
}

Result<BTree::Leaf> BTree::find(std::string_view key) {
  const std::uint64_t hash = Fingers::hash(root_, key);
  Leaf leaf;
  if (find_again(key, hash, leaf)) return leaf;
  leaf.page = PageRef();
  POWERCUT_TRY(leaf.page, descend(key, nullptr, nullptr));
  leaf.take(leaf.page.page().search(key));
  note(hash, leaf);
  return leaf;
}

Result<BTree::Leaf> BTree::find_with_room(std::string_view key, std::size_t row_bytes) {
  const std::uint64_t hash = Fingers::hash(root_, key);
  {
    Leaf leaf;
    if (find_again(key, hash, leaf) && has_room(leaf, key, row_bytes)) return leaf;
  }
  for (;;) {
    Path path;
    Leaf leaf;
    POWERCUT_TRY(leaf.page, descend(key, &path, nullptr));
    leaf.take(leaf.page.page().search(key));
    if (has_room(leaf, key, row_bytes)) {
      note(hash, leaf);
      return leaf;
    }
    leaf.page = PageRef();
    POWERCUT_TRYV(split(path, path.levels - 1));
  }
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
