// The open files that LevelDB reads and writes, over faultfs. Each does what its namesake in LevelDB's own util/env_posix.cc
// (1.23) does, call for call: when bytes leave the process, and which syncs are asked for, decides what a power failure may
// take.
#pragma once

#include "faultfs/file_system.h"

#include <leveldb/env.h>

#include <cstdint>
#include <memory>
#include <string>

namespace powercut::engine {

// PosixSequentialFile: what one read() gives is handed on, also if it is less than asked.
class LevelDbSequentialFile final : public leveldb::SequentialFile {
 public:
  LevelDbSequentialFile(std::string path, std::unique_ptr<faultfs::File> file) : path_(std::move(path)), file_(std::move(file)) {}

  leveldb::Status Read(std::size_t bytes, leveldb::Slice* result, char* scratch) override;
  leveldb::Status Skip(std::uint64_t bytes) override;

 private:
  std::string path_;
  std::unique_ptr<faultfs::File> file_;
  std::uint64_t position_ = 0;
};

// PosixMmapReadableFile: of a file as long as it was when it was opened. It is read when it is asked for, as pages of a mapping
// are.
class LevelDbRandomAccessFile final : public leveldb::RandomAccessFile {
 public:
  LevelDbRandomAccessFile(std::string path, std::unique_ptr<faultfs::File> file, std::uint64_t bytes)
      : path_(std::move(path)), file_(std::move(file)), bytes_(bytes) {}

  leveldb::Status Read(std::uint64_t offset, std::size_t bytes, leveldb::Slice* result, char* scratch) const override;

 private:
  std::string path_;
  std::unique_ptr<faultfs::File> file_;
  std::uint64_t bytes_;
};

// PosixWritableFile: up to 64 KiB wait in the process for Flush(), Sync() or Close(). A sync is fdatasync(); that of a MANIFEST
// syncs the directory first.
class LevelDbWritableFile final : public leveldb::WritableFile {
 public:
  // Writes from `position` on.
  LevelDbWritableFile(faultfs::FileSystem& files, std::string path, std::unique_ptr<faultfs::File> file, std::uint64_t position)
      : files_(files), path_(std::move(path)), file_(std::move(file)), position_(position) {}
  // Closes it: what waits is written.
  ~LevelDbWritableFile() override;

  leveldb::Status Append(const leveldb::Slice& data) override;
  leveldb::Status Close() override;
  leveldb::Status Flush() override;
  leveldb::Status Sync() override;

 private:
  leveldb::Status write(std::string_view bytes);

  faultfs::FileSystem& files_;
  std::string path_;
  std::unique_ptr<faultfs::File> file_;  // null when closed
  std::uint64_t position_;
  std::string buffer_;
};

}  // namespace powercut::engine
