#include "engine/leveldb/leveldb_env.h"

#include "engine/leveldb/leveldb_status.h"
#include "faultfs/assert.h"

#include <memory>

namespace powercut::engine {
namespace {

using faultfs::OpenMode;

class NoLock final : public leveldb::FileLock {};

template <class T>
leveldb::Status told(const std::string& path, const Result<T>& answer) {
  return answer.has_error() ? to_status(path, answer.error()) : leveldb::Status::OK();
}

}  // namespace

void LevelDbEnv::work() {
  while (!work_.empty()) {
    const auto [function, argument] = work_.front();
    work_.pop_front();
    function(argument);
  }
}

leveldb::Status LevelDbEnv::NewSequentialFile(const std::string& path, leveldb::SequentialFile** result) {
  auto file = files_.open(path, OpenMode::kRead);
  *result = file.has_value() ? new LevelDbSequentialFile(path, std::move(file).value()) : nullptr;
  return told(path, file);
}

leveldb::Status LevelDbEnv::NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** result) {
  *result = nullptr;
  auto file = files_.open(path, OpenMode::kRead);
  if (file.has_error()) return told(path, file);
  const auto bytes = file.value()->size();
  if (bytes.has_value()) *result = new LevelDbRandomAccessFile(path, std::move(file).value(), bytes.value());
  return told(path, bytes);
}

// O_TRUNC | O_CREAT.
leveldb::Status LevelDbEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** result) {
  *result = nullptr;
  auto file = files_.open(path, OpenMode::kCreate);
  if (file.has_error()) return told(path, file);
  const auto bytes = file.value()->size();
  if (bytes.has_error()) return told(path, bytes);
  if (bytes.value() > 0) {
    const auto cut_off = file.value()->resize(0);
    if (cut_off.has_error()) return told(path, cut_off);
  }
  *result = new LevelDbWritableFile(files_, path, std::move(file).value(), 0);
  return leveldb::Status::OK();
}

// O_APPEND | O_CREAT. Nobody else makes the file longer, so its end is known.
leveldb::Status LevelDbEnv::NewAppendableFile(const std::string& path, leveldb::WritableFile** result) {
  *result = nullptr;
  auto file = files_.open(path, OpenMode::kCreate);
  if (file.has_error()) return told(path, file);
  const auto bytes = file.value()->size();
  if (bytes.has_value()) *result = new LevelDbWritableFile(files_, path, std::move(file).value(), bytes.value());
  return told(path, bytes);
}

// access() == 0: an error is a no.
bool LevelDbEnv::FileExists(const std::string& path) {
  const auto exists = files_.exists(path);
  return exists.has_value() && exists.value();
}

leveldb::Status LevelDbEnv::GetChildren(const std::string& directory, std::vector<std::string>* result) {
  result->clear();
  auto entries = files_.list(directory);
  if (entries.has_error()) return told(directory, entries);
  for (auto& entry : entries.value()) result->push_back(std::move(entry.name));
  return leveldb::Status::OK();
}

leveldb::Status LevelDbEnv::RemoveFile(const std::string& path) { return told(path, files_.remove(path)); }

leveldb::Status LevelDbEnv::CreateDir(const std::string& directory) { return told(directory, files_.make_directory(directory)); }

leveldb::Status LevelDbEnv::RemoveDir(const std::string& directory) { return told(directory, files_.remove_directory(directory)); }

leveldb::Status LevelDbEnv::GetFileSize(const std::string& path, std::uint64_t* bytes) {
  *bytes = 0;
  const auto file = files_.open(path, OpenMode::kRead);
  if (file.has_error()) return told(path, file);
  const auto size = file.value()->size();
  if (size.has_value()) *bytes = size.value();
  return told(path, size);
}

leveldb::Status LevelDbEnv::RenameFile(const std::string& from, const std::string& to) {
  return told(from, files_.rename(from, to));
}

// Nobody else is there, but the file is made.
leveldb::Status LevelDbEnv::LockFile(const std::string& path, leveldb::FileLock** lock) {
  const auto file = files_.open(path, OpenMode::kCreate);
  *lock = file.has_value() ? new NoLock : nullptr;
  return told(path, file);
}

leveldb::Status LevelDbEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

void LevelDbEnv::StartThread(void (* /*function*/)(void*), void* /*argument*/) {
  POWERCUT_ASSERT(false, "LevelDB itself starts no threads; only its users do");
}

leveldb::Status LevelDbEnv::GetTestDirectory(std::string* path) {
  return leveldb::Status::NotSupported(*path, "there is no directory for tests");
}

leveldb::Status LevelDbEnv::NewLogger(const std::string& path, leveldb::Logger** result) {
  *result = nullptr;
  return leveldb::Status::NotSupported(path, "the options give a logger");
}

}  // namespace powercut::engine
