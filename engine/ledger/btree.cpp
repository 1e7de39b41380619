#include "engine/ledger/btree.h"

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

Error BTree::too_deep() const {
  return {ErrorCode::kCorrupt, "tree " + std::to_string(raw(root_)) + ": deeper than any tree can be, or a circle"};
}

Result<PageId> BTree::create(PageStore& store) {
  POWERCUT_TRY(PageStore::Allocation made, store.allocate(PageType::kLeaf));
  POWERCUT_TRYV(store.log_structure({&made.page, &made.meta}));
  return made.page.page().id();
}

Result<void> BTree::free_all() {
  std::vector<PageId> pages{root_};
  for (std::size_t at = 0; at < pages.size(); ++at) {
    POWERCUT_TRY(const PageRef ref, store_.fetch(pages[at]));
    const Page page = ref.page();
    if (page.type() != PageType::kInner) continue;
    for (std::size_t child = 0; child <= page.count(); ++child) pages.push_back(page.child(child));
  }
  for (const PageId page : pages) POWERCUT_TRYV(store_.free(page));
  return success();
}

Result<PageRef> BTree::descend(std::string_view key, Path* path, std::string* fence) {
  PageId next = root_;
  for (std::size_t level = 0; level < kMostLevels; ++level) {
    POWERCUT_TRY(PageRef ref, store_.fetch(next));
    const Page page = ref.page();
    if (path != nullptr) path->pages[path->levels++] = next;
    if (page.type() == PageType::kLeaf) return ref;
    if (page.type() != PageType::kInner) {
      return Error(ErrorCode::kCorrupt,
                   "data page " + std::to_string(raw(next)) + ": not a page of tree " + std::to_string(raw(root_)));
    }
    const std::size_t child = page.child_for(key);
    if (fence != nullptr && child < page.count()) *fence = page.key(child);
    next = page.child(child);
  }
  return too_deep();
}

Result<BTree::Leaf> BTree::find(std::string_view key) {
  Leaf leaf;
  POWERCUT_TRY(leaf.page, descend(key, nullptr, nullptr));
  const Page::Place place = leaf.page.page().search(key);
  leaf.slot = place.slot;
  leaf.found = place.found;
  return leaf;
}

Result<BTree::Leaf> BTree::find_with_room(std::string_view key, std::size_t row_bytes) {
  for (;;) {
    Path path;
    Leaf leaf;
    POWERCUT_TRY(leaf.page, descend(key, &path, nullptr));
    const Page page = leaf.page.page();
    const Page::Place place = page.search(key);
    leaf.slot = place.slot;
    leaf.found = place.found;
    const std::size_t room = page.free_bytes() + (place.found ? page.value(place.slot).size() : 0);
    const std::size_t needed = place.found ? row_bytes : kCellHeaderBytes + kSlotBytes + key.size() + row_bytes;
    if (needed <= room) return leaf;
    leaf.page = PageRef();
    POWERCUT_TRYV(split(path, path.levels - 1));
  }
}

// Splits the page at a level of the path into two, or makes room above so that the next try can.
Result<void> BTree::split(const Path& path, std::size_t level) {
  if (level == 0) return grow_root();
  POWERCUT_TRY(PageRef left, store_.fetch(path.pages[level]));
  POWERCUT_TRY(PageRef parent, store_.fetch(path.pages[level - 1]));
  Page from = left.page();
  const std::size_t middle = middle_slot(from);
  const std::string separator(from.key(middle));
  if (Page::cell_bytes(separator, child_bytes(PageId{})) > parent.page().free_bytes()) {
    // Not a page of the path stays pinned: a deep tree has more levels than a small pool has frames.
    left = PageRef();
    parent = PageRef();
    return split(path, level - 1);
  }

  POWERCUT_TRY(PageStore::Allocation made, store_.allocate(from.type()));
  Page to = made.page.page();
  if (from.type() == PageType::kLeaf) {
    from.move_tail(middle, to);
  } else {
    to.set_link(from.child(middle + 1));
    from.move_tail(middle + 1, to);
    from.erase(middle);
  }
  Page above = parent.page();
  above.insert(above.search(separator).slot, separator, child_bytes(to.id()));
  return store_.log_structure({&left, &made.page, &parent, &made.meta});
}

Result<void> BTree::grow_root() {
  POWERCUT_TRY(PageRef root, store_.fetch(root_));
  Page top = root.page();
  POWERCUT_TRY(PageStore::Allocation made, store_.allocate(top.type()));
  Page child = made.page.page();
  child.set_link(top.link());
  top.move_tail(0, child);
  const Lsn lsn = top.lsn();
  top.format(root_, PageType::kInner);
  top.set_lsn(lsn);
  top.set_link(child.id());
  return store_.log_structure({&root, &made.page, &made.meta});
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
  POWERCUT_TRY(PageRef here, store_.fetch(path.pages[level]));
  if (here.page().used_bytes() >= kUnderfull) return false;
  POWERCUT_TRY(PageRef parent, store_.fetch(path.pages[level - 1]));
  Page above = parent.page();
  const std::size_t child = above.child_for(key);
  for (const bool with_right : {true, false}) {
    if (with_right ? child == above.count() : child == 0) continue;
    const std::size_t slot = with_right ? child : child - 1;  // of the separator between the two
    POWERCUT_TRY(PageRef other, store_.fetch(above.child(with_right ? child + 1 : child - 1)));
    PageRef& left = with_right ? here : other;
    PageRef& right = with_right ? other : here;
    Page into = left.page();
    const std::size_t separator_bytes =
        into.type() == PageType::kInner ? Page::cell_bytes(above.key(slot), child_bytes(PageId{})) : 0;
    if (into.used_bytes() + separator_bytes + right.page().used_bytes() > kCapacity) continue;
    POWERCUT_TRY(PageRef meta, store_.fetch(kMetaPage));
    append_cells(into, above.key(slot), right.page());
    above.erase(slot);
    store_.link_free(right, meta);
    POWERCUT_TRYV(store_.log_structure({&left, &right, &parent, &meta}));
    return true;
  }
  return false;
}

// A root with a single child takes that child's place.
Result<bool> BTree::collapse_root() {
  POWERCUT_TRY(PageRef root, store_.fetch(root_));
  Page top = root.page();
  if (top.type() != PageType::kInner || top.count() != 0) return false;
  POWERCUT_TRY(PageRef only, store_.fetch(top.link()));
  POWERCUT_TRY(PageRef meta, store_.fetch(kMetaPage));
  Page child = only.page();
  const Lsn lsn = top.lsn();
  top.format(root_, child.type());
  top.set_lsn(lsn);
  top.set_link(child.link());
  child.move_tail(0, top);
  store_.link_free(only, meta);
  POWERCUT_TRYV(store_.log_structure({&root, &only, &meta}));
  return true;
}

}  // namespace powercut::ledger
