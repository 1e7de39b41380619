// Reads the log. A record counts only if its checksum fits its place, its database and its bytes, and its epoch is not
// older than the one before it: the log ends before the first that does not.
//
// It reads no more of a segment than it needs, in pieces of the size that the file prefers, and survives any bytes. It holds
// a piece and a record at a time, however long a segment is. The views that it gives stay valid until it is asked for more.
#pragma once

#include "engine/ledger/control.h"
#include "engine/ledger/log_record.h"
#include "engine/ledger/read_buffer.h"
#include "faultfs/file_system.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

// "log-" and eight hexadecimal digits.
std::string segment_name(std::uint64_t segment);
// The segment of that name; 0 if it is not one.
std::uint64_t segment_of_name(std::string_view name);

inline constexpr std::size_t kSegmentHeaderBytes = 32;
void encode_segment_header(std::span<byte> header, std::uint64_t database_id, std::uint64_t segment, std::uint32_t segment_bytes);
// Empty if it is the header of that segment; otherwise what is wrong.
std::string_view check_segment_header(std::span<const byte> header, std::uint64_t database_id, std::uint64_t segment,
                                      std::uint32_t segment_bytes);

struct LogRecord {
  Lsn lsn = Lsn::kNone;
  RecordHeader header;
  std::span<const byte> body;
};

class LogReader {
 public:
  using Buffer = ReadBuffer;
  // Of memory beside a piece: no record but a checkpoint's END needs more.
  static constexpr std::size_t kBesidePieceBytes = kMostRecordBytes + 4096;

  LogReader(faultfs::FileSystem& files, std::string directory, const Defects& defects, Buffer& buffer)
      : files_(files), directory_(std::move(directory)), defects_(defects), buffer_(buffer) {}

  // Starts at a record, or where one would be. `control` says what database it is.
  void start(const ControlRecord& control, Lsn at);

  // The next record; false at the end of the log, where position() is the end and why_ended() says how it looks. Pads
  // are skipped. Errors are those of the file system, and kCorrupt for a record that is newer than the control record.
  Result<bool> next(LogRecord& record);
  // The same for who reads millions: true for most records, which are in memory already and like the one before; false where
  // next() must be asked.
  bool next_plain(LogRecord& record);
  Lsn position() const { return position_; }
  std::string_view why_ended() const { return why_ended_; }
  // Once next() has found the end: kCorrupt if no power failure leaves it like that, because a record lies behind it that was
  // appended when what is missing had long been durable. Damage of what was flushed last cannot be told from a torn write.
  Result<void> check_end();
  // Whether the segment that was last looked for is there, with its header.
  bool has_segment() const { return segment_ != 0; }

  // The record at a place that must hold one: kCorrupt otherwise. Does not move.
  Result<LogRecord> at(Lsn lsn);

 private:
  Result<bool> use_segment(std::uint64_t segment);
  Result<std::size_t> read_some(faultfs::File& file, std::size_t offset, std::span<byte> into) const;
  // Makes bytes [begin, end) of the current segment available; false if the file ends before.
  Result<bool> ensure(std::size_t begin, std::size_t end);
  // The record at an offset of the current segment; false with the reason if there is none.
  Result<bool> decode(std::size_t offset, LogRecord& record);
  Result<void> look_for_later_record(std::uint64_t segment, std::size_t offset, std::uint32_t slack);
  Error newer_than_control(const LogRecord& record) const;

  faultfs::FileSystem& files_;
  std::string directory_;
  const Defects& defects_;
  Buffer& buffer_;
  ControlRecord control_;
  Lsn position_ = Lsn::kNone;
  std::uint32_t epoch_ = 0;
  std::string_view why_ended_;
  std::uint64_t segment_ = 0;  // 0: none is open
  std::unique_ptr<faultfs::File> file_;
  std::span<const byte> plain_;  // what is in memory from position_ on, or nothing
};

inline bool LogReader::next_plain(LogRecord& record) {
  if (plain_.size() < kRecordHeaderBytes) return false;
  const RecordHeader header = decode_header(plain_);
  if (header.epoch != epoch_ || header.type <= RecordType::kPad || header.type > RecordType::kCheckpointEnd) return false;
  if (header.length < kRecordHeaderBytes || header.length > plain_.size()) return false;
  if (header.crc != record_checksum(plain_.first(header.length), control_.database_id, position_, defects_)) return false;
  record.lsn = position_;
  record.header = header;
  record.body = plain_.subspan(kRecordHeaderBytes, header.length - kRecordHeaderBytes);
  position_ = position_ + header.length;
  plain_ = plain_.subspan(header.length);
  return true;
}

}  // namespace powercut::ledger
