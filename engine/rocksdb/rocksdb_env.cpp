#include "engine/rocksdb/rocksdb_env.h"

#include "faultfs/assert.h"

#include <cstring>
#include <utility>

namespace powercut::engine {
namespace {

using rocksdb::Status;

// A microsecond later at each question.
class CountedClock final : public rocksdb::SystemClock {
 public:
  const char* Name() const override { return "powercut"; }
  std::uint64_t NowMicros() override { return kStartSeconds * kMicrosPerSecond + ++questions_; }
  void SleepForMicroseconds(int /*micros*/) override { ++sleeps_; }
  Status GetCurrentTime(std::int64_t* seconds) override {
    *seconds = kStartSeconds;
    return Status::OK();
  }
  std::string TimeToString(std::uint64_t seconds) override { return std::to_string(seconds); }
  std::uint64_t sleeps() const { return sleeps_; }

 private:
  static constexpr std::int64_t kStartSeconds = 1'600'000'000;
  static constexpr std::int64_t kMicrosPerSecond = 1'000'000;

  std::uint64_t questions_ = 0;
  std::uint64_t sleeps_ = 0;
};

Status not_supported() { return Status::NotSupported("files are opened through the file system"); }

}  // namespace

RocksEnv::RocksEnv(RocksDisk& disk, DirectorySync directory_sync)
    : rocksdb::Env(std::make_shared<RocksFileSystem>(disk, directory_sync), std::make_shared<CountedClock>()),
      files_(static_cast<RocksFileSystem&>(*file_system_)) {}

bool RocksEnv::run_job() {
  for (auto queue = jobs_.rbegin(); queue != jobs_.rend(); ++queue) {
    if (queue->empty()) continue;
    const Job job = queue->front();
    queue->pop_front();
    job.run(job.argument);
    return true;
  }
  return false;
}

bool RocksEnv::run_jobs_until_one_fails() {
  const auto& clock = static_cast<const CountedClock&>(*system_clock_);
  for (const std::uint64_t before = clock.sleeps(); clock.sleeps() == before;) {
    if (!run_job()) return true;
  }
  return false;
}

const std::string& RocksEnv::session_id() {
  if (session_id_.empty()) {
    // Twenty digits of base 36, as RocksDB's own; not all may be 0.
    const std::string number = std::to_string(files_.highest_number() + 1);
    session_id_ = std::string(20 - number.size(), '0') + number;
  }
  return session_id_;
}

void RocksEnv::Schedule(void (*job)(void*), void* argument, Priority priority, void* tag, void (*unscheduled)(void*)) {
  jobs_[priority].push_back({job, argument, tag, unscheduled});
}

int RocksEnv::UnSchedule(void* tag, Priority priority) {
  std::deque<Job> kept;
  std::vector<Job> removed;
  for (const Job& job : jobs_[priority]) {
    if (job.tag == tag) {
      removed.push_back(job);
    } else {
      kept.push_back(job);
    }
  }
  jobs_[priority] = std::move(kept);
  for (const Job& job : removed) {
    if (job.unscheduled != nullptr) job.unscheduled(job.argument);
  }
  return static_cast<int>(removed.size());
}

unsigned int RocksEnv::GetThreadPoolQueueLen(Priority priority) const { return static_cast<unsigned int>(jobs_[priority].size()); }

void RocksEnv::StartThread(void (* /*job*/)(void*), void* /*argument*/) {
  POWERCUT_ASSERT(false, "RocksDB as it is opened here starts no threads");
}

Status RocksEnv::GetHostName(char* name, std::uint64_t bytes) {
  std::strncpy(name, "powercut", bytes);
  return Status::OK();
}

Status RocksEnv::FileExists(const std::string& path) { return files_.FileExists(path, {}, nullptr); }
Status RocksEnv::GetChildren(const std::string& path, std::vector<std::string>* names) {
  return files_.GetChildren(path, {}, names, nullptr);
}
Status RocksEnv::DeleteFile(const std::string& path) { return files_.DeleteFile(path, {}, nullptr); }
Status RocksEnv::CreateDir(const std::string& path) { return files_.CreateDir(path, {}, nullptr); }
Status RocksEnv::CreateDirIfMissing(const std::string& path) { return files_.CreateDirIfMissing(path, {}, nullptr); }
Status RocksEnv::DeleteDir(const std::string& path) { return files_.DeleteDir(path, {}, nullptr); }
Status RocksEnv::GetFileSize(const std::string& path, std::uint64_t* bytes) { return files_.GetFileSize(path, {}, bytes, nullptr); }
Status RocksEnv::GetFileModificationTime(const std::string& path, std::uint64_t* seconds) {
  return files_.GetFileModificationTime(path, {}, seconds, nullptr);
}
Status RocksEnv::RenameFile(const std::string& from, const std::string& to) { return files_.RenameFile(from, to, {}, nullptr); }
Status RocksEnv::LockFile(const std::string& path, rocksdb::FileLock** lock) { return files_.LockFile(path, {}, lock, nullptr); }
Status RocksEnv::UnlockFile(rocksdb::FileLock* lock) { return files_.UnlockFile(lock, {}, nullptr); }
Status RocksEnv::GetAbsolutePath(const std::string& path, std::string* absolute) {
  return files_.GetAbsolutePath(path, {}, absolute, nullptr);
}
Status RocksEnv::GetTestDirectory(std::string* path) { return files_.GetTestDirectory({}, path, nullptr); }

Status RocksEnv::NewSequentialFile(const std::string& /*path*/, std::unique_ptr<rocksdb::SequentialFile>* /*file*/,
                                   const rocksdb::EnvOptions& /*options*/) {
  return not_supported();
}
Status RocksEnv::NewRandomAccessFile(const std::string& /*path*/, std::unique_ptr<rocksdb::RandomAccessFile>* /*file*/,
                                     const rocksdb::EnvOptions& /*options*/) {
  return not_supported();
}
Status RocksEnv::NewWritableFile(const std::string& /*path*/, std::unique_ptr<rocksdb::WritableFile>* /*file*/,
                                 const rocksdb::EnvOptions& /*options*/) {
  return not_supported();
}
Status RocksEnv::NewDirectory(const std::string& /*path*/, std::unique_ptr<rocksdb::Directory>* /*directory*/) {
  return not_supported();
}

}  // namespace powercut::engine
