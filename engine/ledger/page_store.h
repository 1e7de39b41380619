// Pages that are changed only through the log: every change of a page in the database is one of the functions here.
//
// The first change of a page after a checkpoint began is preceded by an image of the whole page (a full page image), so
// that a torn page is restored without being read. A page's LSN later than that checkpoint's BEGIN says that it has one.
#pragma once

#include "engine/ledger/buffer_pool.h"
#include "engine/ledger/fingers.h"
#include "engine/ledger/log.h"

#include <array>
#include <string>

namespace powercut::ledger {

class PageStore {
 public:
  PageStore(BufferPool& pool, Log& log, const Options& options, Lsn checkpoint_begin)
      : pool_(pool), log_(log), defects_(options.defects), checkpoint_begin_(checkpoint_begin), fingers_(options.frames) {}

  Result<PageRef> fetch(PageId page) { return pool_.fetch(page); }
  PageRef fetch_loaded(PageId page) { return pool_.fetch_loaded(page); }
  bool is_in_place(const PageRef& page, PageId parent) const { return pool_.is_in_place(page, parent); }
  void found_in_place(const PageRef& page, PageId parent) { pool_.found_in_place(page, parent); }
  PageId leaf_of(std::uint32_t frame) const { return pool_.leaf_of(frame); }
  void note_leaf(const PageRef& page, PageId root) { pool_.note_leaf(page, root); }
  PageRef fetch_frame(std::uint32_t frame) { return pool_.fetch_frame(frame); }
  std::uint64_t shape_of(const PageRef& page) const { return pool_.shape_of(page); }
  PageRef fetch_shaped(std::uint32_t frame, std::uint64_t shape) { return pool_.fetch_shaped(frame, shape); }
  Fingers& fingers() { return fingers_; }
  // As of the pool: others may change every page before load() returns.
  bool must_wait_for(PageId page) const { return pool_.must_wait_for(page); }
  Result<void> load(PageId page) { return pool_.load(page); }

  // Logs a row change, which the page can take, and does it; returns its LSN. After an error nothing has changed.
  Result<Lsn> change_row(TxnId txn, Lsn previous, const RowChange& change, PageRef& page);
  // The same, for one that undoes another, in the room that is reserved for it.
  Result<Lsn> compensate(TxnId txn, Lsn previous, Lsn undo_next, const RowChange& change, PageRef& page, Log::Reserve& reserve);
  // Does a row change and does not log it: what the planted bugs do.
  Result<void> change_unlogged(const RowChange& change, PageRef& page);

  // Puts a page that nothing refers to on the free list and logs that.
  Result<void> free(PageId page);

  Lsn checkpoint_begin() const { return checkpoint_begin_; }
  void set_checkpoint_begin(Lsn begin) { checkpoint_begin_ = begin; }

 private:
  friend class StructureChange;

  Result<void> image_if_first_change(PageRef& page, Log::Reserve* reserve);
  Result<void> image(PageRef& page, Log::Reserve* reserve);

  BufferPool& pool_;
  Log& log_;
  const Defects& defects_;
  Lsn checkpoint_begin_;
  std::string record_;  // scratch
  Fingers fingers_;
};

// Pages that are changed together, by hand, and logged as they are then, in one record: all of it happens or none. Without
// a log() that succeeded, its end puts every page back as it was.
class StructureChange {
 public:
  explicit StructureChange(PageStore& store) : store_(store) {}
  StructureChange(const StructureChange&) = delete;
  StructureChange& operator=(const StructureChange&) = delete;
  ~StructureChange();

  // A page that will be changed. kCorrupt if it is part of the change already: the pages refer to each other wrongly.
  Result<Page> change(PageId page);
  // An empty page, from the free list or the end of the file. The meta page becomes part of the change.
  Result<Page> allocate(PageType type);
  // Puts a page on the free list. The page and the meta page become part of the change, unless they are.
  Result<void> free(PageId page);

  Result<void> log();

 private:
  struct Member {
    PageRef ref;
    bool is_new = false;  // behind what was the end of the file
    std::array<byte, kPageBytes> before;
  };

  const Member* find(PageId page) const;
  Result<Page> change_or_find(PageId page);
  Result<Page> change_meta();
  void add(PageRef ref, bool is_new);

  static constexpr std::size_t kMostPages = 4;
  PageStore& store_;
  std::array<Member, kMostPages> members_;
  std::size_t count_ = 0;
  bool logged_ = false;
};

}  // namespace powercut::ledger
