// LevelDB's view of the operating system, over a faultfs file system: what its own PosixEnv (util/env_posix.cc, 1.23) asks of
// Linux is asked of faultfs, no more and no less. Two things are its own: time stands still, and the background thread is a
// queue that somebody else runs (LevelDbStore), since everything happens in one thread.
#pragma once

#include "engine/leveldb/leveldb_files.h"
#include "faultfs/file_system.h"
#include "faultfs/powered_file_system.h"

#include <leveldb/env.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace powercut::engine {

class LevelDbEnv final : public leveldb::Env {
 public:
  // One a database, and one a process: who opens the database again after a crash has another. The file system must outlive it.
  explicit LevelDbEnv(faultfs::FileSystem& files) : files_(files) {}

  // From now on nothing reaches the file system, and every operation fails.
  void die() { files_.fail_now(); }
  bool has_work() const { return !work_.empty(); }
  // Runs what waits for the background thread, and what that asks for in turn. Not from within LevelDB, which holds its mutex.
  void work();

  leveldb::Status NewSequentialFile(const std::string& path, leveldb::SequentialFile** result) override;
  leveldb::Status NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** result) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** result) override;
  leveldb::Status NewAppendableFile(const std::string& path, leveldb::WritableFile** result) override;
  bool FileExists(const std::string& path) override;
  leveldb::Status GetChildren(const std::string& directory, std::vector<std::string>* result) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& directory) override;
  leveldb::Status RemoveDir(const std::string& directory) override;
  leveldb::Status GetFileSize(const std::string& path, std::uint64_t* bytes) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  void Schedule(void (*function)(void*), void* argument) override { work_.emplace_back(function, argument); }
  void StartThread(void (*function)(void*), void* argument) override;
  leveldb::Status GetTestDirectory(std::string* path) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** result) override;
  std::uint64_t NowMicros() override { return 0; }
  void SleepForMicroseconds(int /*microseconds*/) override {}

 private:
  faultfs::PoweredFileSystem files_;
  std::deque<std::pair<void (*)(void*), void*>> work_;
};

}  // namespace powercut::engine
