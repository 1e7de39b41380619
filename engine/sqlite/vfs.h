// SQLite's operating system interface (https://www.sqlite.org/vfs.html) over one FileSystem, for one connection.
//
// It does what SQLite's own VFS for Unix does (src/os_unix.c), so that what is promised of SQLite on a disk is what is tested:
// which files and directories are synced when, which errors are ignored, what a device is said to be capable of. Where it
// differs: locks are only remembered, since no other connection has the database open, shared memory is the heap, temporary files
// are too, time stands still, and a file that cannot be opened for writing is not opened for reading instead.
//
// SQLite finds a VFS by its name, in a list for the whole process; so each connection has its own, with a name of its own.
#pragma once

#include "faultfs/file_system.h"

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace powercut::engine::sqlite {

class Vfs {
 public:
  Vfs(faultfs::FileSystem& files, bool powersafe_overwrite);
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  const char* name() const { return name_.c_str(); }

  // What a crash of the process is: from now on every operation fails, and none reaches the file system.
  void die() { dead_ = true; }
  bool is_dead() const { return dead_; }

  faultfs::FileSystem& files() { return files_; }
  bool powersafe_overwrite() const { return powersafe_overwrite_; }

  // The first error of the file system since it was last taken.
  std::optional<Error> take_error();
  // Keeps the error; returns `code`.
  int failed(Error error, int code);

  // What SQLite draws its random numbers from next. It is another one after each read and write, and depends on nothing but them.
  std::uint32_t seed() const { return static_cast<std::uint32_t>(seen_ >> 33U) | 1U; }
  void note_read(std::span<const byte> bytes);
  void note_change();

 private:
  faultfs::FileSystem& files_;
  bool powersafe_overwrite_;
  bool dead_ = false;
  std::optional<Error> error_;
  std::uint64_t seen_ = 0;
  std::string name_;
  sqlite3_vfs vfs_ = {};
};

}  // namespace powercut::engine::sqlite
