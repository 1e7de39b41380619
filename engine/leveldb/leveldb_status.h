// Errors of a file system as LevelDB's, and back.
//
// LevelDB keeps no error codes: what its own PosixEnv makes of errno is "not found" for ENOENT and "I/O error", with the text
// of strerror, for all else. A full disk is told again by that text.
#pragma once

#include "faultfs/result.h"

#include <leveldb/status.h>

#include <string>
#include <string_view>

namespace powercut::engine {

// As PosixError() of LevelDB's util/env_posix.cc.
leveldb::Status to_status(const std::string& path, const Error& error);

// An error that LevelDB gave. The status must not be ok.
Error to_error(const leveldb::Status& status, std::string_view what);

}  // namespace powercut::engine
