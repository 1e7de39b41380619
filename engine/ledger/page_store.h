// Pages that are changed only through the log: every change of a page in the database is one of the functions here.
//
// The first change of a page after a checkpoint began is preceded by an image of the whole page (a full page image), so
// that a torn page is restored without being read. A page's LSN later than that checkpoint's BEGIN says that it has one.
#pragma once

#include "engine/ledger/buffer_pool.h"
#include "engine/ledger/log.h"

#include <initializer_list>
#include <string>

namespace powercut::ledger {

class PageStore {
 public:
  PageStore(BufferPool& pool, Log& log, const Defects& defects, Lsn checkpoint_begin)
      : pool_(pool), log_(log), defects_(defects), checkpoint_begin_(checkpoint_begin) {}

  Result<PageRef> fetch(PageId page) { return pool_.fetch(page); }

  // Logs a row change and does it; returns its LSN.
  Result<Lsn> change_row(TxnId txn, Lsn previous, const RowChange& change, PageRef& page);
  // The same, for one that undoes another.
  Result<Lsn> compensate(TxnId txn, Lsn previous, Lsn undo_next, const RowChange& change, PageRef& page);
  // Does a row change and does not log it: what the planted bugs do.
  Result<void> change_unlogged(const RowChange& change, PageRef& page);

  // Logs pages that were changed together, as they are now, in one record: all of it happens or none.
  Result<void> log_structure(std::initializer_list<PageRef*> pages);

  // A page for a new use, from the free list or the end of the file. The meta page changes too: log both.
  struct Allocation {
    PageRef meta;
    PageRef page;
  };
  Result<Allocation> allocate(PageType type);
  // Puts a page that nothing refers to on the free list and logs that.
  Result<void> free(PageId page);
  // Puts it there without logging: log page and meta with the change that made it unused.
  void link_free(PageRef& page, PageRef& meta);

  Lsn checkpoint_begin() const { return checkpoint_begin_; }
  void set_checkpoint_begin(Lsn begin) { checkpoint_begin_ = begin; }

 private:
  Result<void> image_if_first_change(PageRef& page);

  BufferPool& pool_;
  Log& log_;
  const Defects& defects_;
  Lsn checkpoint_begin_;
  std::string record_;  // scratch
};

}  // namespace powercut::ledger
