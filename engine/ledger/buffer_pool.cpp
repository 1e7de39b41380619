#include "engine/ledger/buffer_pool.h"

#include "engine/ledger/final_sync.h"
#include "faultfs/assert.h"

#include <sys/mman.h>

#include <algorithm>
#include <optional>

namespace powercut::ledger {
namespace {
// Pages beyond it are not ours: a data file of 64 GiB.
constexpr std::uint32_t kMostPages = 1U << 24U;
constexpr PageId kNoPage{~0U};  // in a frame that holds nothing
// The data file grows by so many pages at a time.
constexpr std::uint32_t kPagesPerExtension = 16;

AlignedBytes aligned_pages(std::size_t pages) {
  auto* const bytes = static_cast<byte*>(std::aligned_alloc(kPageBytes, pages * kPageBytes));
  POWERCUT_ASSERT(bytes != nullptr, "there is memory for the buffer pool");
  return {bytes, std::free};
}

// Of a large pool, each row is on another page of memory than the one before: the kernel is asked for large ones, if it has them.
AlignedBytes pool_memory(std::size_t frames) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20U;
  const std::size_t bytes = frames * kPageBytes;
  if (bytes < kLargePage) return aligned_pages(frames);
  const std::size_t whole = (bytes + kLargePage - 1) / kLargePage * kLargePage;
  auto* const memory = static_cast<byte*>(std::aligned_alloc(kLargePage, whole));
  POWERCUT_ASSERT(memory != nullptr, "there is memory for the buffer pool");
#ifdef MADV_HUGEPAGE
  static_cast<void>(madvise(memory, whole, MADV_HUGEPAGE));
#endif
  return {memory, std::free};
}

class ForPages final : public faultfs::Scheduler::Wait {
 public:
  std::string text() const override { return "pages that are read or written"; }
};

}  // namespace

struct BufferPool::Batch {
  std::vector<std::uint32_t> frames;
  AlignedBytes bytes = nothing_aligned();
  std::vector<faultfs::WriteAt> writes;
  Lsn newest = Lsn::kNone;
};

BufferPool::BufferPool(std::unique_ptr<faultfs::File> data, std::string data_path, Log& log, const Options& options, Memory& memory,
                       const Company& company)
    : data_(std::move(data)), data_path_(std::move(data_path)), log_(log), options_(options), memory_(memory), company_(company) {
  if (memory_.capacity < options_.frames) {
    memory_.bytes = pool_memory(options_.frames);
    memory_.capacity = options_.frames;
  }
}

BufferPool::~BufferPool() {
  POWERCUT_ASSERT(under_way_ == 0, "a pool ends when nobody reads or writes its pages");
  for (const Frame& frame : memory_.frames) {
    if (frame.page != kNoPage) memory_.where[raw(frame.page)] = 0;
  }
  memory_.frames.clear();
  memory_.written.assign(memory_.written.size(), false);
}

Result<PageRef> BufferPool::fetch_missing(PageId page) {
  POWERCUT_TRY(const std::uint32_t frame, bring(page, false));
  return PageRef(*this, frame);
}

Result<PageRef> BufferPool::fetch_blank(PageId page) {
  POWERCUT_TRY(const std::uint32_t frame, bring(page, true));
  return PageRef(*this, frame);
}

Result<void> BufferPool::load(PageId page) {
  return company_.latch->opened([&]() -> Result<void> {
    POWERCUT_TRYV(bring(page, false));
    return success();
  });
}

Result<std::optional<std::uint32_t>> BufferPool::find(PageId page) {
  while (has(page)) {
    const std::uint32_t frame = memory_.where[raw(page)] - 1;
    if (!memory_.frames[frame].loading) return std::optional(frame);
    POWERCUT_TRYV(wait_for(frame));
  }
  return std::optional<std::uint32_t>();
}

