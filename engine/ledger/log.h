// The log as it is written: a sequence of segments of fixed size, preallocated and recycled.
//
// append() puts a record into memory; flush() makes everything appended so far durable, by one write and one sync,
// whoever asked. flush_together() lets other fibers work meanwhile: those that ask while one flush is under way share the
// next, so one sync serves many commits. A segment is durable by name and size before any record in it is relied on.
//
// Where I/O suspends fibers, the next records are appended while a write is under way, and the next segments are made
// ready in a fiber of its own. The log's writes follow one another: each waits for the one before.
//
// When the disk fails. A failed sync, and a write that fails for any reason but a full disk, is final: the log is stopped,
// and says why, for ever. A full disk (kNoSpace) is not: what failed has changed nothing and may be tried again. Room for
// what a transaction must still be able to write, its undo, is reserved: segments are made ahead for it.
#pragma once

#include "engine/ledger/busy.h"
#include "engine/ledger/control.h"
#include "engine/ledger/log_bytes.h"
#include "engine/ledger/log_reader.h"
#include "engine/ledger/log_record.h"
#include "faultfs/file_system.h"
#include "faultfs/scheduler.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::ledger {

// The longest record for which room can be reserved: the image of one page.
inline constexpr std::uint64_t kMostReservedRecordBytes = kRecordHeaderBytes + 10 + kPageBytes;

class Log {
 public:
  // Room that is kept for somebody.
  struct Reserve {
    std::uint64_t bytes = 0;
  };

  // Memory that outlives a log, for the next one.
  struct Memory {
    LogBytes buffer;
    LogBytes in_flight;
    LogReader::Buffer read_buffer;
  };

  // `scheduler` may be null: nobody waits then.
  Log(faultfs::FileSystem& files, std::string directory, Control& control, const Options& options, Memory& memory,
      faultfs::Scheduler* scheduler = nullptr);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  // Waits for what is done in a fiber of its own.
  ~Log();

  // Makes the first segment of a new database.
  Result<void> create();
  // Goes on after `end`, where recovery found the end of the log. Reads and writes nothing.
  void open_at(Lsn end);

  // The place of the first record of any database with segments of this size.
  static Lsn first_lsn(std::uint32_t segment_bytes) { return static_cast<Lsn>(std::uint64_t{segment_bytes} + kSegmentHeaderBytes); }

  // Appends an encoded record (sealed here) and returns its place. It takes its room from `reserve` as far as that goes, and
  // leaves what else is reserved. kInvalidArgument if no segment can hold it, kNoSpace or kIo if the next segment cannot be
  // made and nothing was appended, kStopped once the log has failed.
  Result<Lsn> append(const std::string& record, Reserve* reserve = nullptr) {
    return append(record.size(), reserve, [&](char* at) { record.copy(at, record.size()); });
  }
  // The same of a record of so many bytes, which `encode(place)` puts there.
  template <class Encode>
  Result<Lsn> append(std::size_t bytes, Reserve* reserve, Encode&& encode) {
    POWERCUT_TRY(char* const place, begin_record(bytes, reserve));
    encode(place);
    return end_record(bytes);
  }
  // Adds room for so many bytes of records, each at most kMostReservedRecordBytes long. Errors as of append().
  Result<void> reserve(std::uint64_t bytes, Reserve& reserve) {
    if (failure_) [[unlikely]]
      return *failure_;
    POWERCUT_TRYV(make_room(0, reserved_ + bytes));
    reserved_ += bytes;
    reserve.bytes += bytes;
    return success();
  }
  void release(Reserve& reserve) {
    reserved_ -= reserve.bytes;
    reserve.bytes = 0;
  }
  // Makes the record at `lsn`, and all before it, durable: also before open_at(), while recovery reads. After kNoSpace the
  // records may or may not survive a crash; another try writes all of them again.
  Result<void> flush(Lsn lsn);
  // The same for a fiber, which may wait while others go on: who asks first gathers what they append. It has returned for what a
  // sync covered that began later than the record was written. kStopped also when the scheduler ends all waits.
  Result<void> flush_together(Lsn lsn);

  // The record at a place, copied into `copy`, whether it is durable or not.
  Result<LogRecord> read(Lsn lsn, std::string& copy);

  // Whether the end is known: recovery has read it, or the database is new.
  bool is_open() const { return segment_ != 0; }
  // Where the records of this incarnation begin: what recovery found ends there.
  Lsn begin() const { return begin_; }
  Lsn end() const { return static_cast<Lsn>(segment_ * segment_bytes_ + offset_); }
  // Records before `lsn` will not be needed any more.
  void release_before(Lsn lsn);

