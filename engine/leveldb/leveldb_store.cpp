#include "engine/leveldb/leveldb_store.h"

#include "engine/leveldb/leveldb_env.h"
#include "engine/leveldb/leveldb_status.h"

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

namespace powercut::engine {
namespace {

// A write may find the memtable full and the one before not flushed yet: then LevelDB waits for its thread. As long as fewer
// bytes than this were written since work began to wait, it cannot: a memtable holds 64 KiB at least, and one entry takes less
// than kEntryOverhead besides its key and value.
constexpr std::uint64_t kLateBytes = 32768;
constexpr std::uint64_t kEntryOverhead = 160;
// Level-0 files from which on the work is done when the database opens: at 12 a full memtable waits for it.
constexpr int kManyLevel0Files = 8;

leveldb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const leveldb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

class LevelDbStore final : public KeyValueStore {
 public:
  LevelDbStore(faultfs::FileSystem& files, const LevelDbSettings& settings) : settings_(settings), env_(files) {}
  ~LevelDbStore() override {
    // The power is off. What waits finds files that are dead, and the destructor of LevelDB nothing to wait for.
    env_.die();
    end();
  }

  Result<void> open(std::string_view directory, LevelDbShared& shared) {
    leveldb::Options options = settings_.options;
    options.env = &env_;
    options.info_log = shared.logger();
    options.block_cache = shared.block_cache();
    leveldb::DB* opened = nullptr;
    const auto status = leveldb::DB::Open(options, std::string(directory), &opened);
    if (!status.ok()) return to_error(status, "opening the database");
    db_.reset(opened);
    if (settings_.background == LevelDbBackground::kAtOnce || level0_files() >= kManyLevel0Files) env_.work();
    return success();
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    POWERCUT_TRYV(begin());
    const auto status = db_->Get(settings_.read, slice(key), &value);
    finish();
    if (status.IsNotFound()) return false;
    if (!status.ok()) return to_error(status, "reading a key");
    return true;
  }

  Result<void> scan(std::string_view from, std::string_view to, const RowVisitor& visit) override {
    POWERCUT_TRYV(begin());
    leveldb::Status status;
    {
      const std::unique_ptr<leveldb::Iterator> at(db_->NewIterator(settings_.read));
      for (at->Seek(slice(from)); at->Valid(); at->Next()) {
        const std::string_view key = view(at->key());
        if ((!to.empty() && key >= to) || !visit(key, view(at->value()))) break;
      }
      status = at->status();
    }
    finish();
    if (!status.ok()) return to_error(status, "reading keys in order");
    return success();
  }

  Result<void> write(std::span<const KeyWrite> batch) override {
    POWERCUT_TRYV(begin());
    if (!env_.has_work()) late_bytes_ = 0;
    if (late_bytes_ > kLateBytes) env_.work();
    leveldb::WriteBatch all;
    for (const KeyWrite& write : batch) {
      if (write.value) {
        all.Put(slice(write.key), slice(*write.value));
      } else {
        all.Delete(slice(write.key));
      }
    }
    late_bytes_ += all.ApproximateSize() + batch.size() * kEntryOverhead;
    const auto status = db_->Write(settings_.write, &all);
    finish();
    if (!status.ok()) return to_error(status, "writing a batch");
    return success();
  }

  // A write of nothing makes LevelDB begin a new log and flush the memtable. CompactRange() does so too, but then waits.
  Result<void> checkpoint() override {
    POWERCUT_TRYV(begin());
    env_.work();
    const auto status = db_->Write(settings_.write, nullptr);
    late_bytes_ = 0;
    finish();
    if (!status.ok()) return to_error(status, "flushing the memtable");
    return success();
  }

  Result<void> close() override {
    POWERCUT_TRYV(begin());
    end();
    return success();
  }

 private:
  Result<void> begin() {
    if (db_ == nullptr) return Error(ErrorCode::kStopped, "the database is closed");
    if (settings_.background == LevelDbBackground::kNextCall) env_.work();
    return success();
  }
  void finish() {
    if (settings_.background == LevelDbBackground::kAtOnce) env_.work();
  }
  // LevelDB's destructor waits for what it has scheduled.
  void end() {
    env_.work();
    db_.reset();
  }
  int level0_files() {
    std::string text;
    db_->GetProperty("leveldb.num-files-at-level0", &text);
    return std::atoi(text.c_str());
  }

  const LevelDbSettings& settings_;
  LevelDbEnv env_;
  std::unique_ptr<leveldb::DB> db_;  // null once closed
  std::uint64_t late_bytes_ = 0;     // written since work began to wait, or more
};

// LevelDB writes to LOG what only people read; nobody would.
class NoLogger final : public leveldb::Logger {
 public:
  void Logv(const char* /*format*/, std::va_list /*arguments*/) override {}
};

}  // namespace

LevelDbShared::LevelDbShared() : logger_(std::make_unique<NoLogger>()), block_cache_(leveldb::NewLRUCache(0)) {}

Result<std::unique_ptr<KeyValueStore>> open_leveldb(faultfs::FileSystem& files, std::string_view directory,
                                                    const LevelDbSettings& settings, LevelDbShared& shared) {
  auto store = std::make_unique<LevelDbStore>(files, settings);
  POWERCUT_TRYV(store->open(directory, shared));
  return std::unique_ptr<KeyValueStore>(std::move(store));
}

}  // namespace powercut::engine
