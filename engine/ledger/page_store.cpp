#include "engine/ledger/page_store.h"

#include "faultfs/assert.h"

#include <algorithm>
#include <vector>

namespace powercut::ledger {

inline Result<void> PageStore::image_if_first_change(PageRef& page, Log::Reserve* reserve) {
  if (page.page().lsn() <= checkpoint_begin_) [[unlikely]]
    return image(page, reserve);
  // Its image is in the log since the checkpoint began, but where exactly is forgotten when the page is written.
  pool_.mark_dirty(page, defects_.redirtied_page_late ? log_.end() : checkpoint_begin_);
  return success();
}

Result<void> PageStore::image(PageRef& page, Log::Reserve* reserve) {
  Page changed = page.page();
  if (defects_.no_page_image) {
    pool_.mark_dirty(page, log_.end());
    return success();
  }
  record_.clear();
  encode_images(record_, {&changed, 1});
  POWERCUT_TRY(const Lsn lsn, log_.append(record_, reserve));
  changed.set_lsn(lsn);
  pool_.mark_dirty(page, defects_.rec_lsn_after_image ? log_.end() : lsn);
  return success();
}

Result<Lsn> PageStore::change_row(TxnId txn, Lsn previous, const RowChange& change, PageRef& page) {
  POWERCUT_TRYV(image_if_first_change(page, nullptr));
  POWERCUT_TRY(const Lsn lsn,
               log_.append(row_change_bytes(change), nullptr, [&](char* at) { put_row_change(at, txn, previous, change); }));
  Page changed = page.page();
  apply_checked_row_change(change, changed);
  changed.set_lsn(lsn);
  return lsn;
}

Result<Lsn> PageStore::compensate(TxnId txn, Lsn previous, Lsn undo_next, const RowChange& change, PageRef& page,
                                  Log::Reserve& reserve) {
  Page changed = page.page();
  POWERCUT_TRYV(check_row_change(change, changed));
  POWERCUT_TRYV(image_if_first_change(page, &reserve));
  record_.clear();
  encode_compensation(record_, txn, previous, undo_next, change);
  POWERCUT_TRY(const Lsn lsn, log_.append(record_, &reserve));
  apply_checked_row_change(change, changed);
  changed.set_lsn(lsn);
  return lsn;
}

Result<void> PageStore::change_unlogged(const RowChange& change, PageRef& page) {
  Page changed = page.page();
  pool_.mark_dirty(page, checkpoint_begin_);
  return apply_row_change(change, changed);
}

Result<void> PageStore::free(PageId page) {
  StructureChange change(*this);
  POWERCUT_TRYV(change.free(page));
  return change.log();
}

StructureChange::~StructureChange() {
  if (logged_) return;
  for (Member& member : std::span(members_).first(count_)) {
    if (member.is_new) {
      store_.pool_.forget(std::move(member.ref));
    } else {
      std::copy(member.before.begin(), member.before.end(), member.ref.page().data());
    }
  }
}

const StructureChange::Member* StructureChange::find(PageId page) const {
  const auto members = std::span(members_).first(count_);
  const auto found = std::find_if(members.begin(), members.end(), [page](const Member& m) { return m.ref.page().id() == page; });
  return found == members.end() ? nullptr : &*found;
}

void StructureChange::add(PageRef ref, bool is_new) {
  POWERCUT_ASSERT(count_ < kMostPages, "no structure change has more pages");
  Member& member = members_[count_++];
  member.ref = std::move(ref);
  member.is_new = is_new;
  if (!is_new) std::copy_n(member.ref.page().data(), kPageBytes, member.before.begin());
}

Result<Page> StructureChange::change(PageId page) {
  if (find(page) != nullptr) {
    return Error(ErrorCode::kCorrupt, "data page " + std::to_string(raw(page)) + ": has two places in one tree");
  }
  POWERCUT_TRY(PageRef ref, store_.pool_.fetch(page));
  add(std::move(ref), false);
  return members_[count_ - 1].ref.page();
}

Result<Page> StructureChange::change_or_find(PageId page) {
  if (const Member* const member = find(page)) return member->ref.page();
  return change(page);
}

Result<Page> StructureChange::change_meta() {
  POWERCUT_TRY(const Page meta, change_or_find(kMetaPage));
  if (meta.type() != PageType::kMeta) return Error(ErrorCode::kCorrupt, "data page 0: not the meta page");
  return meta;
}

Result<Page> StructureChange::allocate(PageType type) {
  POWERCUT_TRY(Page meta, change_meta());
  const PageId recycled = meta.link();
  if (recycled != kMetaPage) {
    POWERCUT_TRY(Page page, change(recycled));
    if (page.type() != PageType::kFree) {
      return Error(ErrorCode::kCorrupt, "data page " + std::to_string(raw(recycled)) + ": on the free list, but in use");
    }
    meta.set_link(page.link());
    page.format(recycled, type);
    return page;
  }
  const PageId next{meta.page_count()};
  if (raw(next) <= raw(kCatalogueRoot) || store_.pool_.has(next)) {
    return Error(ErrorCode::kCorrupt, "data page " + std::to_string(raw(next)) + ": the first that was never used, but in use");
  }
  POWERCUT_TRYV(store_.pool_.allocate(next));
  POWERCUT_TRY(PageRef ref, store_.pool_.fetch_blank(next));
  add(std::move(ref), true);
  Page page = members_[count_ - 1].ref.page();
  page.format(next, type);
  meta.set_page_count(raw(next) + 1);
  return page;
}

Result<void> StructureChange::free(PageId id) {
  POWERCUT_TRY(Page page, change_or_find(id));
  POWERCUT_TRY(Page meta, change_meta());
  if (page.type() != PageType::kLeaf && page.type() != PageType::kInner) {
    return Error(ErrorCode::kCorrupt, "data page " + std::to_string(raw(id)) + ": to be freed, but not of a tree");
  }
  const Lsn lsn = page.lsn();
  page.format(id, PageType::kFree);
  page.set_lsn(lsn);
  page.set_link(meta.link());
  meta.set_link(id);
  return success();
}

Result<void> StructureChange::log() {
  const bool leaves_meta_out = store_.defects_.free_list_unlogged;
  std::vector<Page> images;
  for (const Member& member : std::span(members_).first(count_)) {
    const Page page = member.ref.page();
    if (leaves_meta_out && page.type() == PageType::kMeta) {
      store_.pool_.mark_dirty(member.ref, store_.checkpoint_begin_);
      continue;
    }
    images.push_back(page);
  }
  const std::size_t together = store_.defects_.split_not_atomic ? 1 : images.size();
  std::string& record = store_.record_;
  for (std::size_t at = 0; at < images.size(); at += together) {
    record.clear();
    encode_images(record, std::span(images).subspan(at, together));
    POWERCUT_TRY(const Lsn lsn, store_.log_.append(record));
    for (Page& page : std::span(images).subspan(at, together)) page.set_lsn(lsn);
  }
  for (const Member& member : std::span(members_).first(count_)) {
    store_.pool_.mark_dirty(member.ref, member.ref.page().lsn());
    store_.pool_.reshaped(member.ref);
  }
  logged_ = true;
  return success();
}

}  // namespace powercut::ledger
