// A sync that is tried once. After a failed one the kernel may have forgotten what was to be written and taken it for clean,
// so that a second sync succeeds and has written nothing (Linux; Rebello et al., "Can Applications Recover from fsync
// Failures?", USENIX ATC 2020). Whatever the cause, a failure is kStopped: nobody takes it for one that can be waited for.
#pragma once

#include "faultfs/file_system.h"

#include <string_view>

namespace powercut::ledger {

Result<void> final_sync(faultfs::File& file, faultfs::SyncKind kind);
Result<void> final_sync_directory(faultfs::FileSystem& files, std::string_view directory);

}  // namespace powercut::ledger
