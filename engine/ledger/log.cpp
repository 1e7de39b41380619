#include "engine/ledger/log.h"

#include "engine/ledger/final_sync.h"
#include "faultfs/assert.h"

#include <algorithm>
#include <array>

namespace powercut::ledger {

using faultfs::OpenMode;
using faultfs::SyncKind;

namespace {
// More than are to be kept are removed a few at a time: it takes a device longer than the log takes to fill a segment.
constexpr std::ptrdiff_t kRemovedAtOnce = 2;
// Where I/O suspends fibers: page images after a checkpoint may fill one segment before the next is made.
constexpr std::size_t kSegmentsAhead = 3;

std::span<byte> span_of(LogBytes& bytes) { return {reinterpret_cast<byte*>(bytes.data()), bytes.size()}; }
}  // namespace

Log::Log(faultfs::FileSystem& files, std::string directory, Control& control, const Options& options, Memory& memory,
         faultfs::Scheduler* scheduler)
    : files_(files),
      directory_(std::move(directory)),
      control_(control),
      options_(options),
      defects_(options.defects),
      memory_(memory),
      scheduler_(scheduler),
      suspends_(scheduler != nullptr && files.lets_others_run()),
      writing_(scheduler, "the write of the log that is under way"),
      preparing_(scheduler, "the next log segment to be made"),
      stocking_(scheduler, "log segments that are made ahead"),
      reading_(scheduler, "a record of the log that is being read") {
  memory_.buffer.clear();
}

Log::~Log() {
  const bool over = preparing_.wait().has_value() && stocking_.wait().has_value();
  POWERCUT_ASSERT(over, "a database over files that suspend fibers does not end in a fiber that was stopped");
}

Result<void> Log::create() {
  segment_bytes_ = control_.record().segment_bytes;
  POWERCUT_TRYV(prepare_segment());
  POWERCUT_TRYV(next_segment());
  begin_ = end();
  epoch_is_ours_ = true;
  return success();
}

void Log::open_at(Lsn end) {
  segment_bytes_ = control_.record().segment_bytes;
  begin_ = end;
  segment_ = raw(end) / segment_bytes_;
  offset_ = raw(end) % segment_bytes_;
  if (offset_ == 0) {
    --segment_;
    offset_ = segment_bytes_;
  }
  buffer_at_ = offset_;
  unwritten_ = offset_;
  unsynced_ = offset_;
  epoch_is_ours_ = false;
}

Error Log::stop(const Error& cause) {
  if (!failure_) failure_ = Error(ErrorCode::kStopped, "the database takes no more work: " + cause.message());
  return *failure_;
}

// What a failed write means for the log: the end, unless the disk is full.
Error Log::failed(const Error& cause) { return cause.code() == ErrorCode::kNoSpace ? cause : stop(cause); }

Result<char*> Log::begin_record(std::size_t bytes, Reserve* reserve) {
  if (failure_) return *failure_;
  if (bytes > segment_bytes_ - kSegmentHeaderBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 "a log record of " + std::to_string(bytes) + " bytes does not fit a segment of " + std::to_string(segment_bytes_));
  }
  const std::uint64_t of_reserve = reserve == nullptr ? 0 : std::min<std::uint64_t>(bytes, reserve->bytes);
  POWERCUT_TRYV(make_room(bytes, reserved_ - of_reserve));
  if (bytes > segment_bytes_ - offset_) POWERCUT_TRYV(next_segment());
  reserved_ -= of_reserve;
  if (reserve != nullptr) reserve->bytes -= of_reserve;
  LogBytes& buffer = memory_.buffer;
  buffer.resize(buffer.size() + bytes, boost::container::default_init);
  return buffer.data() + (buffer.size() - bytes);
}

