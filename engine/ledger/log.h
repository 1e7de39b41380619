// The log as it is written: a sequence of segments of fixed size, preallocated and recycled.
//
// append() puts a record into memory; flush() makes everything appended so far durable, by one write and one sync,
// whoever asked (so one flush can serve many commits). A segment is durable by name and size before any record in it is
// relied on. A failed write or sync is final: the log is stopped, and says why, for ever.
#pragma once

#include "engine/ledger/control.h"
#include "engine/ledger/log_reader.h"
#include "engine/ledger/log_record.h"
#include "faultfs/file_system.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::ledger {

class Log {
 public:
  // Memory that outlives a log, for the next one.
  struct Memory {
    std::string buffer;
    LogReader::Buffer read_buffer;
  };

  Log(faultfs::FileSystem& files, std::string directory, Control& control, const Defects& defects, Memory& memory);

  // Makes the first segment of a new database.
  Result<void> create();
  // Goes on after `end`, where recovery found the end of the log. Reads and writes nothing.
  void open_at(Lsn end);

  // The place of the first record of any database with segments of this size.
  static Lsn first_lsn(std::uint32_t segment_bytes) { return static_cast<Lsn>(std::uint64_t{segment_bytes} + kSegmentHeaderBytes); }

  // Appends an encoded record (sealed here) and returns its place. kInvalidArgument if no segment can hold it, kStopped
  // once the log has failed.
  Result<Lsn> append(std::string& record);
  // Makes the record at `lsn`, and all before it, durable: also before open_at(), while recovery reads.
  Result<void> flush(Lsn lsn);

  // The record at a place, copied into `copy`, whether it is durable or not.
  Result<LogRecord> read(Lsn lsn, std::string& copy);

  Lsn end() const { return static_cast<Lsn>(segment_ * segment_bytes_ + offset_); }
  // Records before `lsn` will not be needed any more.
  void release_before(Lsn lsn);

  bool stopped() const { return failure_.has_value(); }

 private:
  Result<void> sync_recovered(std::uint64_t segment);
  Result<void> begin_epoch();
  Result<void> next_segment();
  Result<void> prepare_segment(std::uint64_t segment);
  Result<void> reuse_old_segment(std::uint64_t segment);
  Result<void> write_out();
  Error stop(const Error& cause);
  std::string path(std::uint64_t segment) const { return directory_ + "/" + segment_name(segment); }

  faultfs::FileSystem& files_;
  std::string directory_;
  Control& control_;
  const Defects& defects_;
  Memory& memory_;
  std::uint64_t segment_bytes_ = 0;
  std::uint64_t segment_ = 0;            // the one being written
  std::uint64_t offset_ = 0;             // of the end, in it
  std::uint64_t unwritten_ = 0;          // offset of memory_.buffer's first byte, in it
  std::unique_ptr<faultfs::File> file_;  // of segment_, opened when needed
  bool epoch_is_ours_ = false;
  std::uint64_t recovered_durable_ = 0;  // the last segment that is, as an earlier incarnation wrote it
  std::uint64_t needed_segment_ = 0;     // segments before it may be recycled
  bool old_segments_known_ = false;
  std::vector<std::uint64_t> old_segments_;  // ascending
  std::optional<Error> failure_;
};

}  // namespace powercut::ledger
