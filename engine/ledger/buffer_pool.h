// The buffer pool: pages of the data file in a fixed number of frames (steal, no-force, replaced by the clock).
//
// The write-ahead rule is enforced here and nowhere else: write_back() flushes the log up to the page's LSN first. A page
// read from the file must have a matching checksum, be well formed, and be described by the log.
#pragma once

#include "engine/ledger/log.h"
#include "engine/ledger/page.h"
#include "faultfs/file_system.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace powercut::ledger {

class BufferPool;

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

  Page page() const;
  std::uint32_t frame() const { return frame_; }

 private:
  void release();

  BufferPool* pool_ = nullptr;
  std::uint32_t frame_ = 0;
};

class BufferPool {
 public:
  struct Frame {
    PageId page{};
    bool dirty = false;
    bool referenced = false;
    std::uint32_t pins = 0;
    Lsn rec_lsn = Lsn::kNone;  // the first change that may not be in the file
  };

  // Memory that outlives a pool, for the next one.
  struct Memory {
    std::unique_ptr<byte[]> bytes;
    std::size_t capacity = 0;  // frames in `bytes`
    std::vector<Frame> frames;
    std::vector<std::uint32_t> where;  // page -> frame + 1
    std::vector<bool> written;         // page -> whether the pool has written it to the file
  };

  BufferPool(std::unique_ptr<faultfs::File> data, std::string data_path, Log& log, const Options& options, Memory& memory);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // kCorrupt when the stored page is damaged. A dirty page that cannot be written (kIo, kNoSpace) stays where it is; the
  // error is returned only if no other frame can be had.
  Result<PageRef> fetch(PageId page);
  // The same without reading: the caller overwrites all of it.
  Result<PageRef> fetch_blank(PageId page);
  bool has(PageId page) const { return raw(page) < memory_.where.size() && memory_.where[raw(page)] != 0; }
  // Empties the frame of a page, whatever is in it.
  void forget(PageRef ref);
  // Sees to it that there is space in the file for a page behind its end. Once it has been, no write of the page fails for
  // want of space where the file system keeps its word.
  Result<void> allocate(PageId page);

  // rec_lsn counts only if the page was clean.
  void mark_dirty(const PageRef& ref, Lsn rec_lsn);

  // Writes every dirty page whose rec_lsn is before `until`; returns how many.
  Result<std::size_t> write_back_before(Lsn until);
  // A failure stops the log: the pages written are clean here and may never reach the disk.
  Result<void> sync();
  void dirty_pages(std::vector<DirtyPage>& out) const;
  // The greatest LSN of a page that was read.
  Lsn newest_read() const { return newest_read_; }

 private:
  friend class PageRef;

  Page page_of(std::uint32_t frame) const { return Page(memory_.bytes.get() + std::size_t{frame} * kPageBytes); }
  Result<std::uint32_t> take_frame(PageId page);
  Result<std::uint32_t> replace_by_clock();
  Result<void> write_back(std::uint32_t frame);
  Result<void> write_page(PageId page, std::span<const byte> bytes);

  std::unique_ptr<faultfs::File> data_;
  std::string data_path_;
  Log& log_;
  const Options& options_;
  Memory& memory_;
  std::uint32_t hand_ = 0;
  std::uint32_t allocated_ = 0;  // pages before it have space in the file; 0: not known
  Lsn newest_read_ = Lsn::kNone;
};

}  // namespace powercut::ledger
