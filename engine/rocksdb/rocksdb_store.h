// A RocksDB database as a KeyValueStore, in a RocksEnv of its own.
//
// Everything happens in the caller's thread, and each background job as a whole: no write of the user's comes while a flush or
// a compaction runs, nor two jobs at once. What is left out is therefore RocksDB's concurrency: writers that share a group
// commit, a log switched under a writer, jobs side by side. Which files there are and what is in them when the power fails in
// the middle of a job, or between a write and the job that it caused, is as with threads.
//
// No call waits for a job, for nobody would run it: writes are never stalled, and a flush is asked for and then run.
#pragma once

#include "engine/key_value/key_value.h"
#include "engine/rocksdb/rocksdb_env.h"

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace powercut::engine {

// When background jobs run.
enum class Background : unsigned char {
  kEachCall,  // all, after each write
  kLazy,      // one after every so many writes; all before a checkpoint and a clean shutdown
};

struct RocksOptions {
  bool log = true;   // WriteOptions::disableWAL is the opposite
  bool sync = true;  // WriteOptions::sync
  bool small_memtables = true;
  bool flush_on_recovery = true;  // DBOptions::avoid_flush_during_recovery is the opposite
  bool track_logs = false;        // DBOptions::track_and_verify_wals_in_manifest
  rocksdb::WALRecoveryMode recovery = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  Background background = Background::kEachCall;
  DirectorySync directory_sync = DirectorySync::kAlways;
};

// Keeps the error that makes the database read-only, and has it stay so: a thread of RocksDB's would try to end that. For a full
// disk RocksStore::resume() stands in for the thread.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status* error) override { last_ = *error; }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/, bool* recover) override {
    *recover = false;
  }
  const rocksdb::Status& last() const { return last_; }
  void forget() { last_ = rocksdb::Status::OK(); }

 private:
  rocksdb::Status last_;
};

class RocksStore final : public KeyValueStore {
 public:
  // `prepared` is what all databases of an engine have in common; see database_options().
  static Result<std::unique_ptr<KeyValueStore>> open(const RocksOptions& options, const rocksdb::Options& prepared,
                                                     faultfs::FileSystem& files, std::string_view directory);
  static rocksdb::Options database_options(const RocksOptions& options);

  ~RocksStore() override;
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  Result<bool> get(std::string_view key, std::string& value) override;
  Result<void> scan(std::string_view from, std::string_view to, const RowVisitor& visit) override;
  Result<void> write(std::span<const KeyWrite> batch) override;
  Result<void> checkpoint() override;
  Result<void> close() override;

 private:
  RocksStore(const RocksOptions& options, faultfs::FileSystem& files);

  Result<void> flush();
  // If a job met a full disk: what RocksDB's thread would try every five seconds, once. An error if it is full still.
  Result<void> resume();
  // What a status says, as an error of ours.
  Error error(const rocksdb::Status& status) const;

  const RocksOptions options_;
  RocksDisk disk_;
  RocksEnv env_;
  std::shared_ptr<BackgroundErrors> errors_ = std::make_shared<BackgroundErrors>();
  std::unique_ptr<rocksdb::DB> database_;
  std::uint64_t writes_ = 0;
  std::uint32_t random_ = 1;  // the state of what RocksDB draws
};

}  // namespace powercut::engine
