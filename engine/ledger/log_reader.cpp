#include "engine/ledger/log_reader.h"

#include "faultfs/hash.h"

#include <algorithm>
#include <array>

namespace powercut::ledger {
namespace {
constexpr std::uint64_t kSegmentMagic = 0x676d6553474f4c50ULL;  // "PLOGSemg"
constexpr std::string_view kPrefix = "log-";
constexpr std::string_view kDigits = "0123456789abcdef";
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
  loaded_begin_ = 0;
  loaded_end_ = 0;
  if (buffer_.size() < control_.segment_bytes) buffer_.resize(control_.segment_bytes);
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
  if (begin < loaded_begin_ || begin > loaded_end_) {
    // A jump: start again from the piece that holds it.
    const std::size_t piece = std::max<std::size_t>(1, file_->preferred_read_bytes());
    loaded_begin_ = begin / piece * piece;
    loaded_end_ = loaded_begin_;
  }
  while (loaded_end_ < end) {
    const std::size_t piece = std::max<std::size_t>(1, file_->preferred_read_bytes());
    const std::size_t until = std::min<std::size_t>((loaded_end_ / piece + 1) * piece, control_.segment_bytes);
    POWERCUT_TRY(const std::size_t got,
                 read_some(*file_, loaded_end_, std::span(buffer_).subspan(loaded_end_, until - loaded_end_)));
    if (got == 0) return false;
    loaded_end_ += got;
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
  record.header = decode_header(std::span(buffer_).subspan(offset, kRecordHeaderBytes));
  const RecordHeader& header = record.header;
  why_ended_ = "no record";
  if (header.length < kRecordHeaderBytes || header.length > control_.segment_bytes - offset) return false;
  if (header.type < RecordType::kPad || header.type > RecordType::kCheckpointEnd) return false;
  const bool pad = header.type == RecordType::kPad;
  POWERCUT_TRY(const bool has_body, ensure(offset, offset + (pad ? kRecordHeaderBytes : header.length)));
  why_ended_ = "the segment file is cut short";
  if (!has_body) return false;
  const auto bytes = std::span<const byte>(buffer_).subspan(offset, pad ? kRecordHeaderBytes : header.length);
  if (header.crc != record_checksum(bytes, control_.database_id, record.lsn, defects_) && !defects_.torn_record_accepted) {
    why_ended_ = "the record's checksum does not match";
    if (!defects_.torn_record_skipped) return false;
    record.header.type = RecordType::kPad;
  }
  record.body = bytes.subspan(kRecordHeaderBytes);
  return true;
}

Result<bool> LogReader::next(LogRecord& record) {
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
    if (record.header.type != RecordType::kPad) return true;
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

// The bytes of a segment from an offset on; none if it does not exist.
Result<std::vector<byte>> LogReader::rest_of_segment(std::uint64_t segment, std::size_t offset) {
  std::vector<byte> bytes;
  auto opened = files_.open(directory_ + "/" + segment_name(segment), faultfs::OpenMode::kRead);
  if (opened.has_error()) {
    if (opened.error().code() == ErrorCode::kNotFound) return bytes;
    return opened.error();
  }
  bytes.resize(control_.segment_bytes - offset);
  for (std::size_t got = 0; got < bytes.size();) {
    POWERCUT_TRY(const std::size_t more, read_some(*opened.value(), offset + got, std::span(bytes).subspan(got)));
    if (more == 0) bytes.resize(got);
    got += more;
  }
  return bytes;
}

Result<void> LogReader::check_end() {
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
    const auto next = std::span(buffer_).subspan(offset, kRecordHeaderBytes);
    if (there && std::all_of(next.begin(), next.end(), [](byte b) { return b == byte{}; })) return success();
  }
  POWERCUT_TRYV(look_for_later_record(segment, offset, segment_ == segment ? 0 : kMostNotDurable));
  // A segment is durable to its end, and the next by its header, before a record is written to the next.
  return look_for_later_record(segment + 1, kSegmentHeaderBytes, kMostNotDurable);
}

// kCorrupt if a whole record lies at an offset of a segment or behind it that was appended when the place `offset` had been
// durable, or at all if `slack` is so large.
Result<void> LogReader::look_for_later_record(std::uint64_t segment, std::size_t offset, std::uint32_t slack) {
  POWERCUT_TRY(const std::vector<byte> rest, rest_of_segment(segment, offset));
  for (std::size_t at = 0; at + kRecordHeaderBytes <= rest.size(); ++at) {
    const auto bytes = std::span(rest).subspan(at);
    if (load<std::uint64_t>(&bytes[12]) == 0) {
      at += sizeof(std::uint64_t) - 1;  // none of the next eight has a type
      continue;
    }
    const auto type = static_cast<RecordType>(bytes[12]);
    if (type < RecordType::kPad || type > RecordType::kCheckpointEnd) continue;
    const RecordHeader header = decode_header(bytes);
    if (header.length < kRecordHeaderBytes || header.length > bytes.size() || header.epoch > control_.epoch) continue;
    if (header.not_durable >= at + slack) continue;
    const Lsn place = static_cast<Lsn>(segment * control_.segment_bytes + offset + at);
    if (header.crc != record_checksum(bytes.first(header.length), control_.database_id, place, defects_)) continue;
    return Error(ErrorCode::kCorrupt, directory_ + ": the log ends at LSN " + std::to_string(raw(position_)) + " (" +
                                          std::string(why_ended_) + "), but at LSN " + std::to_string(raw(place)) +
                                          " is a record that was written when the place had been durable: it is damaged");
  }
  return success();
}

Result<LogRecord> LogReader::at(Lsn lsn) {
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
