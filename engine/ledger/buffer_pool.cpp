#include "engine/ledger/buffer_pool.h"

#include "engine/ledger/final_sync.h"
#include "faultfs/assert.h"

#include <algorithm>
#include <optional>

namespace powercut::ledger {
namespace {
// Pages beyond it are not ours: a data file of 64 GiB.
constexpr std::uint32_t kMostPages = 1U << 24U;
constexpr PageId kNoPage{~0U};  // in a frame that holds nothing
// The data file grows by so many pages at a time.
constexpr std::uint32_t kPagesPerExtension = 16;
}  // namespace

PageRef::PageRef(BufferPool& pool, std::uint32_t frame) : pool_(&pool), frame_(frame) {
  auto& taken = pool_->memory_.frames[frame_];
  ++taken.pins;
  taken.referenced = true;
}

Page PageRef::page() const { return pool_->page_of(frame_); }

void PageRef::release() {
  if (pool_ != nullptr) --pool_->memory_.frames[frame_].pins;
  pool_ = nullptr;
}

BufferPool::BufferPool(std::unique_ptr<faultfs::File> data, std::string data_path, Log& log, const Options& options, Memory& memory)
    : data_(std::move(data)), data_path_(std::move(data_path)), log_(log), options_(options), memory_(memory) {
  if (memory_.capacity < options_.frames) {
    memory_.bytes = std::make_unique_for_overwrite<byte[]>(std::size_t{options_.frames} * kPageBytes);
    memory_.capacity = options_.frames;
  }
}

BufferPool::~BufferPool() {
  for (const Frame& frame : memory_.frames) {
    if (frame.page != kNoPage) memory_.where[raw(frame.page)] = 0;
  }
  memory_.frames.clear();
  memory_.written.assign(memory_.written.size(), false);
}

Result<PageRef> BufferPool::fetch(PageId page) {
  if (has(page)) return PageRef(*this, memory_.where[raw(page)] - 1);
  POWERCUT_TRY(const std::uint32_t frame, take_frame(page));
  Page read = page_of(frame);
  const auto got = read_full(*data_, std::uint64_t{raw(page)} * kPageBytes, {read.data(), kPageBytes});
  const auto damaged = [&](std::string_view how) {
    return Error(ErrorCode::kCorrupt, data_path_ + ": page " + std::to_string(raw(page)) + " (byte " +
                                          std::to_string(std::uint64_t{raw(page)} * kPageBytes) + "): " + std::string(how));
  };
  const auto usable = [&]() -> Result<void> {
    if (got.has_error()) return got.error();
    if (got.value() < kPageBytes) return damaged("the file ends before it");
    if (!options_.defects.page_checksum_unchecked && !read.checksum_matches())
      return damaged("its checksum does not match its bytes");
    if (read.id() != page) return damaged("it is page " + std::to_string(raw(read.id())) + ", in the wrong place");
    if (!read.well_formed()) return damaged("its slots or cells lie outside it, or its keys are not in order");
    // Records of this incarnation may stand where those that the page tells of were lost.
    const bool ours = raw(page) < memory_.written.size() && memory_.written[raw(page)];
    if (log_.is_open() && read.lsn() >= (ours ? log_.end() : log_.begin())) return damaged("it is newer than the log");
    newest_read_ = std::max(newest_read_, read.lsn());
    return success();
  }();
  if (usable.has_error()) {
    memory_.where[raw(page)] = 0;
    memory_.frames[frame].page = kNoPage;
    return usable.error();
  }
  return PageRef(*this, frame);
}

Result<PageRef> BufferPool::fetch_blank(PageId page) {
  if (has(page)) return PageRef(*this, memory_.where[raw(page)] - 1);
  POWERCUT_TRY(const std::uint32_t frame, take_frame(page));
  return PageRef(*this, frame);
}

// A frame for the page: an unused one, or the first that the clock finds unpinned and not recently used.
Result<std::uint32_t> BufferPool::take_frame(PageId page) {
  if (raw(page) >= kMostPages) {
    return Error(ErrorCode::kCorrupt, data_path_ + ": page " + std::to_string(raw(page)) + " is beyond the largest data file");
  }
  std::uint32_t chosen = static_cast<std::uint32_t>(memory_.frames.size());
  if (chosen < options_.frames) {
    memory_.frames.emplace_back();
  } else {
    POWERCUT_TRY(chosen, replace_by_clock());
    if (memory_.frames[chosen].page != kNoPage) memory_.where[raw(memory_.frames[chosen].page)] = 0;
  }
  if (raw(page) >= memory_.where.size()) memory_.where.resize(raw(page) + 64U, 0);
  memory_.where[raw(page)] = chosen + 1;
  memory_.frames[chosen] = Frame{page, false, true, 0, Lsn::kNone};
  return chosen;
}

// The first frame that is unpinned, was not used since the hand last passed, and is clean or can be written.
Result<std::uint32_t> BufferPool::replace_by_clock() {
  std::optional<Error> failed;
  for (std::uint32_t looked = 0; looked < 2 * options_.frames; ++looked) {
    const std::uint32_t candidate = hand_;
    hand_ = (hand_ + 1) % options_.frames;
    Frame& frame = memory_.frames[candidate];
    if (frame.pins > 0 || std::exchange(frame.referenced, false)) continue;
    const auto written = write_back(candidate);
    if (written.has_value()) return candidate;
    failed = written.error();
  }
  POWERCUT_ASSERT(failed.has_value(), "no operation pins as many pages as the smallest pool has frames");
  return *failed;
}

void BufferPool::forget(PageRef ref) {
  Frame& frame = memory_.frames[ref.frame()];
  if (frame.page != kNoPage) memory_.where[raw(frame.page)] = 0;
  frame.page = kNoPage;
  frame.dirty = false;
}

Result<void> BufferPool::allocate(PageId page) {
  if (raw(page) < allocated_) return success();
  if (raw(page) >= kMostPages) {
    return Error(ErrorCode::kNoSpace, data_path_ + ": has as many pages as a data file can have");
  }
  POWERCUT_TRYV(data_->allocate(std::uint64_t{raw(page)} * kPageBytes, std::uint64_t{kPagesPerExtension} * kPageBytes));
  allocated_ = raw(page) + kPagesPerExtension;
  return success();
}

Result<void> BufferPool::write_back(std::uint32_t frame) {
  Frame& written = memory_.frames[frame];
  if (!written.dirty) return success();
  Page page = page_of(frame);
  if (!options_.defects.page_before_log) POWERCUT_TRYV(log_.flush(page.lsn()));
  page.set_checksum();
  const auto done = write_page(written.page, {page.data(), kPageBytes});
  if (done.has_error() && !options_.defects.page_write_error_ignored) return done.error();
  written.dirty = false;
  if (raw(written.page) >= memory_.written.size()) memory_.written.resize(raw(written.page) + 64U, false);
  memory_.written[raw(written.page)] = true;
  return success();
}

Result<void> BufferPool::write_page(PageId page, std::span<const byte> bytes) {
  const std::uint64_t offset = std::uint64_t{raw(page)} * kPageBytes;
  if (!options_.defects.page_written_short) return write_full(*data_, offset, bytes);
  POWERCUT_TRYV(data_->write(offset, bytes));
  return success();
}

void BufferPool::mark_dirty(const PageRef& ref, Lsn rec_lsn) {
  Frame& frame = memory_.frames[ref.frame()];
  if (frame.dirty) return;
  frame.dirty = true;
  frame.rec_lsn = rec_lsn;
}

Result<std::size_t> BufferPool::write_back_before(Lsn until) {
  std::size_t written = 0;
  for (std::uint32_t frame = 0; frame < memory_.frames.size(); ++frame) {
    if (!memory_.frames[frame].dirty || memory_.frames[frame].rec_lsn >= until) continue;
    POWERCUT_TRYV(write_back(frame));
    ++written;
  }
  return written;
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
    if (frame.dirty) out.push_back({frame.page, frame.rec_lsn});
  }
}

}  // namespace powercut::ledger