Result<std::uint32_t> BufferPool::bring(PageId page, bool blank) {
  if (raw(page) >= kMostPages) {
    return Error(ErrorCode::kCorrupt, data_path_ + ": page " + std::to_string(raw(page)) + " is beyond the largest data file");
  }
  for (;;) {
    POWERCUT_TRY(const auto found, find(page));
    if (found) return *found;
    POWERCUT_TRY(const auto frame, unused_frame());
    if (!frame || has(page)) continue;
    if (raw(page) >= memory_.where.size()) memory_.where.resize(raw(page) + 64U, 0);
    memory_.where[raw(page)] = *frame + 1;
    memory_.frames[*frame].page = page;
    memory_.frames[*frame].referenced = true;
    if (!blank) POWERCUT_TRYV(read(page, *frame));
    memory_.frames[*frame].shape = ++shapes_;
    return *frame;
  }
}

Result<void> BufferPool::read(PageId page, std::uint32_t frame) {
  memory_.frames[frame].loading = true;
  memory_.frames[frame].pins = 1;
  ++under_way_;
  ++reads_;
  const Page into = page_of(frame);
  const auto got = read_full(*data_, std::uint64_t{raw(page)} * kPageBytes, {into.data(), kPageBytes});
  auto usable = check(page, got, into);
  --under_way_;
  memory_.frames[frame].loading = false;
  memory_.frames[frame].pins = 0;
  if (usable.has_error()) {
    memory_.where[raw(page)] = 0;
    memory_.frames[frame].page = kNoPage;
  }
  wake(frame);
  return usable;
}

Result<void> BufferPool::check(PageId page, const Result<std::size_t>& got, const Page& read) {
  const auto damaged = [&](std::string_view how) {
    return Error(ErrorCode::kCorrupt, data_path_ + ": page " + std::to_string(raw(page)) + " (byte " +
                                          std::to_string(std::uint64_t{raw(page)} * kPageBytes) + "): " + std::string(how));
  };
  if (got.has_error()) return got.error();
  if (got.value() < kPageBytes) return damaged("the file ends before it");
  if (!options_.defects.page_checksum_unchecked && !read.checksum_matches())
    return damaged("its checksum does not match its bytes");
  if (read.id() != page && !options_.defects.page_place_unchecked)
    return damaged("it is page " + std::to_string(raw(read.id())) + ", in the wrong place");
  if (!read.well_formed()) return damaged("its slots or cells lie outside it, or its keys are not in order");
  // Records of this incarnation may stand where those that the page tells of were lost.
  const bool ours = raw(page) < memory_.written.size() && memory_.written[raw(page)];
  const Lsn newest = ours ? log_.end() : log_.begin();
  if (log_.is_open() && read.lsn() >= newest && !options_.defects.newer_page_accepted) return damaged("it is newer than the log");
  newest_read_ = std::max(newest_read_, read.lsn());
  return success();
}

// One that was never used, or the first that the clock finds unpinned, not recently used, and clean or possible to write.
Result<std::optional<std::uint32_t>> BufferPool::unused_frame() {
  auto& frames = memory_.frames;
  if (frames.size() < options_.frames) {
    frames.push_back({kNoPage});
    return std::optional(static_cast<std::uint32_t>(frames.size() - 1));
  }
  std::optional<Error> failed;
  for (std::uint32_t looked = 0; looked < 2 * options_.frames; ++looked) {
    const std::uint32_t candidate = hand_;
    hand_ = (hand_ + 1) % options_.frames;
    if (frames[candidate].pins > 0 || std::exchange(frames[candidate].referenced, false)) continue;
    if (frames[candidate].dirty) {
      const auto cleaned = clean_from(candidate);
      if (cleaned.has_error()) {
        failed = cleaned.error();
        continue;
      }
      if (company_.suspends) {
        hand_ = candidate;
        return std::optional<std::uint32_t>();
      }
    }
    if (frames[candidate].page != kNoPage) memory_.where[raw(frames[candidate].page)] = 0;
    frames[candidate] = {kNoPage};
    return std::optional(candidate);
  }
  if (under_way_ > 0) {
    POWERCUT_TRYV(wait_for(kAnyFrame));
    return std::optional<std::uint32_t>();
  }
  POWERCUT_ASSERT(failed.has_value(), "no operation pins as many pages as the smallest pool has frames");
  return *failed;
}