Lsn Log::end_record(std::size_t bytes) {
  const Lsn place = end();
  seal(span_of(memory_.buffer).last(bytes), static_cast<std::uint32_t>(bytes), control_.record().epoch,
       control_.record().database_id, place, offset_ - unsynced_, defects_);
  offset_ += bytes;
  return place;
}

// Whether a record fits and, after it, so many bytes of records of which none is longer than kMostReservedRecordBytes: that
// is what may be lost at the end of each segment.
bool Log::has_room(std::uint64_t record, std::uint64_t reserved) const {
  const std::uint64_t fresh = segment_bytes_ - kSegmentHeaderBytes;
  std::uint64_t rest = segment_bytes_ - offset_;
  std::uint64_t ahead = ahead_.size();
  if (record > rest) {
    if (ahead == 0) return false;
    --ahead;
    rest = fresh;
  }
  rest -= record;
  if (reserved <= rest) return true;
  return reserved <=
         (rest > kMostReservedRecordBytes ? rest - kMostReservedRecordBytes : 0) + ahead * (fresh - kMostReservedRecordBytes);
}

Result<void> Log::make_more_room(std::uint64_t record, std::uint64_t reserved) {
  if (!epoch_is_ours_) POWERCUT_TRYV(begin_epoch());
  while (!has_room(record, reserved)) {
    if (preparing_.under_way()) {
      POWERCUT_TRYV(preparing_.wait());
    } else {
      POWERCUT_TRYV(prepare_segment());
    }
  }
  return success();
}

// What recovery read may be in the page cache only: if the process died before its sync, or because its sync failed, after
// which the kernel takes pages for written that are not, and a sync of them says yes and does nothing. So what the last
// segment holds up to `until` is written again, then synced; `wiped` bytes of zeros follow it. Segments before the last were
// synced when the log left them, and what is before the end of a checkpoint when that was recorded.
Result<void> Log::rewrite_recovered(Lsn until, std::size_t wiped) {
  POWERCUT_TRYV(writing_.wait());
  if (failure_) return *failure_;
  const Busy::Doing doing(writing_);
  segment_bytes_ = control_.record().segment_bytes;
  const std::uint64_t segment = (raw(until) - 1) / segment_bytes_;
  const Lsn start = static_cast<Lsn>(segment * segment_bytes_ + kSegmentHeaderBytes);
  const Lsn durable = defects_.recovered_log_unsynced ? until : std::max({start, recovered_durable_, control_.record().checkpoint});
  const Lsn from = std::min(until, durable);
  const std::size_t recovered = until - from;
  if (recovered + wiped == 0) return success();
  POWERCUT_TRY(file_, files_.open(path(segment), OpenMode::kReadWrite));
  std::vector<byte> bytes(recovered + wiped);
  const std::uint64_t offset = raw(from) - segment * segment_bytes_;
  POWERCUT_TRY(const std::size_t got, read_full(*file_, offset, std::span(bytes).first(recovered)));
  if (got < recovered) return Error(ErrorCode::kCorrupt, path(segment) + ": shorter than when it was read before");
  const auto written = write_full(*file_, offset, bytes);
  if (written.has_error()) return failed(written.error());
  POWERCUT_TRYV(sync_segment());
  recovered_durable_ = until;
  return success();
}

// No page that a record describes may be written before the record is durable: the page's LSN would lie beyond the end of
// the log, and later changes seem to be in it.
Result<void> Log::flush_recovered(Lsn lsn) {
  POWERCUT_TRYV(writing_.wait());
  if (lsn == Lsn::kNone || lsn < recovered_durable_) return success();
  if (control_.record().checkpoint != Lsn::kNone && lsn <= control_.record().checkpoint) return success();
  std::string copy;
  POWERCUT_TRY(const LogRecord record, read(lsn, copy));
  return rewrite_recovered(lsn + record.header.length, 0);
}

