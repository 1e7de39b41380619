#include "engine/lmdb/lmdb_store.h"

#include "engine/lmdb/lmdb_redirect.h"
#include "engine/lmdb/lmdb_signals.h"

#include <utility>

namespace powercut::engine {
namespace {

constexpr unsigned kFlags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS;
constexpr mdb_mode_t kFileMode = 0644;
constexpr std::string_view kDataName = "/data.mdb";
constexpr std::string_view kNewName = "/data.mdb-new";

MDB_val value_of(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view view_of(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

void assertion_failed(MDB_env* /*environment*/, const char* message) { LmdbProcess::running()->assertion_failed(message); }

}  // namespace

LmdbStore::LmdbStore(LmdbProcesses& pool, const LmdbOptions& options) : pool_(pool), options_(options) {
  if (pool_.empty()) {
    process_ = std::make_unique<LmdbProcess>(options_.map_bytes);
  } else {
    process_ = std::move(pool_.back());
    pool_.pop_back();
  }
}

LmdbStore::~LmdbStore() {
  process_->clear();
  pool_.push_back(std::move(process_));
}

Result<void> LmdbStore::open(faultfs::FileSystem& files, std::string_view directory) {
  POWERCUT_TRYV(redirect_lmdb());
  catch_lmdb_signals();
  const std::string in(directory);
  const std::string path = in + std::string(kDataName);
  if (options_.prepared) POWERCUT_TRYV(prepare(files, in, path));
  return open_environment(files, path);
}

// A database that is there is whole: until it is, it has another name.
Result<void> LmdbStore::prepare(faultfs::FileSystem& files, const std::string& directory, const std::string& path) {
  POWERCUT_TRY(const bool exists, files.exists(path));
  if (!exists) {
    const std::string fresh = directory + std::string(kNewName);
    POWERCUT_TRY(const bool left_over, files.exists(fresh));
    if (left_over) POWERCUT_TRYV(files.remove(fresh));
    POWERCUT_TRYV(open_environment(files, fresh));
    POWERCUT_TRYV(checkpoint());
    POWERCUT_TRYV(close_environment());
    POWERCUT_TRYV(files.rename(fresh, path));
  }
  // Also if it exists: whoever made it may have died before its name was durable.
  return files.sync_directory(directory);
}

Result<void> LmdbStore::open_environment(faultfs::FileSystem& files, const std::string& path) {
  process_->start(files, path);
  const auto opened = process_->run("opening the environment", [&] {
    int code = mdb_env_create(&environment_);
    if (code == MDB_SUCCESS) code = mdb_env_set_assert(environment_, assertion_failed);
    if (code == MDB_SUCCESS) code = mdb_env_set_mapsize(environment_, options_.map_bytes);
    if (code == MDB_SUCCESS) code = mdb_env_open(environment_, path.c_str(), kFlags | options_.flags, kFileMode);
    if (code == MDB_SUCCESS) code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader_);
    if (code == MDB_SUCCESS) code = mdb_dbi_open(reader_, nullptr, 0, &database_);
    return code;
  });
  if (opened.has_error()) return opened.error();
  reading_ = true;
  return success();
}

Result<void> LmdbStore::close_environment() {
  const auto closed = process_->run("closing the environment", [&] {
    mdb_txn_abort(reader_);
    mdb_env_close(environment_);
    return MDB_SUCCESS;
  });
  process_->clear();
  reader_ = nullptr;
  environment_ = nullptr;
  if (closed.has_error()) return closed.error();
  return success();
}

Result<void> LmdbStore::ensure_reader() {
  if (reading_) return success();
  const auto renewed = process_->run("beginning to read", [&] { return mdb_txn_renew(reader_); });
  if (renewed.has_error()) return renewed.error();
  reading_ = true;
  return success();
}

Result<bool> LmdbStore::get(std::string_view key, std::string& value) {
  POWERCUT_TRYV(ensure_reader());
  MDB_val wanted = value_of(key);
  MDB_val found{};
  POWERCUT_TRY(const int code, process_->run("reading a key", [&] {
    const int got = mdb_get(reader_, database_, &wanted, &found);
    if (got == MDB_SUCCESS) LmdbProcess::touch(found.mv_data, found.mv_size);
    return got;
  }));
  if (code == MDB_NOTFOUND) return false;
  value = view_of(found);
  return true;
}

Result<int> LmdbStore::seek(MDB_cursor* cursor, MDB_val& key, MDB_val& value, MDB_cursor_op how) {
  return process_->run("scanning", [&] {
    const int got = mdb_cursor_get(cursor, &key, &value, how);
    if (got == MDB_SUCCESS) LmdbProcess::touch(key.mv_data, key.mv_size);
    if (got == MDB_SUCCESS) LmdbProcess::touch(value.mv_data, value.mv_size);
    return got;
  });
}

Result<void> LmdbStore::scan(std::string_view from, std::string_view to, const RowVisitor& visit) {
  POWERCUT_TRYV(ensure_reader());
  MDB_cursor* cursor = nullptr;
  POWERCUT_TRY([[maybe_unused]] const int opened,
               process_->run("scanning", [&] { return mdb_cursor_open(reader_, database_, &cursor); }));
  MDB_val key = value_of(from);
  MDB_val value{};
  POWERCUT_TRY(int code, seek(cursor, key, value, from.empty() ? MDB_FIRST : MDB_SET_RANGE));
  while (code == MDB_SUCCESS && (to.empty() || view_of(key) < to)) {
    // LMDB looks at no more than it needs to find its way, and has no checksums.
    if (view_of(key) < from) return Error(ErrorCode::kCorrupt, "lmdb: scanning: a key that is out of order");
    if (!visit(view_of(key), view_of(value))) break;
    POWERCUT_TRY(code, seek(cursor, key, value, MDB_NEXT));
  }
  POWERCUT_TRY([[maybe_unused]] const int closed, process_->run("scanning", [&] {
    mdb_cursor_close(cursor);
    return MDB_SUCCESS;
  }));
  return success();
}

Result<void> LmdbStore::write(std::span<const KeyWrite> batch) {
  const auto written = process_->run("writing", [&] {
    // Without its lock table LMDB does not know of readers: none may be open.
    if (std::exchange(reading_, false)) mdb_txn_reset(reader_);
    MDB_txn* transaction = nullptr;
    int code = mdb_txn_begin(environment_, nullptr, 0, &transaction);
    if (code != MDB_SUCCESS) return code;
    for (const KeyWrite& each : batch) {
      MDB_val key = value_of(each.key);
      MDB_val value = value_of(each.value.value_or(std::string_view()));
      code = each.value ? mdb_put(transaction, database_, &key, &value, 0) : mdb_del(transaction, database_, &key, nullptr);
      if (!each.value && code == MDB_NOTFOUND) code = MDB_SUCCESS;
      if (code == MDB_SUCCESS) continue;
      mdb_txn_abort(transaction);
      return code;
    }
    return mdb_txn_commit(transaction);
  });
  process_->write_back_all();
  if (written.has_error()) return written.error();
  return success();
}

Result<void> LmdbStore::checkpoint() {
  const auto synced = process_->run("syncing", [&] { return mdb_env_sync(environment_, 1); });
  if (synced.has_error()) return synced.error();
  return success();
}

Result<void> LmdbStore::close() { return close_environment(); }

}  // namespace powercut::engine