// Writes the page of a frame, and with it some that will be in the way next.
Result<void> BufferPool::clean_from(std::uint32_t frame) {
  if (!company_.suspends) return write_back(frame);
  std::vector<std::uint32_t> together{frame};
  constexpr std::uint32_t kLookedAtForEach = 4;
  const auto farthest = static_cast<std::uint32_t>(std::min<std::size_t>(kLookedAtForEach * batch_pages(), options_.frames));
  for (std::uint32_t ahead = 1; ahead < farthest && together.size() < batch_pages(); ++ahead) {
    const std::uint32_t next = (frame + ahead) % options_.frames;
    if (memory_.frames[next].dirty && memory_.frames[next].pins == 0) together.push_back(next);
  }
  return write(copy(std::move(together)));
}

void BufferPool::forget(PageRef ref) {
  Frame& frame = memory_.frames[ref.frame()];
  if (frame.page != kNoPage) memory_.where[raw(frame.page)] = 0;
  frame.page = kNoPage;
  frame.shape = 0;
  frame.leaf_of = kMetaPage;
  frame.dirty = false;
}

Result<void> BufferPool::allocate(PageId page) {
  if (raw(page) < allocated_) return success();
  if (raw(page) >= kMostPages) {
    return Error(ErrorCode::kNoSpace, data_path_ + ": has as many pages as a data file can have");
  }
  const std::uint32_t pages = std::max(kPagesPerExtension, raw(page) / 16);
  POWERCUT_TRYV(data_->allocate(std::uint64_t{raw(page)} * kPageBytes, std::uint64_t{pages} * kPageBytes));
  allocated_ = raw(page) + pages;
  return success();
}

Result<void> BufferPool::write_back(std::uint32_t frame) {
  Frame& dirty = memory_.frames[frame];
  Page page = page_of(frame);
  if (!options_.defects.page_before_log) POWERCUT_TRYV(log_.flush(page.lsn()));
  page.set_checksum();
  const auto done = write_page(dirty.page, {page.data(), kPageBytes});
  if (done.has_error() && !options_.defects.page_write_error_ignored) return done.error();
  dirty.dirty = false;
  written(frame);
  return success();
}

void BufferPool::written(std::uint32_t frame) {
  const PageId page = memory_.frames[frame].page;
  if (raw(page) >= memory_.written.size()) memory_.written.resize(raw(page) + 64U, false);
  memory_.written[raw(page)] = true;
}

BufferPool::Batch BufferPool::copy(std::vector<std::uint32_t> frames) {
  std::sort(frames.begin(), frames.end(),
            [&](std::uint32_t a, std::uint32_t b) { return memory_.frames[a].page < memory_.frames[b].page; });
  Batch batch;
  batch.bytes = aligned_pages(frames.size());
  for (std::size_t at = 0; at < frames.size(); ++at) {
    Frame& frame = memory_.frames[frames[at]];
    ++frame.pins;
    frame.writing = true;
    frame.writing_rec_lsn = frame.rec_lsn;
    frame.dirty = false;
    Page copied(batch.bytes.get() + at * kPageBytes);
    std::copy_n(page_of(frames[at]).data(), kPageBytes, copied.data());
    copied.set_checksum();
    batch.newest = std::max(batch.newest, copied.lsn());
    batch.writes.push_back({std::uint64_t{raw(frame.page)} * kPageBytes, {copied.data(), kPageBytes}});
  }
  batch.frames = std::move(frames);
  return batch;
}

Result<void> BufferPool::write(const Batch& batch) {
  ++under_way_;
  Result<void> done = success();
  if (!options_.defects.page_before_log) done = log_.flush(batch.newest);
  if (done.has_value()) done = data_->write_each(batch.writes);
  --under_way_;
  const bool counts = done.has_value() || options_.defects.page_write_error_ignored;
  for (const std::uint32_t index : batch.frames) {
    Frame& frame = memory_.frames[index];
    --frame.pins;
    frame.writing = false;
    if (counts) {
      written(index);
    } else {
      frame.rec_lsn = frame.dirty ? std::min(frame.rec_lsn, frame.writing_rec_lsn) : frame.writing_rec_lsn;
      frame.dirty = true;
    }
    wake(index);
  }
  if (counts) return success();
  return done;
}

