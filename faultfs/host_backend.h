// What real directories are reached through, by the names of command lines.
#pragma once

#include "faultfs/file_system.h"

#include <memory>
#include <string>
#include <string_view>

namespace powercut::faultfs {

class Scheduler;

enum class HostBackend : unsigned char { kPosix, kUring, kUringDirect };

// For example "uring-direct".
std::string_view to_string(HostBackend backend);
// kInvalidArgument with the names there are.
Result<HostBackend> find_host_backend(std::string_view name);
// A file system with `root`, a directory that exists, as its root. The scheduler may be null. Errors as of PosixFileSystem and
// UringFileSystem.
Result<std::unique_ptr<FileSystem>> open_host_backend(HostBackend backend, const std::string& root, Scheduler* scheduler = nullptr);

}  // namespace powercut::faultfs
