#include "engine/ledger/log.h"

#include "faultfs/assert.h"

#include <algorithm>
#include <array>

namespace powercut::ledger {

using faultfs::OpenMode;
using faultfs::SyncKind;

Log::Log(faultfs::FileSystem& files, std::string directory, Control& control, const Defects& defects, Memory& memory)
    : files_(files), directory_(std::move(directory)), control_(control), defects_(defects), memory_(memory) {
  memory_.buffer.clear();
}

Result<void> Log::create() {
  segment_bytes_ = control_.record().segment_bytes;
  POWERCUT_TRYV(prepare_segment(1));
  epoch_is_ours_ = true;
  return success();
}

void Log::open_at(Lsn end) {
  segment_bytes_ = control_.record().segment_bytes;
  segment_ = raw(end) / segment_bytes_;
  offset_ = raw(end) % segment_bytes_;
  if (offset_ == 0) {
    --segment_;
    offset_ = segment_bytes_;
  }
  unwritten_ = offset_;
  epoch_is_ours_ = false;
}

Error Log::stop(const Error& cause) {
  failure_ = Error(ErrorCode::kStopped, "the log failed and takes no more records: " + cause.message());
  return *failure_;
}

Result<Lsn> Log::append(std::string& record) {
  if (failure_) return *failure_;
  if (record.size() > segment_bytes_ - kSegmentHeaderBytes) {
    return Error(ErrorCode::kInvalidArgument, "a log record of " + std::to_string(record.size()) +
                                                  " bytes does not fit a segment of " + std::to_string(segment_bytes_));
  }
  if (!epoch_is_ours_) {
    const auto begun = begin_epoch();
    if (begun.has_error()) return stop(begun.error());
  }
  if (record.size() > segment_bytes_ - offset_) POWERCUT_TRYV(next_segment());
  const Lsn place = end();
  seal({reinterpret_cast<byte*>(record.data()), record.size()}, static_cast<std::uint32_t>(record.size()), control_.record().epoch,
       control_.record().database_id, place, defects_);
  memory_.buffer += record;
  offset_ += record.size();
  return place;
}

// What recovery read may have been in the page cache only, if a process died and not the power. No page that it describes
// may be written before it is durable: its LSN would lie beyond the end of the log, and later changes seem to be in it.
Result<void> Log::sync_recovered(std::uint64_t segment) {
  if (segment <= recovered_durable_) return success();
  auto opened = files_.open(path(segment), OpenMode::kReadWrite);
  // Recycled; and a segment is synced when the log leaves it.
  if (opened.has_error() && opened.error().code() == ErrorCode::kNotFound) return success();
  POWERCUT_TRY(const auto file, std::move(opened));
  POWERCUT_TRYV(file->sync(SyncKind::kData));
  recovered_durable_ = segment;
  return success();
}

// Before the first record of an incarnation. What recovery read may have been in the page cache only, if a process died
// and not the power. What an earlier incarnation left at the end, half a record, must be gone for good: torn again, our
// first record could lend it the half that it lacks (two records of one transaction end their headers alike). And whole
// records that it left farther on must differ from ours.
Result<void> Log::begin_epoch() {
  POWERCUT_TRY(file_, files_.open(path(segment_), OpenMode::kReadWrite));
  const std::array<byte, kRecordHeaderBytes> nothing{};
  const std::size_t room = static_cast<std::size_t>(std::min<std::uint64_t>(nothing.size(), segment_bytes_ - offset_));
  if (!defects_.torn_tail_kept) POWERCUT_TRYV(write_full(*file_, offset_, std::span(nothing).first(room)));
  POWERCUT_TRYV(file_->sync(SyncKind::kData));
  if (!defects_.epoch_not_bumped) POWERCUT_TRYV(control_.next_epoch());
  epoch_is_ours_ = true;
  return success();
}

Result<void> Log::flush(Lsn lsn) {
  if (failure_) return *failure_;
  if (!epoch_is_ours_ && !defects_.recovered_log_unsynced) {
    const auto synced = sync_recovered(raw(lsn) / control_.record().segment_bytes);
    if (synced.has_error()) return stop(synced.error());
  }
  if (raw(lsn) < segment_ * segment_bytes_ + unwritten_) return success();
  return write_out();
}

Result<void> Log::write_out() {
  if (memory_.buffer.empty()) return success();
  if (file_ == nullptr) {
    auto opened = files_.open(path(segment_), OpenMode::kReadWrite);
    if (opened.has_error()) return stop(opened.error());
    file_ = std::move(opened).value();
  }
  auto done = write_full(*file_, unwritten_, as_bytes(memory_.buffer));
  if (defects_.full_disk_skipped && done.has_error() && done.error().code() == ErrorCode::kNoSpace) done = success();
  if (done.has_value()) {
    done = file_->sync(SyncKind::kData);
    if (defects_.log_sync_retried && done.has_error()) done = file_->sync(SyncKind::kData);
  }
  if (done.has_error()) return stop(done.error());
  unwritten_ = offset_;
  memory_.buffer.clear();
  return success();
}

Result<void> Log::next_segment() {
  if (segment_bytes_ - offset_ >= kRecordHeaderBytes) {
    std::string pad;
    encode_plain(pad, RecordType::kPad, TxnId::kNone, Lsn::kNone);
    seal({reinterpret_cast<byte*>(pad.data()), pad.size()}, static_cast<std::uint32_t>(segment_bytes_ - offset_),
         control_.record().epoch, control_.record().database_id, end(), defects_);
    memory_.buffer += pad;
    offset_ = segment_bytes_;
  }
  POWERCUT_TRYV(write_out());
  if (old_segments_known_) old_segments_.push_back(segment_);
  const auto prepared = prepare_segment(segment_ + 1);
  if (prepared.has_error()) return stop(prepared.error());
  return success();
}

// Durable when it returns: the segment's header, its size and its name. It becomes the one that is written.
Result<void> Log::prepare_segment(std::uint64_t segment) {
  // A file of that name was left by a power failure while it was being made. It may be an old segment under a second
  // name, which a rename across the failure leaves where renames are not one step, so it must not be written.
  POWERCUT_TRY(const bool exists, files_.exists(path(segment)));
  if (exists) POWERCUT_TRYV(files_.remove(path(segment)));
  POWERCUT_TRYV(reuse_old_segment(segment));
  POWERCUT_TRY(file_, files_.open(path(segment), OpenMode::kCreate));
  // The header, and zeros where the first record will be, so that nothing old is taken for it.
  std::array<byte, kSegmentHeaderBytes + kRecordHeaderBytes> start{};
  encode_segment_header(std::span(start).first(kSegmentHeaderBytes), control_.record().database_id, segment,
                        control_.record().segment_bytes);
  POWERCUT_TRYV(file_->allocate(0, segment_bytes_));
  POWERCUT_TRYV(write_full(*file_, 0, start));
  POWERCUT_TRYV(file_->sync(SyncKind::kFull));
  if (!defects_.segment_name_unsynced) POWERCUT_TRYV(files_.sync_directory(directory_));
  segment_ = segment;
  offset_ = kSegmentHeaderBytes;
  unwritten_ = offset_;
  return success();
}

// Renames a segment that nobody needs, if there is one, and removes all such but one more.
Result<void> Log::reuse_old_segment(std::uint64_t segment) {
  if (needed_segment_ == 0) return success();
  if (!old_segments_known_) {
    POWERCUT_TRY(const auto entries, files_.list(directory_));
    old_segments_.clear();
    for (const auto& entry : entries) {
      const std::uint64_t number = segment_of_name(entry.name);
      if (number != 0 && number <= segment_) old_segments_.push_back(number);
    }
    std::sort(old_segments_.begin(), old_segments_.end());
    old_segments_known_ = true;
  }
  const auto needed =
      std::lower_bound(old_segments_.begin(), old_segments_.end(), needed_segment_ + (defects_.recycle_off_by_one ? 1 : 0));
  const auto spare = needed - old_segments_.begin();
  if (spare == 0) return success();
  POWERCUT_TRYV(files_.rename(path(old_segments_[0]), path(segment)));
  old_segments_.erase(old_segments_.begin());
  for (std::ptrdiff_t extra = spare - 2; extra > 0; --extra) {
    POWERCUT_TRYV(files_.remove(path(old_segments_[0])));
    old_segments_.erase(old_segments_.begin());
  }
  return success();
}

void Log::release_before(Lsn lsn) {
  needed_segment_ = defects_.recycle_too_early ? segment_ : std::max(needed_segment_, raw(lsn) / segment_bytes_);
}

Result<LogRecord> Log::read(Lsn lsn, std::string& copy) {
  const std::uint64_t unwritten_lsn = segment_ * segment_bytes_ + unwritten_;
  LogRecord record;
  record.lsn = lsn;
  if (raw(lsn) >= unwritten_lsn) {
    const std::size_t at = raw(lsn) - unwritten_lsn;
    POWERCUT_ASSERT(at + kRecordHeaderBytes <= memory_.buffer.size(), "a record that is read back was appended");
    const auto bytes = as_bytes(memory_.buffer).subspan(at);
    record.header = decode_header(bytes);
    copy.assign(as_text(bytes.first(record.header.length)));
  } else {
    LogReader reader(files_, directory_, defects_, memory_.read_buffer);
    reader.start(control_.record(), lsn);
    POWERCUT_TRY(const LogRecord found, reader.at(lsn));
    record.header = found.header;
    copy.assign(kRecordHeaderBytes, '\0');
    copy.append(as_text(found.body));
  }
  record.body = as_bytes(copy).subspan(kRecordHeaderBytes);
  return record;
}

}  // namespace powercut::ledger
