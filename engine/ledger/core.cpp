#include "engine/ledger/core.h"

namespace powercut::ledger {

Result<void> Core::open_data(faultfs::OpenMode mode, Lsn checkpoint_begin) {
  POWERCUT_TRY(auto data, files.open(path(kDataName), mode));
  pool.emplace(std::move(data), path(kDataName), log, options, memory.pool);
  store.emplace(*pool, log, options.defects, checkpoint_begin);
  previous_checkpoint_begin = checkpoint_begin;
  return success();
}

}  // namespace powercut::ledger
