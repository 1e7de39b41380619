// The buffer pool: pages of the data file in a fixed number of frames (steal, no-force, replaced by the clock).
//
// The write-ahead rule is enforced here and nowhere else: write_back() flushes the log up to the pages' LSNs first. A page
// read from the file must have a matching checksum, be well formed, and be described by the log.
//
// Where I/O suspends fibers, a frame is pinned while its page is read or a copy of it written. A page that is read again and
// again is replaced last; pages are written in batches, so that frames to replace are clean.
#pragma once

#include "engine/ledger/latch.h"
#include "engine/ledger/log.h"
#include "engine/ledger/page.h"
#include "faultfs/file_system.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace powercut::ledger {

class BufferPool;

// Whole pages, aligned as direct I/O wants them.
using AlignedBytes = std::unique_ptr<byte[], void (*)(void*)>;
inline AlignedBytes nothing_aligned() { return {nullptr, std::free}; }

// A pinned page: it stays in its frame while one of these lives.
class PageRef {
 public:
  PageRef() = default;
  PageRef(BufferPool& pool, std::uint32_t frame);
  PageRef(PageRef&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), frame_(other.frame_) {}
  PageRef& operator=(PageRef&& other) noexcept {
    release();
    pool_ = std::exchange(other.pool_, nullptr);
    frame_ = other.frame_;
    return *this;
  }
  ~PageRef() { release(); }

  explicit operator bool() const { return pool_ != nullptr; }
  Page page() const;
  std::uint32_t frame() const { return frame_; }

 private:
  void release();

  BufferPool* pool_ = nullptr;
  std::uint32_t frame_ = 0;
};

// Who else is there, where I/O suspends fibers.
struct Company {
  faultfs::Scheduler* scheduler = nullptr;
  Latch* latch = nullptr;
  bool suspends = false;
};

class BufferPool {
 public:
  struct Frame {
    PageId page{};
    bool dirty = false;
    bool referenced = false;
    bool loading = false;
    bool writing = false;
    std::uint32_t pins = 0;
    PageId leaf_of{};                  // leaf_of()
    Lsn rec_lsn = Lsn::kNone;          // the first change that may not be in the file
    Lsn writing_rec_lsn = Lsn::kNone;  // the same without what is being written
    std::uint64_t in_place_at = 0;     // reads_, when it was found_in_place()
    PageId parent{};                   // that said so
    std::uint64_t shape = 0;           // shape_of()
  };

  // Memory that outlives a pool, for the next one.
  struct Memory {
    AlignedBytes bytes = nothing_aligned();
    std::size_t capacity = 0;  // frames in `bytes`
    std::vector<Frame> frames;
    std::vector<std::uint32_t> where;  // page -> frame + 1
    std::vector<bool> written;         // page -> whether the pool has written it to the file
  };

  BufferPool(std::unique_ptr<faultfs::File> data, std::string data_path, Log& log, const Options& options, Memory& memory,
             const Company& company = {});
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // kCorrupt when the stored page is damaged. A dirty page that cannot be written (kIo, kNoSpace) stays where it is; the
  // error is returned only if no other frame can be had.
  Result<PageRef> fetch(PageId page) {
    if (is_loaded(page)) return PageRef(*this, memory_.where[raw(page)] - 1);
    return fetch_missing(page);
  }
  // The same if it is loaded, else none.
  PageRef fetch_loaded(PageId page) { return is_loaded(page) ? PageRef(*this, memory_.where[raw(page)] - 1) : PageRef(); }
  // The same as fetch() without reading: the caller overwrites all of it.
  Result<PageRef> fetch_blank(PageId page);
  // Whether others should run while the page is read, so that load() comes before fetch().
  bool must_wait_for(PageId page) const { return company_.suspends && company_.latch->may_open() && !is_loaded(page); }
  // Brings the page into the pool with the latch open. It may be gone again when the caller fetches it.
  Result<void> load(PageId page);
  // Whether it is there, and whether fetch() need not wait for it.
  bool is_loaded(PageId page) const { return has(page) && !memory_.frames[memory_.where[raw(page)] - 1].loading; }
  bool has(PageId page) const { return raw(page) < memory_.where.size() && memory_.where[raw(page)] != 0; }
  // Empties the frame of a page, whatever is in it.
  void forget(PageRef ref);
  // Sees to it that there is space in the file for a page behind its end. Once it has been, no write of the page fails for
  // want of space where the file system keeps its word.
  Result<void> allocate(PageId page);

  // Whether the page was found to be what this parent says of its child, and no page was read from the file since: only a page
  // that is read may be an old one that does not fit the others.
  bool is_in_place(const PageRef& ref, PageId parent) const {
    const Frame& frame = memory_.frames[ref.frame()];
    return frame.in_place_at == reads_ && frame.parent == parent;
  }
  void found_in_place(const PageRef& ref, PageId parent) {
    memory_.frames[ref.frame()].in_place_at = reads_;
    memory_.frames[ref.frame()].parent = parent;
  }

