// The log of a database without the rest of it: its control file, the writer, and the reader as recovery uses it.
#pragma once

#include "engine/ledger/control.h"
#include "engine/ledger/log.h"
#include "engine/ledger/log_reader.h"
#include "engine/ledger/log_record.h"
#include "engine/ledger/options.h"
#include "faultfs/file_system.h"
#include "tests/support/property.h"
#include "tests/support/row_record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {

inline constexpr std::uint64_t kDatabaseId = 4711;
inline constexpr std::uint32_t kSegment = ledger::kLeastSegmentBytes;
// A row record is this much longer than its row (the key is empty).
inline constexpr std::size_t kRowOverhead = ledger::kRecordHeaderBytes + 18;

struct LogEntry {
  ledger::Lsn lsn = ledger::Lsn::kNone;
  std::string row;
};

// A control file and a log in directory "db" of any file system.
struct OpenLog {
  explicit OpenLog(faultfs::FileSystem& log_files, std::uint32_t log_block = 1, faultfs::Scheduler* scheduler = nullptr)
      : files(log_files), control(files, "db", defects) {
    options.log_block = log_block;
    log.emplace(files, "db", control, options, memory, scheduler);
  }

  void create() {
    RC_ASSERT(files.make_directory("db").has_value());
    RC_ASSERT(files.sync_directory("").has_value());
    control.prepare({0, kDatabaseId, kSegment, 1, ledger::Lsn::kNone, ledger::Lsn::kNone});
    RC_ASSERT(log->create().has_value());
    RC_ASSERT(control.create().has_value());
  }

  // As recovery does: reads the control file and the log from where redo starts, and goes on at its end.
  std::vector<LogEntry> open() {
    RC_ASSERT(control.read().value());
    std::vector<LogEntry> found;
    ledger::LogReader reader(files, "db", defects, buffer);
    reader.start(control.record(),
                 control.record().redo != ledger::Lsn::kNone ? control.record().redo : ledger::Log::first_lsn(kSegment));
    ledger::LogRecord record;
    for (;;) {
      const auto more = reader.next(record);
      RC_ASSERT(more.has_value());
      if (!more.value()) break;
      const auto row = ledger::decode_row(record.header.type, record.body);
      RC_ASSERT(row.has_value());
      found.push_back({record.lsn, std::string(row.value().change.after)});
    }
    log->open_at(reader.position());
    return found;
  }

  Result<ledger::Lsn> append(const std::string& row) {
    std::string record;
    ledger::encode_row_change(record, ledger::TxnId{1}, ledger::Lsn::kNone,
                              {ledger::RowAction::kInsert, ledger::PageId{2}, ledger::PageId{2}, 0, {}, {}, row});
    return log->append(record);
  }
  // Leaves `bytes` bytes of the current segment.
  ledger::Lsn append_leaving(std::size_t bytes) {
    const std::size_t offset = raw(log->end()) % kSegment;
    return append(std::string(kSegment - offset - bytes - kRowOverhead, 'f')).value();
  }

  faultfs::FileSystem& files;
  ledger::Options options;
  ledger::Defects& defects = options.defects;
  ledger::Control control;
  ledger::Log::Memory memory;
  ledger::LogReader::Buffer buffer;
  std::optional<ledger::Log> log;
};

}  // namespace powercut::testing
