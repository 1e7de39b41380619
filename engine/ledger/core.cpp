#include "engine/ledger/core.h"

#include "engine/ledger/transaction.h"

namespace powercut::ledger {

Core::Core(faultfs::FileSystem& files_of_core, std::string directory_of_core, const Options& options_of_core,
           Memory& memory_of_core, faultfs::Scheduler* scheduler_of_core)
    : files(files_of_core),
      directory(std::move(directory_of_core)),
      options(options_of_core),
      memory(memory_of_core),
      scheduler(scheduler_of_core),
      control(files, directory, options.defects),
      log(files, directory, control, options.defects, memory.log, scheduler_of_core) {}

Core::~Core() = default;

Result<void> Core::ready() {
  if (log.failure()) return *log.failure();
  if (unfinished_ == nullptr) return success();
  POWERCUT_TRYV(unfinished_->rollback());
  unfinished_.reset();
  return success();
}

void Core::finish_later(std::unique_ptr<Transaction> rollback) { unfinished_ = std::move(rollback); }

void Core::free_unused_pages() {
  while (!unused_pages.empty()) {
    const auto freed = store->free(unused_pages.front());
    // What cannot be freed now may be later; a page that is not what it should be stays unused for ever.
    if (freed.has_error() && freed.error().code() != ErrorCode::kCorrupt) return;
    unused_pages.erase(unused_pages.begin());
  }
}

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