  // The root of the tree of which the page of this frame is a leaf, where that was noted and is so still; else no tree's.
  PageId leaf_of(std::uint32_t frame) const { return frame < memory_.frames.size() ? memory_.frames[frame].leaf_of : kMetaPage; }
  void note_leaf(const PageRef& ref, PageId root) { memory_.frames[ref.frame()].leaf_of = root; }
  // Only where leaf_of() of the frame says that there is one.
  PageRef fetch_frame(std::uint32_t frame) { return PageRef(*this, frame); }
  // A number that no other page ever has, and this one until it has left the pool or was reshaped().
  std::uint64_t shape_of(const PageRef& ref) const { return memory_.frames[ref.frame()].shape; }
  // The page of this frame if it has that shape, else none.
  PageRef fetch_shaped(std::uint32_t frame, std::uint64_t shape) {
    return memory_.frames[frame].shape == shape ? PageRef(*this, frame) : PageRef();
  }
  // What keys belong into it may have changed.
  void reshaped(const PageRef& ref) {
    memory_.frames[ref.frame()].shape = ++shapes_;
    memory_.frames[ref.frame()].leaf_of = kMetaPage;
  }

  // rec_lsn counts only if the page was clean.
  void mark_dirty(const PageRef& ref, Lsn rec_lsn) {
    Frame& frame = memory_.frames[ref.frame()];
    if (frame.dirty) return;
    frame.dirty = true;
    frame.rec_lsn = rec_lsn;
  }

  // Writes every page whose rec_lsn is before `until`, some at a time with the latch open between them; returns how many.
  Result<std::size_t> write_back_before(Lsn until);
  // A failure stops the log: the pages written are clean here and may never reach the disk.
  Result<void> sync();
  void dirty_pages(std::vector<DirtyPage>& out) const;
  // The greatest LSN of a page that was read.
  Lsn newest_read() const { return newest_read_; }

 private:
  friend class PageRef;

  Page page_of(std::uint32_t frame) const { return Page(memory_.bytes.get() + std::size_t{frame} * kPageBytes); }
  std::size_t batch_pages() const { return company_.suspends ? options_.page_batch : 1; }

  Result<PageRef> fetch_missing(PageId page);
  // The frame of a page that is in the pool, once it has been read; none when it is not there.
  Result<std::optional<std::uint32_t>> find(PageId page);
  Result<std::uint32_t> bring(PageId page, bool blank);
  Result<void> read(PageId page, std::uint32_t frame);
  Result<void> check(PageId page, const Result<std::size_t>& got, const Page& read);
  // A frame that holds nothing any more; none when others ran meanwhile.
  Result<std::optional<std::uint32_t>> unused_frame();
  Result<void> clean_from(std::uint32_t frame);
  // In place, where nobody else runs meanwhile.
  Result<void> write_back(std::uint32_t frame);
  Result<void> write_page(PageId page, std::span<const byte> bytes);
  void written(std::uint32_t frame);

  // Copies of pages that are at rest: unpinned, or the latch is held.
  struct Batch;
  Batch copy(std::vector<std::uint32_t> frames);
  Result<void> write(const Batch& batch);

  Result<void> wait_for(std::uint32_t frame);
  void wake(std::uint32_t frame);

  std::unique_ptr<faultfs::File> data_;
  std::string data_path_;
  Log& log_;
  const Options& options_;
  Memory& memory_;
  Company company_;
  static constexpr std::uint32_t kAnyFrame = ~0U;
  struct Waiting {
    faultfs::FiberId fiber = 0;
    std::uint32_t frame = kAnyFrame;  // of the page that is read
  };
  std::uint32_t under_way_ = 0;  // reads, and batches that are written
  std::vector<Waiting> waiting_;
  std::uint32_t hand_ = 0;
  std::uint32_t allocated_ = 0;  // pages before it have space in the file; 0: not known
  Lsn newest_read_ = Lsn::kNone;
  std::uint64_t reads_ = 1;   // one more than pages were read from the file
  std::uint64_t shapes_ = 0;  // the last that was given
};

inline PageRef::PageRef(BufferPool& pool, std::uint32_t frame) : pool_(&pool), frame_(frame) {
  auto& taken = pool_->memory_.frames[frame_];
  ++taken.pins;
  taken.referenced = true;
}

inline Page PageRef::page() const { return pool_->page_of(frame_); }

inline void PageRef::release() {
  if (pool_ != nullptr) --pool_->memory_.frames[frame_].pins;
  pool_ = nullptr;
}

}  // namespace powercut::ledger