// Before the first record of an incarnation. What it builds on must be durable. What an earlier incarnation left at the
// end, half a record, must be gone for good: torn again, our first record could lend it the half that it lacks (two records
// of one transaction end their headers alike). And whole records that it left farther on must differ from ours.
Result<void> Log::begin_epoch() {
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(kRecordHeaderBytes, segment_bytes_ - offset_));
  POWERCUT_TRYV(rewrite_recovered(end(), defects_.torn_tail_kept ? 0 : room));
  if (!defects_.epoch_not_bumped) {
    const auto counted = control_.next_epoch();
    if (counted.has_error()) return failed(counted.error());
  }
  epoch_is_ours_ = true;
  return success();
}

Result<void> Log::flush(Lsn lsn) {
  if (failure_) return *failure_;
  if (!epoch_is_ours_) return flush_recovered(lsn);
  while (!is_durable(lsn)) POWERCUT_TRYV(write_out());
  return success();
}

namespace {

class ForFlush final : public faultfs::Scheduler::Wait {
 public:
  explicit ForFlush(Lsn lsn) : lsn_(lsn) {}
  std::string text() const override { return "the log to be durable up to LSN " + std::to_string(raw(lsn_)); }

 private:
  Lsn lsn_;
};

}  // namespace

Result<void> Log::flush_together(Lsn lsn) {
  if (scheduler_ == nullptr || !scheduler_->in_fiber() || !epoch_is_ours_) return flush(lsn);
  while (!failure_ && !is_durable(lsn)) {
    if (!flush_under_way_ || has_gathered_enough()) {
      POWERCUT_TRYV(lead_flush());
      continue;
    }
    // It may have begun before our record was appended: whether it covers that is looked at when it is over.
    waiting_.push_back({scheduler_->current(), lsn});
    const ForFlush wait(lsn);
    if (scheduler_->park(wait) == faultfs::Scheduler::Woken::kStopped) {
      return Error(ErrorCode::kStopped, "everything ends while the log is being written");
    }
    if (defects_.ack_of_other_sync && !failure_) return success();
  }
  // Who was to lead the next flush may find that it has nothing left to flush; the others have.
  if (!flush_under_way_) wake_waiting(true);
  if (failure_) return *failure_;
  return success();
}

// One write and one sync of what is there when they begin. The others go on before: what they append is in it. What they
// append later is for the next.
Result<void> Log::lead_flush() {
  if (!flush_under_way_) {
    flush_under_way_ = true;
    gatherer_ = scheduler_->current();
    scheduler_->yield("before the log is written");
    // Somebody else found that it was time.
    if (gatherer_ != scheduler_->current()) return success();
  }
  if (offset_ > segment_bytes_ / 2) stock_up_in_background();
  gatherer_ = kNobody;
  const std::uint64_t begin = suspends_ ? scheduler_->now() : 0;
  auto done = write_buffer(suspends_);
  if (done.has_value() && !suspends_) {
    scheduler_->yield("before the log is synced");
    done = sync_written();
  }
  if (suspends_) {
    last_flush_ended_ = scheduler_->now();
    last_flush_took_ = last_flush_ended_ - begin;
  }
  flush_under_way_ = false;
  wake_waiting(done.has_value());
  return done;
}

// The device has been idle for several times as long as a write takes: more is lost by waiting than others could bring. Shorter,
// and where the processor is the limit much of it goes into many small writes.
bool Log::has_gathered_enough() const {
  constexpr std::uint64_t kGatherFor = 4;
  constexpr std::size_t kAskedEach = 8;  // to ask for the time takes some
  return suspends_ && waiting_.size() % kAskedEach == 0 && gatherer_ != kNobody &&
         scheduler_->now() - last_flush_ended_ >= kGatherFor * last_flush_took_;
}

