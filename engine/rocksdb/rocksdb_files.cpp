#include "engine/rocksdb/rocksdb_files.h"

#include "faultfs/bytes.h"

#include <span>
#include <string_view>

namespace powercut::engine {
namespace {

Result<rocksdb::Slice> read_at(const RocksDisk& disk, faultfs::File& file, std::uint64_t offset, std::size_t bytes, char* scratch) {
  POWERCUT_TRYV(disk.running());
  POWERCUT_TRY(const std::size_t read, faultfs::read_full(file, offset, std::as_writable_bytes(std::span(scratch, bytes))));
  return rocksdb::Slice(scratch, read);
}

}  // namespace

rocksdb::IOStatus RocksSequentialFile::Read(std::size_t bytes, const rocksdb::IOOptions& /*options*/, rocksdb::Slice* read,
                                            char* scratch, rocksdb::IODebugContext* /*debug*/) {
  *read = {};
  auto result = read_at(disk_, *file_, offset_, bytes, scratch);
  if (result.has_error()) return disk_.status(result.error());
  *read = result.value();
  offset_ += read->size();
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus RocksSequentialFile::Skip(std::uint64_t bytes) {
  offset_ += bytes;
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus RocksRandomAccessFile::Read(std::uint64_t offset, std::size_t bytes, const rocksdb::IOOptions& /*options*/,
                                              rocksdb::Slice* read, char* scratch, rocksdb::IODebugContext* /*debug*/) const {
  *read = {};
  auto result = read_at(disk_, *file_, offset, bytes, scratch);
  if (result.has_error()) return disk_.status(result.error());
  *read = result.value();
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus RocksWritableFile::Append(const rocksdb::Slice& data, const rocksdb::IOOptions& /*options*/,
                                            rocksdb::IODebugContext* /*debug*/) {
  if (auto running = disk_.running(); running.has_error()) return disk_.status(running);
  const auto written = faultfs::write_full(*file_, bytes_, as_bytes({data.data(), data.size()}));
  if (written.has_value()) bytes_ += data.size();
  return disk_.status(written);
}

rocksdb::IOStatus RocksWritableFile::Truncate(std::uint64_t bytes, const rocksdb::IOOptions& /*options*/,
                                              rocksdb::IODebugContext* /*debug*/) {
  if (auto running = disk_.running(); running.has_error()) return disk_.status(running);
  const auto resized = file_->resize(bytes);
  if (resized.has_value()) bytes_ = bytes;
  return disk_.status(resized);
}

rocksdb::IOStatus RocksWritableFile::Close(const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/) {
  file_.reset();
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus RocksWritableFile::Flush(const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/) {
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus RocksWritableFile::sync(faultfs::SyncKind kind) {
  if (auto running = disk_.running(); running.has_error()) return disk_.status(running);
  return disk_.status(file_->sync(kind));
}

rocksdb::IOStatus RocksWritableFile::Sync(const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/) {
  return sync(faultfs::SyncKind::kData);
}

rocksdb::IOStatus RocksWritableFile::Fsync(const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/) {
  return sync(faultfs::SyncKind::kFull);
}

std::uint64_t RocksWritableFile::GetFileSize(const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/) {
  return bytes_;
}

rocksdb::IOStatus RocksWritableFile::RangeSync(std::uint64_t /*offset*/, std::uint64_t /*bytes*/,
                                               const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/) {
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus RocksDirectory::Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
  return FsyncWithDirOptions(options, debug, rocksdb::DirFsyncOptions());
}

rocksdb::IOStatus RocksDirectory::FsyncWithDirOptions(const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/,
                                                      const rocksdb::DirFsyncOptions& what) {
  if (sync_ == DirectorySync::kAsOnBtrfs) {
    // "skip dir fsync for new file creation, which is not needed for btrfs"; "skip dir fsync for renaming file, only need to
    // sync new file" (PosixDirectory::FsyncWithDirOptions)
    if (what.reason == rocksdb::DirFsyncOptions::kNewFileSynced) return rocksdb::IOStatus::OK();
    if (what.reason == rocksdb::DirFsyncOptions::kFileRenamed) return disk_.status(sync_file(what.renamed_new_name));
  }
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  return disk_.status(files.value()->sync_directory(path_));
}

Result<void> RocksDirectory::sync_file(const std::string& path) {
  POWERCUT_TRY(auto* const files, disk_.files());
  POWERCUT_TRY(const auto file, files->open(path, faultfs::OpenMode::kRead));
  return file->sync(faultfs::SyncKind::kFull);
}

rocksdb::IOStatus RocksDirectory::Close(const rocksdb::IOOptions& /*options*/, rocksdb::IODebugContext* /*debug*/) {
  return rocksdb::IOStatus::OK();
}

}  // namespace powercut::engine
