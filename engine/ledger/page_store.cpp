#include "engine/ledger/page_store.h"

#include <array>

namespace powercut::ledger {

Result<void> PageStore::image_if_first_change(PageRef& page) {
  Page changed = page.page();
  if (changed.lsn() > checkpoint_begin_) {
    // Its image is in the log since the checkpoint began, but where exactly is forgotten when the page is written.
    pool_.mark_dirty(page, defects_.redirtied_page_late ? log_.end() : checkpoint_begin_);
    return success();
  }
  if (defects_.no_page_image) {
    pool_.mark_dirty(page, log_.end());
    return success();
  }
  record_.clear();
  encode_images(record_, {&changed, 1});
  POWERCUT_TRY(const Lsn lsn, log_.append(record_));
  changed.set_lsn(lsn);
  pool_.mark_dirty(page, defects_.rec_lsn_after_image ? log_.end() : lsn);
  return success();
}

Result<Lsn> PageStore::change_row(TxnId txn, Lsn previous, const RowChange& change, PageRef& page) {
  POWERCUT_TRYV(image_if_first_change(page));
  record_.clear();
  encode_row_change(record_, txn, previous, change);
  POWERCUT_TRY(const Lsn lsn, log_.append(record_));
  Page changed = page.page();
  POWERCUT_TRYV(apply_row_change(change, changed));
  changed.set_lsn(lsn);
  return lsn;
}

Result<Lsn> PageStore::compensate(TxnId txn, Lsn previous, Lsn undo_next, const RowChange& change, PageRef& page) {
  POWERCUT_TRYV(image_if_first_change(page));
  record_.clear();
  encode_compensation(record_, txn, previous, undo_next, change);
  POWERCUT_TRY(const Lsn lsn, log_.append(record_));
  Page changed = page.page();
  POWERCUT_TRYV(apply_row_change(change, changed));
  changed.set_lsn(lsn);
  return lsn;
}

Result<void> PageStore::change_unlogged(const RowChange& change, PageRef& page) {
  Page changed = page.page();
  pool_.mark_dirty(page, checkpoint_begin_);
  return apply_row_change(change, changed);
}

Result<void> PageStore::log_structure(std::initializer_list<PageRef*> pages) {
  std::vector<Page> images;
  for (PageRef* ref : pages) {
    if (defects_.free_list_unlogged && ref->page().type() == PageType::kMeta) {
      pool_.mark_dirty(*ref, checkpoint_begin_);
      continue;
    }
    images.push_back(ref->page());
  }
  const std::size_t together = defects_.split_not_atomic ? 1 : images.size();
  for (std::size_t at = 0; at < images.size(); at += together) {
    record_.clear();
    encode_images(record_, std::span(images).subspan(at, together));
    POWERCUT_TRY(const Lsn lsn, log_.append(record_));
    for (Page& page : std::span(images).subspan(at, together)) page.set_lsn(lsn);
  }
  for (PageRef* ref : pages) pool_.mark_dirty(*ref, ref->page().lsn());
  return success();
}

Result<PageStore::Allocation> PageStore::allocate(PageType type) {
  Allocation made;
  POWERCUT_TRY(made.meta, pool_.fetch(kMetaPage));
  Page meta = made.meta.page();
  const PageId recycled = meta.link();
  if (recycled != kMetaPage) {
    POWERCUT_TRY(made.page, pool_.fetch(recycled));
    if (made.page.page().type() != PageType::kFree) {
      return Error(ErrorCode::kCorrupt, "data page " + std::to_string(raw(recycled)) + ": on the free list, but in use");
    }
    meta.set_link(made.page.page().link());
    made.page.page().format(recycled, type);
  } else {
    const PageId next{meta.page_count()};
    POWERCUT_TRY(made.page, pool_.fetch_blank(next));
    meta.set_page_count(raw(next) + 1);
    made.page.page().format(next, type);
  }
  return made;
}

void PageStore::link_free(PageRef& page, PageRef& meta) {
  const PageId id = page.page().id();
  const Lsn lsn = page.page().lsn();
  page.page().format(id, PageType::kFree);
  page.page().set_lsn(lsn);
  page.page().set_link(meta.page().link());
  meta.page().set_link(id);
}

Result<void> PageStore::free(PageId page) {
  POWERCUT_TRY(PageRef meta, pool_.fetch(kMetaPage));
  POWERCUT_TRY(PageRef freed, pool_.fetch(page));
  link_free(freed, meta);
  return log_structure({&freed, &meta});
}

}  // namespace powercut::ledger
