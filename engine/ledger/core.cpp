#include "engine/ledger/core.h"

namespace powercut::ledger {

Result<void> Core::open_data(faultfs::OpenMode mode, Lsn checkpoint_begin) {
  if (control.record().segment_bytes < least_segment_bytes(options.frames)) {
    return Error(ErrorCode::kInvalidArgument, directory + ": its log segments have " +
                                                  std::to_string(control.record().segment_bytes) + " bytes; " +
                                                  std::to_string(options.frames) + " frames need at least " +
                                                  std::to_string(least_segment_bytes(options.frames)));
  }
  POWERCUT_TRY(auto data, files.open(path(kDataName), mode));
  pool.emplace(std::move(data), path(kDataName), log, options, memory.pool);
  store.emplace(*pool, log, options.defects, checkpoint_begin);
  previous_checkpoint_begin = checkpoint_begin;
  return success();
}

}  // namespace powercut::ledger
