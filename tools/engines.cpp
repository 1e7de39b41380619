#include "engines.h"

#include "recovery/ledger_engine.h"
#ifdef POWERCUT_ENGINE_SQLITE
#include "engine/sqlite/sqlite_engine.h"
#endif
#ifdef POWERCUT_ENGINE_LEVELDB
#include "engine/leveldb/leveldb_engine.h"
#endif
#ifdef POWERCUT_ENGINE_ROCKSDB
#include "engine/rocksdb/rocksdb_engine.h"
#endif
#ifdef POWERCUT_ENGINE_LMDB
#include "engine/lmdb/lmdb_engine.h"
#endif

namespace powercut::tools {

std::vector<std::unique_ptr<engine::EngineKind>> engines() {
  std::vector<std::unique_ptr<engine::EngineKind>> all;
  all.push_back(recovery::make_ledger_kind());
#ifdef POWERCUT_ENGINE_SQLITE
  all.push_back(engine::make_sqlite_kind());
#endif
#ifdef POWERCUT_ENGINE_LEVELDB
  all.push_back(engine::make_leveldb_kind());
#endif
#ifdef POWERCUT_ENGINE_ROCKSDB
  all.push_back(engine::make_rocksdb_kind());
#endif
#ifdef POWERCUT_ENGINE_LMDB
  all.push_back(engine::make_lmdb_kind());
#endif
  return all;
}

}  // namespace powercut::tools
