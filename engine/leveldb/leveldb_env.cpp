#include "engine/leveldb/leveldb_env.h"

#include "engine/leveldb/leveldb_status.h"
#include "faultfs/assert.h"

namespace powercut::engine {
namespace {

using faultfs::OpenMode;

class NoLock final : public leveldb::FileLock {};

}  // namespace

template <class Operation>
leveldb::Status LevelDbEnv::ask(const std::string& path, Operation&& operation) {
  if (!process_.alive) return leveldb::Status::IOError(path, "the process is dead");
  const Result<void> answer = operation();
  return answer.has_error() ? to_status(path, answer.error()) : leveldb::Status::OK();
}

void LevelDbEnv::work() {
  while (!work_.empty()) {
    const auto [function, argument] = work_.front();
    work_.pop_front();
    function(argument);
  }
}

leveldb::Status LevelDbEnv::NewSequentialFile(const std::string& path, leveldb::SequentialFile** result) {
  *result = nullptr;
  return ask(path, [&]() -> Result<void> {
    POWERCUT_TRY(auto file, files_.open(path, OpenMode::kRead));
    *result = new LevelDbSequentialFile(process_, path, std::move(file));
    return success();
  });
}

leveldb::Status LevelDbEnv::NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** result) {
  *result = nullptr;
  return ask(path, [&]() -> Result<void> {
    POWERCUT_TRY(auto file, files_.open(path, OpenMode::kRead));
    POWERCUT_TRY(const auto bytes, file->size());
    *result = new LevelDbRandomAccessFile(process_, path, std::move(file), bytes);
    return success();
  });
}

// O_TRUNC | O_CREAT.
leveldb::Status LevelDbEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** result) {
  *result = nullptr;
  return ask(path, [&]() -> Result<void> {
    POWERCUT_TRY(auto file, files_.open(path, OpenMode::kCreate));
    POWERCUT_TRY(const auto bytes, file->size());
    if (bytes > 0) POWERCUT_TRYV(file->resize(0));
    *result = new LevelDbWritableFile(process_, files_, path, std::move(file), 0);
    return success();
  });
}

// O_APPEND | O_CREAT. Nobody else makes the file longer, so its end is known.
leveldb::Status LevelDbEnv::NewAppendableFile(const std::string& path, leveldb::WritableFile** result) {
  *result = nullptr;
  return ask(path, [&]() -> Result<void> {
    POWERCUT_TRY(auto file, files_.open(path, OpenMode::kCreate));
    POWERCUT_TRY(const auto bytes, file->size());
    *result = new LevelDbWritableFile(process_, files_, path, std::move(file), bytes);
    return success();
  });
}

// access() == 0: an error is a no.
bool LevelDbEnv::FileExists(const std::string& path) {
  if (!process_.alive) return false;
  const auto exists = files_.exists(path);
  return exists.has_value() && exists.value();
}

leveldb::Status LevelDbEnv::GetChildren(const std::string& directory, std::vector<std::string>* result) {
  result->clear();
  return ask(directory, [&]() -> Result<void> {
    POWERCUT_TRY(auto entries, files_.list(directory));
    for (auto& entry : entries) result->push_back(std::move(entry.name));
    return success();
  });
}

leveldb::Status LevelDbEnv::RemoveFile(const std::string& path) {
  return ask(path, [&] { return files_.remove(path); });
}

leveldb::Status LevelDbEnv::CreateDir(const std::string& directory) {
  return ask(directory, [&] { return files_.make_directory(directory); });
}

leveldb::Status LevelDbEnv::RemoveDir(const std::string& directory) {
  return ask(directory, [&] { return files_.remove_directory(directory); });
}

leveldb::Status LevelDbEnv::GetFileSize(const std::string& path, std::uint64_t* bytes) {
  *bytes = 0;
  return ask(path, [&]() -> Result<void> {
    POWERCUT_TRY(const auto file, files_.open(path, OpenMode::kRead));
    POWERCUT_TRY(*bytes, file->size());
    return success();
  });
}

leveldb::Status LevelDbEnv::RenameFile(const std::string& from, const std::string& to) {
  return ask(from, [&] { return files_.rename(from, to); });
}

// Nobody else is there, but the file is made.
leveldb::Status LevelDbEnv::LockFile(const std::string& path, leveldb::FileLock** lock) {
  *lock = nullptr;
  return ask(path, [&]() -> Result<void> {
    POWERCUT_TRYV(files_.open(path, OpenMode::kCreate));
    *lock = new NoLock;
    return success();
  });
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