  // Stops the log, and with it the database, for ever. Returns the error of everything from now on.
  Error stop(const Error& cause);
  // Why it was stopped.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  Result<void> rewrite_recovered(Lsn until, std::size_t wiped);
  Result<void> flush_recovered(Lsn lsn);
  Result<void> begin_epoch();
  // Where a record is to be put.
  Result<char*> begin_record(std::size_t bytes, Reserve* reserve);
  Lsn end_record(std::size_t bytes);
  // Room for a record and, after it, for so many bytes that are reserved.
  Result<void> make_room(std::uint64_t record, std::uint64_t reserved) {
    if (epoch_is_ours_ && record + reserved <= segment_bytes_ - offset_) [[likely]]
      return success();
    return make_more_room(record, reserved);
  }
  Result<void> make_more_room(std::uint64_t record, std::uint64_t reserved);
  bool has_room(std::uint64_t record, std::uint64_t reserved) const;
  Result<void> next_segment();
  Result<void> prepare_segment();
  void stock_up_in_background();
  void stock_up();
  Result<void> write_zeros(faultfs::File& file);
  Result<void> make_segment(std::uint64_t segment);
  Result<bool> reuse_old_segment(std::uint64_t segment);
  bool is_durable(Lsn lsn) const { return raw(lsn) < segment_ * segment_bytes_ + unsynced_; }
  Result<void> lead_flush();
  bool has_gathered_enough() const;
  void wake_waiting(bool done);
  Result<void> write_out();
  Result<void> write_buffer(bool durably);
  Result<void> sync_written();
  Result<void> take_buffer();
  void put_buffer_back();
  Result<void> sync_segment();
  Error failed(const Error& cause);
  std::string path(std::uint64_t segment) const { return directory_ + "/" + segment_name(segment); }

  faultfs::FileSystem& files_;
  std::string directory_;
  Control& control_;
  const Options& options_;
  const Defects& defects_;
  Memory& memory_;
  std::uint64_t segment_bytes_ = 0;
  std::uint64_t segment_ = 0;                          // the one being written
  std::uint64_t offset_ = 0;                           // of the end, in it
  std::uint64_t buffer_at_ = 0;                        // of memory_.buffer's first byte, in it: where a block begins
  std::uint64_t unwritten_ = 0;                        // of the first byte that no write has taken, in it
  std::uint64_t unsynced_ = 0;                         // offset up to which it is durable
  std::uint64_t in_flight_at_ = 0;                     // of memory_.in_flight's first byte, in it
  std::uint64_t in_flight_from_ = 0;                   // what unwritten_ was when it was taken
  std::unique_ptr<faultfs::File> file_;                // of segment_, opened when needed
  std::vector<std::unique_ptr<faultfs::File>> ahead_;  // of the segments after it that are ready
  std::uint64_t reserved_ = 0;
  Lsn begin_ = Lsn::kNone;
  bool epoch_is_ours_ = false;
  Lsn recovered_durable_ = Lsn::kNone;  // what an earlier incarnation wrote is, up to here
  std::uint64_t needed_segment_ = 0;    // segments before it may be recycled
  std::uint64_t released_in_ = 0;       // the segment that was written when that was said last
  // Kept to be renamed: as many as fill from one checkpoint to the next, since to remove them and to make others takes a device
  // longer than the log takes to fill one, and all who append would wait.
  static constexpr std::ptrdiff_t kLeastSpareSegments = 16;
  std::ptrdiff_t spare_segments_ = kLeastSpareSegments;
  bool old_segments_known_ = false;
  std::vector<std::uint64_t> old_segments_;  // ascending
  std::optional<Error> failure_;
  faultfs::Scheduler* scheduler_;
  bool suspends_;  // I/O lets other fibers run
  static constexpr faultfs::FiberId kNobody = ~faultfs::FiberId{0};
  bool flush_under_way_ = false;         // of flush_together()
  faultfs::FiberId gatherer_ = kNobody;  // lets others append before it writes
  struct Waiting {
    faultfs::FiberId fiber = 0;
    Lsn lsn = Lsn::kNone;
  };
  std::vector<Waiting> waiting_;        // for a flush
  std::uint64_t last_flush_took_ = 0;   // nanoseconds
  std::uint64_t last_flush_ended_ = 0;  // by the scheduler's clock
  Busy writing_;                        // a write or a sync
  Busy preparing_;                      // a segment
  Busy stocking_;                       // segments ahead, as many as there should be
  std::uint64_t stocked_in_ = 0;        // the segment that was written when that began last
  Busy reading_;                        // through memory_.read_buffer
};

}  // namespace powercut::ledger
