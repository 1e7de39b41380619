// A LevelDB database as a key-value store under test.
//
// LevelDB has one background thread, for flushes of the memtable and for compactions. Here its work is done in the caller's
// thread between two calls, at a moment that the options say. It is never left so late that LevelDB would wait for it.
#pragma once

#include "engine/key_value/key_value.h"
#include "faultfs/file_system.h"

#include <leveldb/cache.h>
#include <leveldb/env.h>
#include <leveldb/options.h>

#include <memory>
#include <string_view>

namespace powercut::engine {

// When the background thread gets to its work.
enum class LevelDbBackground : unsigned char {
  kAtOnce,    // before the call that made the work returns
  kNextCall,  // before the next call
  kLate,      // when the next memtable is half full, at a checkpoint, or at the end
};

struct LevelDbSettings {
  leveldb::Options options;  // env, info_log and block_cache apart
  leveldb::WriteOptions write;
  leveldb::ReadOptions read;
  LevelDbBackground background = LevelDbBackground::kNextCall;
};

// What databases share. Blocks are not cached, so none sees what another did: PosixEnv maps tables, and then LevelDB does not
// cache them either.
class LevelDbShared {
 public:
  LevelDbShared();
  leveldb::Logger* logger() { return logger_.get(); }
  leveldb::Cache* block_cache() { return block_cache_.get(); }

 private:
  std::unique_ptr<leveldb::Logger> logger_;
  std::unique_ptr<leveldb::Cache> block_cache_;
};

// Opens the database in a directory, or makes one. `settings` and `shared` must outlive it.
Result<std::unique_ptr<KeyValueStore>> open_leveldb(faultfs::FileSystem& files, std::string_view directory,
                                                    const LevelDbSettings& settings, LevelDbShared& shared);

}  // namespace powercut::engine
