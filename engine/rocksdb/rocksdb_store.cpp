#include "engine/rocksdb/rocksdb_store.h"

#include "engine/rocksdb/rocksdb_overrides.h"

#include <rocksdb/convenience.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <limits>
#include <utility>

namespace powercut::engine {
namespace {

// A memtable begins with 2048 bytes of its own and then takes blocks; it is written out before the write that follows the one
// for which it took the first.
constexpr std::size_t kMemtableBlockBytes = 4096;
constexpr std::size_t kSmallMemtableBytes = 6144;
constexpr int kFilesToCompact = 2;
constexpr std::uint64_t kWritesForJob = 8;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class NoLog final : public rocksdb::Logger {
 public:
  NoLog() : rocksdb::Logger(rocksdb::InfoLogLevel::NUM_INFO_LOG_LEVELS) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

}  // namespace

rocksdb::Options RocksStore::database_options(const RocksOptions& options) {
  rocksdb::Options all;
  all.create_if_missing = true;
  all.wal_recovery_mode = options.recovery;
  all.avoid_flush_during_recovery = !options.flush_on_recovery;
  all.track_and_verify_wals_in_manifest = options.track_logs;

  // No memory that small databases do not need.
  rocksdb::BlockBasedTableOptions tables;
  tables.no_block_cache = true;
  all.table_factory.reset(rocksdb::NewBlockBasedTableFactory(tables));
  all.table_cache_numshardbits = 0;
  all.compression = rocksdb::kNoCompression;
  all.arena_block_size = kMemtableBlockBytes;
  if (options.small_memtables) all.db_write_buffer_size = kSmallMemtableBytes;
  all.level0_file_num_compaction_trigger = kFilesToCompact;

  // No writer waits for a job.
  all.max_write_buffer_number = 1 << 20;
  all.level0_slowdown_writes_trigger = std::numeric_limits<int>::max();
  all.level0_stop_writes_trigger = std::numeric_limits<int>::max();
  all.soft_pending_compaction_bytes_limit = 0;
  all.hard_pending_compaction_bytes_limit = 0;

  // No threads, and no files but those of the database.
  all.max_file_opening_threads = 1;
  all.stats_dump_period_sec = 0;
  all.stats_persist_period_sec = 0;
  all.max_bgerror_resume_count = 0;
  all.info_log = std::make_shared<NoLog>();

  // close() does it; the destructor must not.
  all.avoid_flush_during_shutdown = true;
  return all;
}

RocksStore::RocksStore(const RocksOptions& options, faultfs::FileSystem& files)
    : options_(options), disk_(files), env_(disk_, options.directory_sync) {}

Result<std::unique_ptr<KeyValueStore>> RocksStore::open(const RocksOptions& options, const rocksdb::Options& prepared,
                                                        faultfs::FileSystem& files, std::string_view directory) {
  auto store = std::unique_ptr<RocksStore>(new RocksStore(options, files));
  const DrawFrom chance(store->random_);
  rocksdb::Options all = prepared;
  all.env = &store->env_;
  all.listeners.push_back(store->errors_);
  rocksdb::DB* database = nullptr;
  const auto status = rocksdb::DB::Open(all, std::string(directory), &database);
  store->database_.reset(database);
  if (!status.ok()) return store->error(status);
  if (!overrides_hold(*database)) {
    return Error(ErrorCode::kUnsupported,
                 "this RocksDB calls its own functions past the dynamic linker: see rocksdb_overrides.cpp");
  }
  if (options.background == Background::kEachCall) store->env_.run_jobs_until_one_fails();
  return std::unique_ptr<KeyValueStore>(std::move(store));
}

RocksStore::~RocksStore() {
  const DrawFrom chance(random_);
  disk_.cut();
  if (database_) rocksdb::CancelAllBackgroundWork(database_.get(), false);
  // They find that the database is shutting down. Its destructor waits for those that it cannot take back.
  while (env_.run_job()) {
  }
  database_.reset();
}

Result<bool> RocksStore::get(std::string_view key, std::string& value) {
  const DrawFrom chance(random_);
  disk_.forget_failure();
  const auto status = database_->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.ok()) return true;
  if (status.IsNotFound()) return false;
  return error(status);
}

Result<void> RocksStore::scan(std::string_view from, std::string_view to, const RowVisitor& visit) {
  const DrawFrom chance(random_);
  disk_.forget_failure();
  const rocksdb::Slice end = slice(to);
  rocksdb::ReadOptions reading;
  if (!to.empty()) reading.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> at(database_->NewIterator(reading));
  for (at->Seek(slice(from)); at->Valid(); at->Next()) {
    if (!visit(view(at->key()), view(at->value()))) return success();
  }
  if (!at->status().ok()) return error(at->status());
  return success();
}

Result<void> RocksStore::write(std::span<const KeyWrite> batch) {
  const DrawFrom chance(random_);
  disk_.forget_failure();
  POWERCUT_TRYV(resume());
  rocksdb::WriteBatch all;
  for (const KeyWrite& each : batch) {
    const auto added = each.value ? all.Put(slice(each.key), slice(*each.value)) : all.Delete(slice(each.key));
    if (!added.ok()) return error(added);
  }
  rocksdb::WriteOptions writing;
  writing.disableWAL = !options_.log;
  writing.sync = options_.log && options_.sync;
  const auto status = database_->Write(writing, &all);
  if (!status.ok()) return error(status);
  ++writes_;
  if (options_.background == Background::kEachCall) {
    env_.run_jobs_until_one_fails();
  } else if (writes_ % kWritesForJob == 0) {
    env_.run_job();
  }
  return success();
}

Result<void> RocksStore::resume() {
  if (!errors_->last().IsNoSpace()) return success();
  // It waits for the jobs that are queued.
  if (!env_.run_jobs_until_one_fails()) return error(errors_->last());
  const auto status = database_->Resume();
  if (!status.ok()) return error(status);
  errors_->forget();
  return success();
}

Result<void> RocksStore::flush() {
  const DrawFrom chance(random_);
  disk_.forget_failure();
  POWERCUT_TRYV(resume());
  rocksdb::FlushOptions asking;
  asking.wait = false;
  asking.allow_write_stall = true;  // else it would wait until no write would be stalled
  const auto status = database_->Flush(asking);
  if (!status.ok()) return error(status);
  env_.run_jobs_until_one_fails();
  if (!errors_->last().ok()) return error(errors_->last());
  return success();
}

Result<void> RocksStore::checkpoint() { return flush(); }

Result<void> RocksStore::close() {
  const DrawFrom chance(random_);
  // What CancelAllBackgroundWork does with what is in no log.
  if (!options_.log) POWERCUT_TRYV(flush());
  if (!env_.run_jobs_until_one_fails()) {
    rocksdb::CancelAllBackgroundWork(database_.get(), false);
    while (env_.run_job()) {
    }
  }
  const auto status = database_->Close();
  if (!status.ok()) return error(status);
  return success();
}

Error RocksStore::error(const rocksdb::Status& status) const {
  const std::string text = status.ToString();
  if (status.IsNoSpace()) return {ErrorCode::kNoSpace, text};
  if (status.IsIOError()) return {ErrorCode::kIo, text};
  if (status.IsCorruption()) return {ErrorCode::kCorrupt, text};
  // RocksDB gives some errors of the disk other names.
  if (disk_.failure()) return {disk_.failure()->code(), text};
  return {ErrorCode::kStopped, text};
}

}  // namespace powercut::engine