// Those that are served, and one who leads the next; all after an error.
void Log::wake_waiting(bool done) {
  const auto is_served = [&](const Waiting& waiting) { return !done || defects_.ack_of_other_sync || is_durable(waiting.lsn); };
  std::size_t kept = 0;
  for (const Waiting& waiting : waiting_) {
    if (is_served(waiting)) {
      scheduler_->wake(waiting.fiber);
    } else {
      waiting_[kept++] = waiting;
    }
  }
  waiting_.resize(kept);
  if (kept == 0) return;
  scheduler_->wake(waiting_.front().fiber);
  waiting_.erase(waiting_.begin());
}

Result<void> Log::write_out() {
  POWERCUT_TRYV(write_buffer(suspends_));
  return suspends_ ? success() : sync_written();
}

// `durably`: in one request with its sync.
Result<void> Log::write_buffer(bool durably) {
  POWERCUT_TRYV(writing_.wait());
  if (failure_) return *failure_;
  if (unwritten_ == offset_) return success();
  const Busy::Doing doing(writing_);
  if (file_ == nullptr) {
    POWERCUT_TRY(file_, files_.open(path(segment_), OpenMode::kReadWrite));
  }
  POWERCUT_TRYV(take_buffer());
  const std::uint64_t end = unwritten_;
  const auto bytes = span_of(memory_.in_flight);
  const auto written = durably ? file_->write_durably(in_flight_at_, bytes) : write_full(*file_, in_flight_at_, bytes);
  if (written.has_value()) {
    if (durably) unsynced_ = end;
    return success();
  }
  if (defects_.full_disk_skipped && written.error().code() == ErrorCode::kNoSpace) return written.error();
  put_buffer_back();
  return failed(written.error());
}

// Whole blocks: the first with what is in it already, the last filled up with zeros. The next buffer begins with the last.
Result<void> Log::take_buffer() {
  const std::uint64_t unit = std::max<std::uint64_t>(options_.log_block, file_->preferred_write_unit());
  LogBytes& buffer = memory_.buffer;
  if (const std::uint64_t before = buffer_at_ % unit; before > 0) {
    LogBytes begin(before);
    POWERCUT_TRY(const std::size_t got, read_full(*file_, buffer_at_ - before, span_of(begin)));
    if (got < before) return stop({ErrorCode::kCorrupt, path(segment_) + ": shorter than when it was made"});
    buffer.insert(buffer.begin(), begin.begin(), begin.end());
    buffer_at_ -= before;
  }
  in_flight_at_ = buffer_at_;
  in_flight_from_ = unwritten_;
  unwritten_ = offset_;
  buffer_at_ = offset_ / unit * unit;
  std::swap(buffer, memory_.in_flight);
  // Behind a pad nothing follows in this segment, and its bytes are not there.
  LogBytes& taken = memory_.in_flight;
  buffer.assign(taken.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(taken.size(), buffer_at_ - in_flight_at_)),
                taken.end());
  taken.resize((taken.size() + unit - 1) / unit * unit, '\0');
  return success();
}

// After a failed write, with what has been appended since.
void Log::put_buffer_back() {
  LogBytes& buffer = memory_.buffer;
  LogBytes& taken = memory_.in_flight;
  taken.resize(std::min<std::size_t>(taken.size(), unwritten_ - in_flight_at_));
  taken.insert(taken.end(), buffer.begin() + static_cast<std::ptrdiff_t>(unwritten_ - buffer_at_), buffer.end());
  std::swap(buffer, taken);
  buffer_at_ = in_flight_at_;
  unwritten_ = in_flight_from_;
}

Result<void> Log::sync_written() {
  if (failure_) return *failure_;
  if (unsynced_ == unwritten_) return success();
  const std::uint64_t written = unwritten_;
  POWERCUT_TRYV(sync_segment());
  unsynced_ = written;
  return success();
}

Result<void> Log::sync_segment() {
  auto done = final_sync(*file_, SyncKind::kData);
  if (defects_.log_sync_retried && done.has_error()) done = final_sync(*file_, SyncKind::kData);
  if (done.has_error()) return failed(done.error());
  return success();
}

