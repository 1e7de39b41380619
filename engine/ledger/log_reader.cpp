#include "engine/ledger/log_reader.h"

#include "faultfs/hash.h"

#include <algorithm>
#include <array>

namespace powercut::ledger {
namespace {
constexpr std::uint64_t kSegmentMagic = 0x676d6553474f4c50ULL;  // "PLOGSemg"
constexpr std::string_view kPrefix = "log-";
constexpr std::string_view kDigits = "0123456789abcdef";
// So much is asked for ahead of what is being read.
constexpr std::size_t kAheadBytes = std::size_t{2} << 20U;
// So much is read at a time behind the end of the log.
constexpr std::size_t kLookBytes = std::size_t{1} << 20U;
}  // namespace

std::string segment_name(std::uint64_t segment) {
  std::string name(kPrefix);
  for (int shift = 28; shift >= 0; shift -= 4) name += kDigits[(segment >> static_cast<unsigned>(shift)) & 15U];
  return name;
}

std::uint64_t segment_of_name(std::string_view name) {
  if (name.size() != kPrefix.size() + 8 || !name.starts_with(kPrefix)) return 0;
  std::uint64_t segment = 0;
  for (const char digit : name.substr(kPrefix.size())) {
    const auto value = kDigits.find(digit);
    if (value == std::string_view::npos) return 0;
    segment = segment << 4U | value;
  }
  return segment;
}

void encode_segment_header(std::span<byte> header, std::uint64_t database_id, std::uint64_t segment, std::uint32_t segment_bytes) {
  store(header.data(), kSegmentMagic);
  store(header.data() + 8, database_id);
  store(header.data() + 16, segment);
  store(header.data() + 24, segment_bytes);
  store(header.data() + 28, crc32c(~0U, header.first(28)));
}

std::string_view check_segment_header(std::span<const byte> header, std::uint64_t database_id, std::uint64_t segment,
                                      std::uint32_t segment_bytes) {
  if (load<std::uint64_t>(header.data()) != kSegmentMagic) return "no segment header";
  if (load<std::uint32_t>(header.data() + 28) != crc32c(~0U, header.first(28)))
    return "the segment header's checksum does not match";
  if (load<std::uint64_t>(header.data() + 8) != database_id) return "the segment belongs to another database";
  if (load<std::uint64_t>(header.data() + 16) != segment) return "the segment is a recycled one whose header was not rewritten";
  if (load<std::uint32_t>(header.data() + 24) != segment_bytes) return "the segment has another size";
  return {};
}

void LogReader::start(const ControlRecord& control, Lsn at) {
  control_ = control;
  position_ = at;
  epoch_ = 0;
  segment_ = 0;
  plain_ = {};
  why_ended_ = {};
}

Result<bool> LogReader::use_segment(std::uint64_t segment) {
  if (segment_ == segment) return true;
  segment_ = 0;
  auto opened = files_.open(directory_ + "/" + segment_name(segment), faultfs::OpenMode::kRead);
  if (opened.has_error()) {
    if (opened.error().code() != ErrorCode::kNotFound) return opened.error();
    why_ended_ = "the next segment does not exist";
    return false;
  }
  file_ = std::move(opened).value();
  buffer_.start_at(0);
  std::array<byte, kSegmentHeaderBytes> header{};
  POWERCUT_TRY(const std::size_t got, read_full(*file_, 0, header));
  why_ended_ = got < header.size() ? std::string_view("the segment is shorter than its header")
                                   : check_segment_header(header, control_.database_id, segment, control_.segment_bytes);
  if (!why_ended_.empty()) return false;
  segment_ = segment;
  return true;
}

// 0 at the end of the file.
Result<std::size_t> LogReader::read_some(faultfs::File& file, std::size_t offset, std::span<byte> into) const {
  const auto got = file.read(offset, into);
  if (got.has_error() && defects_.read_error_ends_log) return std::size_t{0};
  return got;
}

Result<bool> LogReader::ensure(std::size_t begin, std::size_t end) {
  if (buffer_.holds(begin, end)) return true;
  const std::size_t piece = std::max<std::size_t>(1, file_->preferred_read_bytes());
  // A jump: start again from the piece that holds it.
  if (begin < buffer_.begin() || begin > buffer_.end()) buffer_.start_at(begin / piece * piece);
  while (buffer_.end() < end) {
    const std::size_t until = std::min<std::size_t>((buffer_.end() / piece + 1) * piece, control_.segment_bytes);
    const std::size_t least = std::min<std::size_t>(piece + kBesidePieceBytes, control_.segment_bytes);
    const auto room = buffer_.make_room(begin, until, least);
    POWERCUT_TRY(const std::size_t got, read_some(*file_, buffer_.end(), room));
    if (got == 0) return false;
    if (defects_.log_read_once && got < room.size()) return false;
    buffer_.filled(got);
    file_->will_read(buffer_.end(), std::min<std::size_t>(kAheadBytes, control_.segment_bytes - buffer_.end()));
  }
  return true;
}

Result<bool> LogReader::decode(std::size_t offset, LogRecord& record) {
  if (offset + kRecordHeaderBytes > control_.segment_bytes) {
    why_ended_ = "no record fits before the end of the segment";
    return false;
  }
  POWERCUT_TRY(const bool has_header, ensure(offset, offset + kRecordHeaderBytes));
  why_ended_ = "the segment file is cut short";
  if (!has_header) return false;
  record.header = decode_header(buffer_.bytes(offset, kRecordHeaderBytes));
  const RecordHeader& header = record.header;
  why_ended_ = "no record";
  if (header.length < kRecordHeaderBytes || header.length > control_.segment_bytes - offset) return false;
  if (header.type < RecordType::kPad || header.type > RecordType::kCheckpointEnd) return false;
  const std::size_t covered = header.type == RecordType::kPad ? kRecordHeaderBytes : header.length;
  if (covered > kMostRecordBytes) {
    // The buffer grows for what a pool of pages may need, and not for what wild bytes say.
    if (header.type != RecordType::kCheckpointEnd) return false;
    POWERCUT_TRY(const bool has_counts, ensure(offset, offset + kCheckpointEndBytes));
    if (!has_counts || checkpoint_end_length(buffer_.bytes(offset, kCheckpointEndBytes)) != covered) return false;
  }
  POWERCUT_TRY(const bool has_body, ensure(offset, offset + covered));
  why_ended_ = "the segment file is cut short";
  if (!has_body) return false;
  const auto bytes = buffer_.bytes(offset, covered);
  if (header.crc != record_checksum(bytes, control_.database_id, record.lsn, defects_) && !defects_.torn_record_accepted) {
    why_ended_ = "the record's checksum does not match";
    if (!defects_.torn_record_skipped) return false;
    record.header.type = RecordType::kPad;
  }
  record.body = bytes.subspan(kRecordHeaderBytes);
  return true;
}

Result<bool> LogReader::next(LogRecord& record) {
  if (next_plain(record)) return true;
  plain_ = {};
  for (;;) {
    std::uint64_t segment = raw(position_) / control_.segment_bytes;
    std::size_t offset = raw(position_) % control_.segment_bytes;
    if (offset == 0) offset = kSegmentHeaderBytes;
    if (offset + kRecordHeaderBytes > control_.segment_bytes && !defects_.segment_end_ends_log) {
      ++segment;
      offset = kSegmentHeaderBytes;
    }
    record.lsn = static_cast<Lsn>(segment * control_.segment_bytes + offset);
    POWERCUT_TRY(const bool there, use_segment(segment));
    if (!there) return false;
    POWERCUT_TRY(const bool valid, decode(offset, record));
    if (!valid) return false;
    if (record.header.epoch > control_.epoch) return newer_than_control(record);
    if (record.header.epoch < epoch_ && !defects_.epoch_unchecked) {
      why_ended_ = "the record is of another incarnation";
      return false;
    }
    epoch_ = record.header.epoch;
    position_ = record.lsn + record.header.length;
    if (record.header.type == RecordType::kPad) continue;
    plain_ = buffer_.bytes(offset + record.header.length, buffer_.end() - offset - record.header.length);
    return true;
  }
}

// An incarnation is durable in the control file before its first record is written. So no power failure does this: the
// slot that said so was damaged since, and the older one knows nothing of what was acknowledged later.
Error LogReader::newer_than_control(const LogRecord& record) const {
  const std::uint64_t whole = control_.sequence % 2 * kControlSlotBytes;
  return {ErrorCode::kCorrupt, directory_ + "/" + std::string(kControlName) + ": LSN " + std::to_string(raw(record.lsn)) +
                                   " holds a record of incarnation " + std::to_string(record.header.epoch) +
                                   ", but the newest control record, in the slot at byte " + std::to_string(whole) +
                                   ", is of incarnation " + std::to_string(control_.epoch) + ": the slot at byte " +
                                   std::to_string(kControlSlotBytes - whole) + " is damaged"};
}

Result<void> LogReader::check_end() {
  plain_ = {};
  const std::uint64_t segment_bytes = control_.segment_bytes;
  std::uint64_t segment = raw(position_) / segment_bytes;
  std::size_t offset = raw(position_) % segment_bytes;
  if (offset == 0) offset = kSegmentHeaderBytes;
  if (offset + kRecordHeaderBytes > segment_bytes) {
    ++segment;
    offset = kSegmentHeaderBytes;
  }
  if (segment_ == segment) {
    // Most logs end before bytes that were never written.
    POWERCUT_TRY(const bool there, ensure(offset, offset + kRecordHeaderBytes));
    const auto next = there ? buffer_.bytes(offset, kRecordHeaderBytes) : std::span<const byte>();
    if (there && std::all_of(next.begin(), next.end(), [](byte b) { return b == byte{}; })) return success();
  }
  POWERCUT_TRYV(look_for_later_record(segment, offset, segment_ == segment ? 0 : kMostNotDurable));
  // A segment is durable to its end, and the next by its header, before a record is written to the next.
  return look_for_later_record(segment + 1, kSegmentHeaderBytes, kMostNotDurable);
}

// kCorrupt if a whole record lies at an offset of a segment or behind it that was appended when the place `offset` had been
// durable, or at all if `slack` is so large.
Result<void> LogReader::look_for_later_record(std::uint64_t segment, std::size_t offset, std::uint32_t slack) {
  auto opened = files_.open(directory_ + "/" + segment_name(segment), faultfs::OpenMode::kRead);
  if (opened.has_error()) {
    if (opened.error().code() == ErrorCode::kNotFound) return success();
    return opened.error();
  }
  ReadBuffer rest;
  rest.start_at(offset);
  std::size_t at = offset;
  // Whether the file goes on from `at` to `end`.
  const auto goes_on_to = [&](std::size_t end) -> Result<bool> {
    if (rest.end() >= end) return true;
    const std::size_t until = std::min<std::size_t>(std::max(end, rest.end() + kLookBytes), control_.segment_bytes);
    while (rest.end() < until) {
      POWERCUT_TRY(const std::size_t got, read_some(*opened.value(), rest.end(), rest.make_room(at, until, 0)));
      if (got == 0) break;
      rest.filled(got);
    }
    return rest.end() >= end;
  };
  for (; at + kRecordHeaderBytes <= control_.segment_bytes; ++at) {
    if (rest.end() < at + kRecordHeaderBytes) {
      POWERCUT_TRY(const bool has_header, goes_on_to(at + kRecordHeaderBytes));
      if (!has_header) break;
    }
    const auto bytes = rest.bytes(at, kRecordHeaderBytes);
    if (load<std::uint64_t>(&bytes[12]) == 0) {
      at += sizeof(std::uint64_t) - 1;  // none of the next eight has a type
      continue;
    }
    const auto type = static_cast<RecordType>(bytes[12]);
    if (type < RecordType::kPad || type > RecordType::kCheckpointEnd) continue;
    const RecordHeader header = decode_header(bytes);
    if (header.length < kRecordHeaderBytes || header.length > control_.segment_bytes - at || header.epoch > control_.epoch)
      continue;
    if (header.not_durable >= at - offset + slack) continue;
    const std::size_t covered = type == RecordType::kPad ? kRecordHeaderBytes : header.length;
    if (covered > kMostRecordBytes) {
      if (type != RecordType::kCheckpointEnd) continue;
      POWERCUT_TRY(const bool has_counts, goes_on_to(at + kCheckpointEndBytes));
      if (!has_counts || checkpoint_end_length(rest.bytes(at, kCheckpointEndBytes)) != covered) continue;
    }
    POWERCUT_TRY(const bool whole, goes_on_to(at + covered));
    if (!whole) continue;
    const Lsn place = static_cast<Lsn>(segment * control_.segment_bytes + at);
    if (header.crc != record_checksum(rest.bytes(at, covered), control_.database_id, place, defects_)) continue;
    return Error(ErrorCode::kCorrupt, directory_ + ": the log ends at LSN " + std::to_string(raw(position_)) + " (" +
                                          std::string(why_ended_) + "), but at LSN " + std::to_string(raw(place)) +
                                          " is a record that was written when the place had been durable: it is damaged");
  }
  return success();
}

Result<LogRecord> LogReader::at(Lsn lsn) {
  plain_ = {};
  LogRecord record;
  record.lsn = lsn;
  const std::uint64_t segment = raw(lsn) / control_.segment_bytes;
  POWERCUT_TRY(const bool there, use_segment(segment));
  bool valid = false;
  if (there) {
    POWERCUT_TRY(valid, decode(raw(lsn) % control_.segment_bytes, record));
  }
  if (!valid) {
    return Error(ErrorCode::kCorrupt, directory_ + "/" + segment_name(segment) + ": byte " +
                                          std::to_string(raw(lsn) % control_.segment_bytes) + ", LSN " + std::to_string(raw(lsn)) +
                                          ": a record must be here, but: " + std::string(why_ended_));
  }
  return record;
}

}  // namespace powercut::ledger
