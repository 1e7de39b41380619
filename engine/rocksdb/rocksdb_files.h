// The open files of a RocksFileSystem.
#pragma once

#include "engine/rocksdb/rocksdb_disk.h"
#include "faultfs/file_system.h"

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace powercut::engine {

class RocksSequentialFile final : public rocksdb::FSSequentialFile {
 public:
  RocksSequentialFile(RocksDisk& disk, std::unique_ptr<faultfs::File> file) : disk_(disk), file_(std::move(file)) {}

  rocksdb::IOStatus Read(std::size_t bytes, const rocksdb::IOOptions& options, rocksdb::Slice* read, char* scratch,
                         rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Skip(std::uint64_t bytes) override;

 private:
  RocksDisk& disk_;
  std::unique_ptr<faultfs::File> file_;
  std::uint64_t offset_ = 0;
};

class RocksRandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  RocksRandomAccessFile(RocksDisk& disk, std::unique_ptr<faultfs::File> file) : disk_(disk), file_(std::move(file)) {}

  rocksdb::IOStatus Read(std::uint64_t offset, std::size_t bytes, const rocksdb::IOOptions& options, rocksdb::Slice* read,
                         char* scratch, rocksdb::IODebugContext* debug) const override;

 private:
  RocksDisk& disk_;
  std::unique_ptr<faultfs::File> file_;
};

// Appends to an empty file.
class RocksWritableFile final : public rocksdb::FSWritableFile {
 public:
  RocksWritableFile(RocksDisk& disk, std::unique_ptr<faultfs::File> file, const rocksdb::FileOptions& options)
      : rocksdb::FSWritableFile(options), disk_(disk), file_(std::move(file)) {}

  using rocksdb::FSWritableFile::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Truncate(std::uint64_t bytes, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Flush(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;   // fdatasync
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;  // fsync
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus sync(faultfs::SyncKind kind);

  RocksDisk& disk_;
  std::unique_ptr<faultfs::File> file_;  // null once closed
  std::uint64_t bytes_ = 0;
};

class RocksDirectory final : public rocksdb::FSDirectory {
 public:
  RocksDirectory(RocksDisk& disk, std::string path, DirectorySync sync) : disk_(disk), path_(std::move(path)), sync_(sync) {}

  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                                        const rocksdb::DirFsyncOptions& what) override;
  rocksdb::IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;

 private:
  Result<void> sync_file(const std::string& path);

  RocksDisk& disk_;
  std::string path_;
  DirectorySync sync_;
};

}  // namespace powercut::engine
