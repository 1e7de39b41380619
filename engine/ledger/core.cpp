#include "engine/ledger/core.h"

#include "engine/ledger/catalogue.h"
#include "engine/ledger/transaction.h"

#include <algorithm>

namespace powercut::ledger {

Core::Core(faultfs::FileSystem& files_of_core, std::string directory_of_core, const Options& options_of_core,
           Memory& memory_of_core, faultfs::Scheduler* scheduler_of_core)
    : files(files_of_core),
      directory(std::move(directory_of_core)),
      options(options_of_core),
      memory(memory_of_core),
      scheduler(scheduler_of_core),
      latch(scheduler_of_core),
      locks(scheduler_of_core, this, &latch),
      control(files, directory, options.defects),
      log(files, directory, control, options, memory.log, scheduler_of_core) {
  locks.ignore_deadlocks(options.defects.deadlock_undetected);
}

Core::~Core() { unfinished_.clear(); }

Result<void> Core::ready() {
  if (log.failure()) return *log.failure();
  if (unfinished_.empty()) return success();
  const Latch::Closed closed(latch);
  while (!unfinished_.empty()) {
    POWERCUT_TRYV(unfinished_.back()->rollback());
    unfinished_.pop_back();
  }
  return success();
}

Result<void> Core::wait_for_commit(Lsn commit) {
  if (commit == Lsn::kNone) return success();
  return latch.opened([&] { return log.flush_together(commit); });
}

Result<void> Core::wait_for_own_commit(Lsn commit) {
  auto flushed = wait_for_commit(commit);
  if (flushed.has_error()) return log.stop(flushed.error());
  return flushed;
}

void Core::finish_later(std::unique_ptr<Transaction> rollback) { unfinished_.push_back(std::move(rollback)); }

std::string Core::tree(PageId root) const {
  const Latch::Closed closed(const_cast<Latch&>(latch));
  std::string name = "tree " + std::to_string(raw(root));
  const auto scanned =
      BTree(const_cast<PageStore&>(*store), kCatalogueRoot).scan({}, {}, [&](std::string_view table, std::string_view row) {
        const auto decoded = decode_table(table, row);
        if (decoded.has_error()) return true;
        const auto trees = decoded.value().trees();
        const auto found = std::find(trees.begin(), trees.end(), root);
        if (found == trees.end()) return true;
        name = table;
        auto index = found - trees.begin();
        for (const engine::Column& column : decoded.value().schema.columns) {
          if (column.unique && index > 0 && --index == 0) name += "." + column.name;
        }
        return false;
      });
  return scanned.has_error() ? "tree " + std::to_string(raw(root)) : name;
}

void Core::free_unused_pages() {
  while (!unused_pages.empty()) {
    const auto freed = store->free(unused_pages.back());
    // What cannot be freed now may be later; a page that is not what it should be stays unused for ever.
    if (freed.has_error() && freed.error().code() != ErrorCode::kCorrupt) return;
    unused_pages.pop_back();
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
  pool.emplace(std::move(data), path(kDataName), log, options, memory.pool, Company{scheduler, &latch, suspends()});
  store.emplace(*pool, log, options, checkpoint_begin);
  previous_checkpoint_begin = checkpoint_begin;
  return success();
}

}  // namespace powercut::ledger
