// LMDB as an ordered map of bytes: one unnamed database in one file, each batch a write transaction.
//
// MDB_NOLOCK: one process, one session, no lock file. Its process (lmdb_process.h) comes from a pool and goes back there, since
// addresses take longer to reserve than a database to open.
#pragma once

#include "engine/key_value/key_value.h"
#include "engine/lmdb/lmdb_options.h"
#include "engine/lmdb/lmdb_process.h"

#include <lmdb.h>

#include <memory>
#include <string>
#include <vector>

namespace powercut::engine {

using LmdbProcesses = std::vector<std::unique_ptr<LmdbProcess>>;

class LmdbStore final : public KeyValueStore {
 public:
  // The pool must outlive the store.
  LmdbStore(LmdbProcesses& pool, const LmdbOptions& options);
  ~LmdbStore() override;

  Result<void> open(faultfs::FileSystem& files, std::string_view directory);

  Result<bool> get(std::string_view key, std::string& value) override;
  Result<void> scan(std::string_view from, std::string_view to, const RowVisitor& visit) override;
  Result<void> write(std::span<const KeyWrite> batch) override;
  // mdb_env_sync, forced: makes durable what the flags left to the system.
  Result<void> checkpoint() override;
  Result<void> close() override;

 private:
  Result<void> prepare(faultfs::FileSystem& files, const std::string& directory, const std::string& path);
  Result<void> open_environment(faultfs::FileSystem& files, const std::string& path);
  Result<void> close_environment();
  // A transaction that reads the newest state.
  Result<void> ensure_reader();
  Result<int> seek(MDB_cursor* cursor, MDB_val& key, MDB_val& value, MDB_cursor_op how);

  LmdbProcesses& pool_;
  std::unique_ptr<LmdbProcess> process_;
  LmdbOptions options_;
  MDB_env* environment_ = nullptr;
  MDB_txn* reader_ = nullptr;
  bool reading_ = false;  // reader_ is open, and not only kept
  MDB_dbi database_ = 0;
};

}  // namespace powercut::engine
