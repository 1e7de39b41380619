// The control file: where the last checkpoint is, which incarnation runs, and that the database exists.
//
// Two slots of one record each, written in turn, so that a torn write leaves the other. A record is small enough to be
// one sector. The file is made under another name and renamed into place: if it exists, the database does.
#pragma once

#include "engine/ledger/ids.h"
#include "engine/ledger/options.h"
#include "faultfs/file_system.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace powercut::ledger {

inline constexpr std::string_view kControlName = "control";
inline constexpr std::string_view kControlTemporaryName = "control.tmp";
inline constexpr std::size_t kControlRecordBytes = 64;
inline constexpr std::uint64_t kControlSlotBytes = 4096;  // from one slot to the next
inline constexpr std::uint32_t kFormatVersion = 3;        // of the control file, the log and the data file

struct ControlRecord {
  std::uint64_t sequence = 0;  // of the writes of the control file; its slot is sequence % 2
  std::uint64_t database_id = 0;
  std::uint32_t segment_bytes = 0;
  std::uint32_t epoch = 1;
  Lsn checkpoint = Lsn::kNone;  // of the last CHECKPOINT END; none before the first
  Lsn redo = Lsn::kNone;        // where redo starts
};

class Control {
 public:
  Control(faultfs::FileSystem& files, std::string directory, const Defects& defects)
      : files_(files), directory_(std::move(directory)), defects_(defects) {}

  // False if there is no database. kCorrupt when neither slot holds a record, kUnsupported when one holds a record of another
  // format version and none one of this.
  Result<bool> read();
  // What the record of a new database will be. Touches no file.
  void prepare(const ControlRecord& record) { record_ = record; }
  // Makes the database exist.
  Result<void> create();

  const ControlRecord& record() const { return record_; }
  // Writes the next version of the record, durably.
  Result<void> checkpointed(Lsn checkpoint, Lsn redo);
  Result<void> next_epoch();

 private:
  Result<void> write(ControlRecord next);
  std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }

  faultfs::FileSystem& files_;
  std::string directory_;
  const Defects& defects_;
  std::unique_ptr<faultfs::File> file_;
  ControlRecord record_;
  bool name_is_durable_ = false;
};

}  // namespace powercut::ledger