// Until the page of a frame has been read, or anything has ended.
Result<void> BufferPool::wait_for(std::uint32_t frame) {
  POWERCUT_ASSERT(company_.scheduler != nullptr && company_.scheduler->in_fiber(), "only fibers find each other at work");
  const faultfs::FiberId self = company_.scheduler->current();
  waiting_.push_back({self, frame});
  const ForPages wait;
  if (company_.scheduler->park(wait) != faultfs::Scheduler::Woken::kStopped) return success();
  std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.fiber == self; });
  return Error(ErrorCode::kStopped, "everything ends while pages are read or written");
}

// Those who wait for this frame, and one who waits for any: all of them where nothing is left to wait for.
void BufferPool::wake(std::uint32_t frame) {
  bool another = true;
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    const bool woken = waiting.frame == frame || (waiting.frame == kAnyFrame && std::exchange(another, under_way_ == 0));
    if (woken) company_.scheduler->wake(waiting.fiber);
    return woken;
  });
}

Result<void> BufferPool::write_page(PageId page, std::span<const byte> bytes) {
  const std::uint64_t offset = std::uint64_t{raw(page)} * kPageBytes;
  if (!options_.defects.page_written_short) return write_full(*data_, offset, bytes);
  POWERCUT_TRYV(data_->write(offset, bytes));
  return success();
}

Result<std::size_t> BufferPool::write_back_before(Lsn until) {
  std::size_t count = 0;
  const auto is_meant = [&](const Frame& frame) { return frame.dirty && frame.rec_lsn < until && !frame.writing; };
  if (!company_.suspends) {
    for (std::uint32_t frame = 0; frame < memory_.frames.size(); ++frame) {
      if (!is_meant(memory_.frames[frame])) continue;
      POWERCUT_TRYV(write_back(frame));
      ++count;
    }
    return count;
  }
  for (std::uint32_t frame = 0; frame < memory_.frames.size();) {
    std::vector<std::uint32_t> together;
    for (; frame < memory_.frames.size() && together.size() < batch_pages(); ++frame) {
      if (is_meant(memory_.frames[frame])) together.push_back(frame);
    }
    if (together.empty()) break;
    count += together.size();
    const Batch batch = copy(std::move(together));
    POWERCUT_TRYV(company_.latch->opened([&] { return write(batch); }));
  }
  // What others are writing is not in the file yet, and if they fail it is dirty again.
  const auto is_old = [&](const Frame& frame) { return frame.writing && frame.writing_rec_lsn < until; };
  if (std::none_of(memory_.frames.begin(), memory_.frames.end(), is_old)) return count;
  POWERCUT_TRYV(company_.latch->opened([&] { return wait_for(kAnyFrame); }));
  POWERCUT_TRY(const std::size_t more, write_back_before(until));
  return count + more;
}

Result<void> BufferPool::sync() {
  auto synced = final_sync(*data_, faultfs::SyncKind::kData);
  if (options_.defects.data_sync_retried && synced.has_error()) synced = final_sync(*data_, faultfs::SyncKind::kData);
  if (synced.has_error()) return log_.stop(synced.error());
  return success();
}

void BufferPool::dirty_pages(std::vector<DirtyPage>& out) const {
  out.clear();
  for (const Frame& frame : memory_.frames) {
    if (options_.defects.dirty_page_table_full && out.size() == 4) return;
    if (frame.dirty || frame.writing) {
      out.push_back({frame.page, !frame.writing ? frame.rec_lsn
                                 : !frame.dirty ? frame.writing_rec_lsn
                                                : std::min(frame.rec_lsn, frame.writing_rec_lsn)});
    }
  }
}

}  // namespace powercut::ledger