// Leaves the segment for the next, which is ready. The old one is durable to its end before anything is in the new one.
Result<void> Log::next_segment() {
  POWERCUT_TRYV(writing_.wait());
  if (segment_ != 0 && segment_bytes_ - offset_ >= kRecordHeaderBytes) {
    std::string pad;
    encode_plain(pad, RecordType::kPad, TxnId::kNone, Lsn::kNone);
    seal({reinterpret_cast<byte*>(pad.data()), pad.size()}, static_cast<std::uint32_t>(segment_bytes_ - offset_),
         control_.record().epoch, control_.record().database_id, end(), offset_ - unsynced_, defects_);
    memory_.buffer.insert(memory_.buffer.end(), pad.begin(), pad.end());
    offset_ = segment_bytes_;
  }
  POWERCUT_TRYV(write_out());
  if (old_segments_known_) old_segments_.push_back(segment_);
  ++segment_;
  offset_ = kSegmentHeaderBytes;
  memory_.buffer.clear();
  buffer_at_ = offset_;
  unwritten_ = offset_;
  unsynced_ = offset_;
  file_ = std::move(ahead_.front());
  ahead_.erase(ahead_.begin());
  stock_up_in_background();
  return success();
}

// Once for each segment that is written, so that a full disk is not asked again and again: when the log comes to it, or at half
// of it if that could not be.
void Log::stock_up_in_background() {
  if (stocked_in_ == segment_ || !suspends_ || !scheduler_->in_fiber() || stocking_.under_way()) return;
  stocked_in_ = segment_;
  const auto doing = std::make_shared<Busy::Doing>(stocking_);
  scheduler_->spawn("log segment", [this, doing] { stock_up(); });
}

// Who waits for a segment waits for the first of them only. Whoever needs one that could not be made tries again, and is told why.
void Log::stock_up() {
  while (!failure_ && preparing_.wait().has_value() && ahead_.size() < kSegmentsAhead && prepare_segment().has_value()) {
    scheduler_->yield("between log segments");
  }
}

// Makes one more segment ready: durable are its header, its size and its name.
Result<void> Log::prepare_segment() {
  const std::uint64_t segment = segment_ + ahead_.size() + 1;
  const Busy::Doing doing(preparing_);
  auto made = make_segment(segment);
  if (made.has_value()) return success();
  if (made.error().code() == ErrorCode::kStopped) return stop(made.error());
  // What is there of it holds space that somebody else may need. If it stays, the next try removes it.
  static_cast<void>(files_.remove(path(segment)).has_error());
  return made;
}

Result<void> Log::make_segment(std::uint64_t segment) {
  // A file of that name was left by a power failure, or made ahead in vain. It may be an old segment under a second name,
  // which a rename across the failure leaves where renames are not one step, so it must not be written.
  POWERCUT_TRY(const bool exists, files_.exists(path(segment)));
  if (exists) POWERCUT_TRYV(files_.remove(path(segment)));
  POWERCUT_TRY(const bool reused, reuse_old_segment(segment));
  POWERCUT_TRY(auto file, files_.open(path(segment), OpenMode::kCreate));
  // The header, and zeros where the first record will be, so that nothing old is taken for it.
  std::array<byte, kSegmentHeaderBytes + kRecordHeaderBytes> start{};
  encode_segment_header(std::span(start).first(kSegmentHeaderBytes), control_.record().database_id, segment,
                        control_.record().segment_bytes);
  POWERCUT_TRYV(file->allocate(0, segment_bytes_));
  if (options_.zero_segments && !reused) POWERCUT_TRYV(write_zeros(*file));
  POWERCUT_TRYV(write_full(*file, 0, start));
  POWERCUT_TRYV(final_sync(*file, SyncKind::kFull));
  if (!defects_.segment_name_unsynced) POWERCUT_TRYV(final_sync_directory(files_, directory_));
  ahead_.push_back(std::move(file));
  return success();
}

