#include "engine/rocksdb/rocksdb_disk.h"

#include "engine/rocksdb/rocksdb_files.h"

#include <algorithm>
#include <utility>

namespace powercut::engine {
namespace {

using rocksdb::IOStatus;

// The highest number in a name: of "MANIFEST-000005" and "000005.log" it is 5.
std::uint64_t number_in(std::string_view name) {
  std::uint64_t highest = 0;
  std::uint64_t number = 0;
  for (const char each : name) {
    number = each >= '0' && each <= '9' ? number * 10 + static_cast<std::uint64_t>(each - '0') : 0;
    highest = std::max(highest, number);
  }
  return highest;
}

// A path of RocksDB's as one of ours: without what follows the last name ("db/").
std::string_view named(const std::string& path) {
  const auto last = path.find_last_not_of('/');
  return std::string_view(path).substr(0, last == std::string::npos ? 0 : last + 1);
}

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::unique_ptr<faultfs::File> file) : file_(std::move(file)) {}

 private:
  std::unique_ptr<faultfs::File> file_;
};

}  // namespace

Result<faultfs::FileSystem*> RocksDisk::files() {
  POWERCUT_TRYV(running());
  return &files_;
}

Result<void> RocksDisk::running() const {
  if (cut_) return Error(ErrorCode::kIo, "the process that had the database open is gone");
  return success();
}

IOStatus RocksDisk::status(const Error& error) {
  if (error.code() == ErrorCode::kNotFound) return IOStatus::PathNotFound(error.context());
  failure_ = error;
  if (error.code() != ErrorCode::kNoSpace) return IOStatus::IOError(error.context());
  auto full = IOStatus::NoSpace(error.context());
  full.SetRetryable(true);
  return full;
}

IOStatus RocksDisk::status(const Result<void>& result) { return result.has_error() ? status(result.error()) : IOStatus::OK(); }

Result<std::unique_ptr<faultfs::File>> RocksFileSystem::open(const std::string& path, faultfs::OpenMode mode) {
  POWERCUT_TRY(auto* const files, disk_.files());
  return files->open(named(path), mode);
}

IOStatus RocksFileSystem::NewSequentialFile(const std::string& path, const rocksdb::FileOptions& /*options*/,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* file, rocksdb::IODebugContext* /*debug*/) {
  file->reset();
  auto opened = open(path, faultfs::OpenMode::kRead);
  if (opened.has_error()) return disk_.status(opened.error());
  *file = std::make_unique<RocksSequentialFile>(disk_, std::move(opened).value());
  return IOStatus::OK();
}

IOStatus RocksFileSystem::NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& /*options*/,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                              rocksdb::IODebugContext* /*debug*/) {
  file->reset();
  auto opened = open(path, faultfs::OpenMode::kRead);
  if (opened.has_error()) return disk_.status(opened.error());
  *file = std::make_unique<RocksRandomAccessFile>(disk_, std::move(opened).value());
  return IOStatus::OK();
}

IOStatus RocksFileSystem::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* /*debug*/) {
  file->reset();
  // O_CREAT | O_TRUNC
  const auto made = [&]() -> Result<std::unique_ptr<faultfs::File>> {
    POWERCUT_TRY(auto opened, open(path, faultfs::OpenMode::kCreate));
    POWERCUT_TRY(const std::uint64_t bytes, opened->size());
    if (bytes > 0) POWERCUT_TRYV(opened->resize(0));
    return opened;
  };
  auto opened = made();
  if (opened.has_error()) return disk_.status(opened.error());
  *file = std::make_unique<RocksWritableFile>(disk_, std::move(opened).value(), options);
  return IOStatus::OK();
}

IOStatus RocksFileSystem::NewDirectory(const std::string& path, const rocksdb::IOOptions& /*options*/,
                                       std::unique_ptr<rocksdb::FSDirectory>* directory, rocksdb::IODebugContext* /*debug*/) {
  directory->reset();
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  auto exists = files.value()->exists(named(path));
  if (exists.has_error()) return disk_.status(exists.error());
  if (!exists.value()) return IOStatus::PathNotFound(path);
  *directory = std::make_unique<RocksDirectory>(disk_, std::string(named(path)), directory_sync_);
  return IOStatus::OK();
}

IOStatus RocksFileSystem::FileExists(const std::string& path, const rocksdb::IOOptions& /*options*/,
                                     rocksdb::IODebugContext* /*debug*/) {
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  auto exists = files.value()->exists(named(path));
  if (exists.has_error()) return disk_.status(exists.error());
  return exists.value() ? IOStatus::OK() : IOStatus::NotFound();
}

