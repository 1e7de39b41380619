// The world of a RocksDB database: files on a faultfs disk, a clock that counts, identifiers that follow from what the disk
// holds, and background jobs that wait until somebody runs them. The same disk and the same calls give the same bytes.
//
// There are no threads. RocksDB queues its flushes, compactions and purges here; whoever uses the database runs them in its
// own thread, between two calls of the database and so never under a lock of RocksDB's.
#pragma once

#include "engine/rocksdb/rocksdb_disk.h"

#include <rocksdb/env.h>
#include <rocksdb/system_clock.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace powercut::engine {

class RocksEnv final : public rocksdb::Env {
 public:
  // The disk must outlive the environment and the database in it.
  RocksEnv(RocksDisk& disk, DirectorySync directory_sync);

  // Runs the job that has waited longest among those of the highest priority; false if there is none.
  bool run_job();

  // Runs jobs until none is left, which is true, or until one failed: RocksDB sleeps then, queues it again, and so would go on
  // for as long as the disk is full.
  bool run_jobs_until_one_fails();

  // What RocksDB otherwise draws at random at each open, puts into the tables it makes and, with their numbers, into the
  // manifest as identities of the tables. Here it follows from the highest number that any file of the database had when it
  // was opened: a session of which a file is left had a lower one. It stays what it is at the first call.
  const std::string& session_id();

  // The same for each database.
  std::string GenerateUniqueId() override { return "00000000-0000-4000-8000-000000000000"; }

  void Schedule(void (*job)(void*), void* argument, Priority priority, void* tag, void (*unscheduled)(void*)) override;
  int UnSchedule(void* tag, Priority priority) override;
  unsigned int GetThreadPoolQueueLen(Priority priority) const override;
  void StartThread(void (*job)(void*), void* argument) override;
  void SetBackgroundThreads(int /*number*/, Priority /*priority*/) override {}
  int GetBackgroundThreads(Priority /*priority*/) override { return 1; }
  void IncBackgroundThreadsIfNeeded(int /*number*/, Priority /*priority*/) override {}

  std::uint64_t NowMicros() override { return system_clock_->NowMicros(); }
  std::uint64_t NowNanos() override { return system_clock_->NowNanos(); }
  void SleepForMicroseconds(int micros) override { system_clock_->SleepForMicroseconds(micros); }
  rocksdb::Status GetCurrentTime(std::int64_t* seconds) override { return system_clock_->GetCurrentTime(seconds); }
  std::string TimeToString(std::uint64_t seconds) override { return system_clock_->TimeToString(seconds); }
  rocksdb::Status GetHostName(char* name, std::uint64_t bytes) override;
  std::uint64_t GetThreadID() const override { return 1; }

  const char* Name() const override { return "powercut"; }
  rocksdb::Status FileExists(const std::string& path) override;
  rocksdb::Status GetChildren(const std::string& path, std::vector<std::string>* names) override;
  rocksdb::Status DeleteFile(const std::string& path) override;
  rocksdb::Status CreateDir(const std::string& path) override;
  rocksdb::Status CreateDirIfMissing(const std::string& path) override;
  rocksdb::Status DeleteDir(const std::string& path) override;
  rocksdb::Status GetFileSize(const std::string& path, std::uint64_t* bytes) override;
  rocksdb::Status GetFileModificationTime(const std::string& path, std::uint64_t* seconds) override;
  rocksdb::Status RenameFile(const std::string& from, const std::string& to) override;
  rocksdb::Status LockFile(const std::string& path, rocksdb::FileLock** lock) override;
  rocksdb::Status UnlockFile(rocksdb::FileLock* lock) override;
  rocksdb::Status GetAbsolutePath(const std::string& path, std::string* absolute) override;
  rocksdb::Status GetTestDirectory(std::string* path) override;

  // RocksDB opens its files through the file system, not through these.
  rocksdb::Status NewSequentialFile(const std::string& path, std::unique_ptr<rocksdb::SequentialFile>* file,
                                    const rocksdb::EnvOptions& options) override;
  rocksdb::Status NewRandomAccessFile(const std::string& path, std::unique_ptr<rocksdb::RandomAccessFile>* file,
                                      const rocksdb::EnvOptions& options) override;
  rocksdb::Status NewWritableFile(const std::string& path, std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override;
  rocksdb::Status NewDirectory(const std::string& path, std::unique_ptr<rocksdb::Directory>* directory) override;

 private:
  struct Job {
    void (*run)(void*);
    void* argument;
    void* tag;
    void (*unscheduled)(void*);
  };

  RocksFileSystem& files_;
  std::array<std::deque<Job>, Priority::TOTAL> jobs_;
  std::string session_id_;
};

}  // namespace powercut::engine
