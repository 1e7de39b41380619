#include "engine/leveldb/leveldb_files.h"

#include "engine/leveldb/leveldb_status.h"

#include <algorithm>
#include <span>

namespace powercut::engine {
namespace {

constexpr std::size_t kBufferBytes = 65536;  // kWritableFileBufferSize

std::span<std::byte> bytes_at(char* place, std::size_t bytes) { return std::as_writable_bytes(std::span(place, bytes)); }

}  // namespace

leveldb::Status LevelDbSequentialFile::Read(std::size_t bytes, leveldb::Slice* result, char* scratch) {
  const auto read = file_->read(position_, bytes_at(scratch, bytes));
  if (read.has_error()) return to_status(path_, read.error());
  position_ += read.value();
  *result = leveldb::Slice(scratch, read.value());
  return leveldb::Status::OK();
}

leveldb::Status LevelDbSequentialFile::Skip(std::uint64_t bytes) {
  position_ += bytes;
  return leveldb::Status::OK();
}

leveldb::Status LevelDbRandomAccessFile::Read(std::uint64_t offset, std::size_t bytes, leveldb::Slice* result,
                                              char* scratch) const {
  *result = leveldb::Slice();
  if (offset + bytes > bytes_) return leveldb::Status::IOError(path_, "Invalid argument");
  const auto read = faultfs::read_full(*file_, offset, bytes_at(scratch, bytes));
  if (read.has_error()) return to_status(path_, read.error());
  *result = leveldb::Slice(scratch, read.value());
  return leveldb::Status::OK();
}

LevelDbWritableFile::~LevelDbWritableFile() {
  if (file_ != nullptr) Close();
}

leveldb::Status LevelDbWritableFile::Append(const leveldb::Slice& data) {
  const std::size_t fits = std::min(data.size(), kBufferBytes - buffer_.size());
  buffer_.append(data.data(), fits);
  const std::string_view rest(data.data() + fits, data.size() - fits);
  if (rest.empty()) return leveldb::Status::OK();
  auto status = Flush();
  if (!status.ok()) return status;
  if (rest.size() >= kBufferBytes) return write(rest);
  buffer_ = rest;
  return leveldb::Status::OK();
}

leveldb::Status LevelDbWritableFile::Close() {
  auto status = Flush();
  file_.reset();
  return status;
}

leveldb::Status LevelDbWritableFile::Flush() {
  // What could not be written is forgotten, as PosixWritableFile::FlushBuffer forgets it.
  auto status = write(buffer_);
  buffer_.clear();
  return status;
}

leveldb::Status LevelDbWritableFile::Sync() {
  if (faultfs::name_of(path_).starts_with("MANIFEST")) {
    const auto synced = files_.sync_directory(faultfs::parent_of(path_));
    if (synced.has_error()) return to_status(std::string(faultfs::parent_of(path_)), synced.error());
  }
  auto status = Flush();
  if (!status.ok()) return status;
  const auto synced = file_->sync(faultfs::SyncKind::kData);
  return synced.has_error() ? to_status(path_, synced.error()) : leveldb::Status::OK();
}

leveldb::Status LevelDbWritableFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto taken = file_->write(position_, std::as_bytes(std::span(bytes)));
    if (taken.has_error()) return to_status(path_, taken.error());
    position_ += taken.value();
    bytes.remove_prefix(taken.value());
  }
  return leveldb::Status::OK();
}

}  // namespace powercut::engine