IOStatus RocksFileSystem::GetChildren(const std::string& path, const rocksdb::IOOptions& /*options*/,
                                      std::vector<std::string>* names, rocksdb::IODebugContext* /*debug*/) {
  names->clear();
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  auto listed = files.value()->list(named(path));
  if (listed.has_error()) {
    return listed.error().code() == ErrorCode::kNotFound ? IOStatus::NotFound() : disk_.status(listed.error());
  }
  for (auto& entry : listed.value()) {
    highest_number_ = std::max(highest_number_, number_in(entry.name));
    names->push_back(std::move(entry.name));
  }
  return IOStatus::OK();
}

IOStatus RocksFileSystem::DeleteFile(const std::string& path, const rocksdb::IOOptions& /*options*/,
                                     rocksdb::IODebugContext* /*debug*/) {
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  return disk_.status(files.value()->remove(named(path)));
}

IOStatus RocksFileSystem::CreateDir(const std::string& path, const rocksdb::IOOptions& /*options*/,
                                    rocksdb::IODebugContext* /*debug*/) {
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  return disk_.status(files.value()->make_directory(named(path)));
}

IOStatus RocksFileSystem::CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                             rocksdb::IODebugContext* debug) {
  const IOStatus there = FileExists(path, options, debug);
  return there.IsNotFound() ? CreateDir(path, options, debug) : there;
}

IOStatus RocksFileSystem::DeleteDir(const std::string& path, const rocksdb::IOOptions& /*options*/,
                                    rocksdb::IODebugContext* /*debug*/) {
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  return disk_.status(files.value()->remove_directory(named(path)));
}

IOStatus RocksFileSystem::GetFileSize(const std::string& path, const rocksdb::IOOptions& /*options*/, std::uint64_t* bytes,
                                      rocksdb::IODebugContext* /*debug*/) {
  *bytes = 0;
  auto opened = open(path, faultfs::OpenMode::kRead);
  if (opened.has_error()) return disk_.status(opened.error());
  auto size = opened.value()->size();
  if (size.has_error()) return disk_.status(size.error());
  *bytes = size.value();
  return IOStatus::OK();
}

IOStatus RocksFileSystem::GetFileModificationTime(const std::string& path, const rocksdb::IOOptions& options,
                                                  std::uint64_t* seconds, rocksdb::IODebugContext* debug) {
  *seconds = 0;
  const IOStatus there = FileExists(path, options, debug);
  return there.IsNotFound() ? IOStatus::PathNotFound(path) : there;
}

IOStatus RocksFileSystem::RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& /*options*/,
                                     rocksdb::IODebugContext* /*debug*/) {
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  return disk_.status(files.value()->rename(named(from), named(to)));
}

IOStatus RocksFileSystem::Truncate(const std::string& path, std::size_t bytes, const rocksdb::IOOptions& /*options*/,
                                   rocksdb::IODebugContext* /*debug*/) {
  auto opened = open(path, faultfs::OpenMode::kReadWrite);
  if (opened.has_error()) return disk_.status(opened.error());
  return disk_.status(opened.value()->resize(bytes));
}

IOStatus RocksFileSystem::LockFile(const std::string& path, const rocksdb::IOOptions& /*options*/, rocksdb::FileLock** lock,
                                   rocksdb::IODebugContext* /*debug*/) {
  // The file is all that a lock leaves; nobody else has the disk open.
  *lock = nullptr;
  auto opened = open(path, faultfs::OpenMode::kCreate);
  if (opened.has_error()) return disk_.status(opened.error());
  *lock = std::make_unique<Lock>(std::move(opened).value()).release();
  return IOStatus::OK();
}

IOStatus RocksFileSystem::UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& /*options*/,
                                     rocksdb::IODebugContext* /*debug*/) {
  const std::unique_ptr<rocksdb::FileLock> owned(lock);
  return IOStatus::OK();
}

IOStatus RocksFileSystem::GetTestDirectory(const rocksdb::IOOptions& /*options*/, std::string* /*path*/,
                                           rocksdb::IODebugContext* /*debug*/) {
  return IOStatus::NotSupported("there is no directory for tests");
}

IOStatus RocksFileSystem::GetAbsolutePath(const std::string& path, const rocksdb::IOOptions& /*options*/, std::string* absolute,
                                          rocksdb::IODebugContext* /*debug*/) {
  *absolute = path;
  return IOStatus::OK();
}

IOStatus RocksFileSystem::IsDirectory(const std::string& path, const rocksdb::IOOptions& /*options*/, bool* is_directory,
                                      rocksdb::IODebugContext* /*debug*/) {
  auto files = disk_.files();
  if (files.has_error()) return disk_.status(files.error());
  const auto listed = files.value()->list(named(path));
  *is_directory = listed.has_value();
  return IOStatus::OK();
}

rocksdb::FileOptions RocksFileSystem::OptimizeForLogWrite(const rocksdb::FileOptions& options,
                                                          const rocksdb::DBOptions& database) const {
  rocksdb::FileOptions optimized = options;
  optimized.bytes_per_sync = database.wal_bytes_per_sync;
  optimized.writable_file_max_buffer_size = database.writable_file_max_buffer_size;
  return optimized;
}

}  // namespace powercut::engine
