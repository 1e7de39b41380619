// Faults: what a disk may do wrong while it runs, or with what it holds. Each is off unless it is asked for, and each is
// one event: the n-th operation of a kind, in the work or in the recovery after a crash.
#pragma once

#include "faultfs/result.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace powercut::faultfs {

enum class FaultKind : unsigned char {
  kReadError,         // EIO on a read
  kWriteError,        // EIO on a write, part of which may have happened
  kFailedSync,        // EIO on a sync; what was to be synced is forgotten, see PersistenceModel::failed_sync_shows_old
  kFullDisk,          // ENOSPC on everything that needs space, until some is freed
  kShortRead,         // a read returns fewer bytes than asked
  kShortWrite,        // a write takes fewer bytes than given
  kLyingSync,         // a sync that answers success and does nothing
  kLostWrite,         // a write that answers success and never reaches the disk
  kMisdirectedWrite,  // a write that lands 4096 bytes away
  kSectorError,       // 512 bytes that cannot be read (EIO) until they are written again
  kBitRot,            // a bit that reads wrong until it is written again
};

// What an engine owes under a fault.
enum class FaultClass : unsigned char {
  kInvisible,  // nothing may change: short reads and writes
  kReported,   // an error, and all promises once the engine is opened again
  kMedia,      // all promises, or an error
  kSilent,     // an error, or rows that were once written: no engine can tell that what it was told is not so
};

struct Fault {
  FaultKind kind = FaultKind::kReadError;
  bool in_recovery = false;  // counts the operations of the first recovery after the crash, not those of the work
  std::uint32_t at = 0;      // which operation of those that it may hit, from 0
  std::uint32_t count = 1;   // so many in a row; of kFullDisk: until so many steps have ended

  friend bool operator==(const Fault&, const Fault&) = default;
};

struct FaultInfo {
  std::string_view name;
  std::string_view summary;
  FaultClass owed;
  bool in_work;      // may hit the work
  bool in_recovery;  // may hit recovery
};

// By the order of FaultKind.
std::span<const FaultInfo> fault_kinds();
const FaultInfo& info(FaultKind kind);
// kInvalidArgument with the names there are.
Result<FaultKind> fault_kind(std::string_view name);

}  // namespace powercut::faultfs
