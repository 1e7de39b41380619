// A rocksdb::FileSystem over faultfs: each call does what RocksDB's own, PosixFileSystem (env/fs_posix.cc and env/io_posix.cc
// of 7.8.3), asks of the kernel, sync for sync. Used by RocksEnv alone.
//
// Left out, because it changes neither contents nor sizes nor what is durable: preallocation (fallocate with KEEP_SIZE), range
// syncs (sync_file_range makes nothing durable), advice to the page cache. What RocksDB as we open it does not ask for is not
// supported: hard links, memory maps, direct I/O, files that are written at random.
#pragma once

#include "faultfs/file_system.h"

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::engine {

// When PosixFileSystem syncs a directory: it asks the kernel whether the file system is btrfs, and there does without.
enum class DirectorySync : unsigned char { kAlways, kAsOnBtrfs };

// What a database and its open files share of the disk.
class RocksDisk {
 public:
  explicit RocksDisk(faultfs::FileSystem& files) : files_(files) {}

  // Nothing is asked of the disk any more: the process that had the database open is gone.
  void cut() { cut_ = true; }

  // What the disk says, as the status that RocksDB's own file system makes of it; kept as failure() if it is an error.
  rocksdb::IOStatus status(const Error& error);
  rocksdb::IOStatus status(const Result<void>& result);

  // The last error of the disk since it was forgotten, other than of a file that is not there.
  const std::optional<Error>& failure() const { return failure_; }
  void forget_failure() { failure_.reset(); }

  // The file system; kIo once it was cut off.
  Result<faultfs::FileSystem*> files();
  Result<void> running() const;

 private:
  faultfs::FileSystem& files_;
  std::optional<Error> failure_;
  bool cut_ = false;
};

class RocksFileSystem final : public rocksdb::FileSystem {
 public:
  // The disk must outlive the file system and its files.
  RocksFileSystem(RocksDisk& disk, DirectorySync directory_sync) : disk_(disk), directory_sync_(directory_sync) {}

  // The highest number in the name of any file in any directory that was listed.
  std::uint64_t highest_number() const { return highest_number_; }

  const char* Name() const override { return "powercut"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options, std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options, std::uint64_t* bytes,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileModificationTime(const std::string& path, const rocksdb::IOOptions& options, std::uint64_t* seconds,
                                            rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Truncate(const std::string& path, std::size_t bytes, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options, rocksdb::FileLock** lock,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetTestDirectory(const rocksdb::IOOptions& options, std::string* path, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetAbsolutePath(const std::string& path, const rocksdb::IOOptions& options, std::string* absolute,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus IsDirectory(const std::string& path, const rocksdb::IOOptions& options, bool* is_directory,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::FileOptions OptimizeForLogWrite(const rocksdb::FileOptions& options, const rocksdb::DBOptions& database) const override;

 private:
  Result<std::unique_ptr<faultfs::File>> open(const std::string& path, faultfs::OpenMode mode);

  RocksDisk& disk_;
  DirectorySync directory_sync_;
  std::uint64_t highest_number_ = 0;
};

}  // namespace powercut::engine
