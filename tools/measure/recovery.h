// How fast ledger recovers: a log of a wanted size, made by transfers and left as a crash of the process leaves it, and the time
// it takes to open its database. Beside it the least that any recovery must do: read the same bytes from the same backend and
// check each record's CRC-32C.
#pragma once

#include "faultfs/host_backend.h"
#include "faultfs/result.h"

#include <atomic>
#include <cstdint>
#include <string>

namespace powercut::measure {

struct RecoveryLoad {
  std::string directory;  // of the host; that of the database is made in it
  faultfs::HostBackend backend = faultfs::HostBackend::kPosix;
  std::uint64_t log_bytes = 0;
  std::uint64_t rows = 10000;  // of each of the two tables
  std::uint32_t frames = 4096;
  std::uint32_t segment_bytes = 16U << 20U;        // more than a sixteenth of the log: ledger makes a checkpoint every 16
  const std::atomic<bool>* interrupted = nullptr;  // true ends the making of the log
};

// What is in the page cache of the database's files when a measurement begins.
enum class PageCache : unsigned char { kCold, kWarm };

struct RecoveryFigures {
  std::uint64_t log_bytes = 0;  // from where redo starts to the end
  std::uint64_t records = 0;
  double seconds = 0;  // to open the database
  double cpu_seconds = 0;
  double read_and_check_seconds = 0;
  double read_and_check_cpu_seconds = 0;
  std::uint64_t peak_memory_bytes = 0;  // by which the process grew while it opened the database
};

// Makes the database and its log. Every transfer is acknowledged, so recovery has nothing to undo. The directory must exist.
Result<void> make_log(const RecoveryLoad& load);

// One round of both, in either order, over what make_log() left. It can be repeated: recovery makes no checkpoint.
Result<RecoveryFigures> measure_recovery(const RecoveryLoad& load, PageCache cache, bool recovery_first);

// Opens the database once more and counts the money. kCorrupt if some is missing.
Result<void> check_recovered(const RecoveryLoad& load);

}  // namespace powercut::measure
