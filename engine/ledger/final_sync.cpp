#include "engine/ledger/final_sync.h"

namespace powercut::ledger {
namespace {

Result<void> final_result(const Result<void>& synced) {
  if (synced.has_value()) return success();
  return Error(ErrorCode::kStopped, "a sync failed and is not tried again: " + synced.error().message());
}

}  // namespace

Result<void> final_sync(faultfs::File& file, faultfs::SyncKind kind) { return final_result(file.sync(kind)); }

Result<void> final_sync_directory(faultfs::FileSystem& files, std::string_view directory) {
  return final_result(files.sync_directory(directory));
}

}  // namespace powercut::ledger