Result<void> Log::write_zeros(faultfs::File& file) {
  const std::vector<byte> zeros(std::min<std::uint64_t>(segment_bytes_, std::uint64_t{1} << 20U));
  for (std::uint64_t at = 0; at < segment_bytes_; at += zeros.size()) {
    POWERCUT_TRYV(write_full(file, at, std::span(zeros).first(std::min<std::uint64_t>(zeros.size(), segment_bytes_ - at))));
  }
  return success();
}

// Renames a segment that nobody needs, if there is one (true), and removes some of those that will not be needed soon.
Result<bool> Log::reuse_old_segment(std::uint64_t segment) {
  if (needed_segment_ == 0) return false;
  const std::uint64_t current = segment_;
  if (!old_segments_known_) {
    POWERCUT_TRY(const auto entries, files_.list(directory_));
    old_segments_.clear();
    for (const auto& entry : entries) {
      const std::uint64_t number = segment_of_name(entry.name);
      if (number != 0 && number < segment_) old_segments_.push_back(number);
    }
    std::sort(old_segments_.begin(), old_segments_.end());
  }
  // Looked up again if anything fails on the way.
  old_segments_known_ = false;
  const auto needed =
      std::lower_bound(old_segments_.begin(), old_segments_.end(), needed_segment_ + (defects_.recycle_off_by_one ? 1 : 0));
  const auto spare = needed - old_segments_.begin();
  if (spare > 0) {
    POWERCUT_TRYV(files_.rename(path(old_segments_[0]), path(segment)));
    old_segments_.erase(old_segments_.begin());
  }
  const std::ptrdiff_t extra = std::min(spare - 1 - spare_segments_, kRemovedAtOnce);
  for (std::ptrdiff_t removed = 0; removed < extra; ++removed) {
    POWERCUT_TRYV(files_.remove(path(old_segments_[0])));
    old_segments_.erase(old_segments_.begin());
  }
  // Not if one more was left meanwhile.
  old_segments_known_ = segment_ == current;
  return spare > 0;
}

void Log::release_before(Lsn lsn) {
  needed_segment_ = defects_.recycle_too_early ? segment_ : std::max(needed_segment_, raw(lsn) / segment_bytes_);
  if (suspends_ && released_in_ != 0) {
    spare_segments_ = std::max(kLeastSpareSegments, static_cast<std::ptrdiff_t>(segment_ - released_in_));
  }
  released_in_ = segment_;
}

Result<LogRecord> Log::read(Lsn lsn, std::string& copy) {
  const std::uint64_t unwritten_lsn = segment_ * segment_bytes_ + unwritten_;
  LogRecord record;
  record.lsn = lsn;
  const std::uint64_t in_flight_lsn = segment_ * segment_bytes_ + in_flight_from_;
  const bool in_flight = writing_.under_way() && raw(lsn) >= in_flight_lsn && raw(lsn) < unwritten_lsn;
  if (epoch_is_ours_ && (raw(lsn) >= unwritten_lsn || in_flight)) {
    LogBytes& held = in_flight ? memory_.in_flight : memory_.buffer;
    const std::size_t at = raw(lsn) - segment_ * segment_bytes_ - (in_flight ? in_flight_at_ : buffer_at_);
    const auto bytes = span_of(held).subspan(std::min(at, held.size()));
    if (bytes.size() >= kRecordHeaderBytes) record.header = decode_header(bytes);
    if (record.header.length < kRecordHeaderBytes || record.header.length > bytes.size()) {
      return Error(ErrorCode::kCorrupt,
                   directory_ + ": LSN " + std::to_string(raw(lsn)) + ": a record must be here, but there is none");
    }
    copy.assign(as_text(bytes.first(record.header.length)));
  } else {
    POWERCUT_TRYV(reading_.wait());
    const Busy::Doing doing(reading_);
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
