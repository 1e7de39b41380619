#include "engine/ledger/core.h"

namespace powercut::ledger {

Result<void> Core::open_data(faultfs::OpenMode mode, Lsn checkpoint_begin) {
  // A checkpoint's END names every dirty page, and no record is longer than a segment.
  const std::uint64_t segment_bytes = control.record().segment_bytes;
  if (std::uint64_t{options.frames} * kDirtyPageBytes + kPageBytes > segment_bytes) {
    return Error(ErrorCode::kInvalidArgument, directory + ": " + std::to_string(options.frames) +
                                                  " frames need log segments of at least " +
                                                  std::to_string(options.frames * kDirtyPageBytes + kPageBytes) +
                                                  " bytes; these have " + std::to_string(segment_bytes));
  }
  POWERCUT_TRY(auto data, files.open(path(kDataName), mode));
  pool.emplace(std::move(data), path(kDataName), log, options, memory.pool);
  store.emplace(*pool, log, options.defects, checkpoint_begin);
  previous_checkpoint_begin = checkpoint_begin;
  return success();
}

}  // namespace powercut::ledger
