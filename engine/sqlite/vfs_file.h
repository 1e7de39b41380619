// A file as SQLite sees it: sqlite3_io_methods over a faultfs::File. SQLite gives the memory, Vfs makes it there, xClose ends it.
#pragma once

#include "engine/sqlite/vfs.h"
#include "faultfs/file_system.h"

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::engine::sqlite {

struct VfsFile : sqlite3_file {
  // With `name_unsynced` the first sync is followed by one of the directory.
  VfsFile(Vfs& of, std::unique_ptr<faultfs::File> opened, std::string_view path, bool name_unsynced);

  Vfs& vfs;
  std::unique_ptr<faultfs::File> file;
  std::string directory;
  bool name_unsynced;
  int lock = SQLITE_LOCK_NONE;
  // Pieces of the index of a write-ahead log.
  std::vector<std::unique_ptr<byte[]>> shared_memory;
};

}  // namespace powercut::engine::sqlite
