// LevelDB with synchronous writes.
//
// "A DB write with sync==true has similar crash semantics to a "write()" system call followed by "fsync()"."
// (leveldb/options.h, WriteOptions::sync)
#include "tools/measure/peer_engines.h"
#include "tools/measure/write_batch_peer.h"

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

namespace powercut::measure {
namespace {

struct LevelDb {
  using Database = leveldb::DB;
  using Batch = leveldb::WriteBatch;
  using Slice = leveldb::Slice;
  using Status = leveldb::Status;
  using ReadOptions = leveldb::ReadOptions;
  using WriteOptions = leveldb::WriteOptions;
  using Iterator = leveldb::Iterator;

  static constexpr std::string_view kName = "leveldb";
  static constexpr std::string_view kSetting = "WriteOptions::sync (leveldb/options.h)";

  static Status open(const std::string& path, Database** opened) {
    leveldb::Options options;
    options.create_if_missing = true;
    options.error_if_exists = true;
    return leveldb::DB::Open(options, path, opened);
  }
  static Status write(Database& database, const WriteOptions& options, Batch& batch) { return database.Write(options, &batch); }
};

}  // namespace

std::unique_ptr<PeerEngine> make_leveldb() { return std::make_unique<WriteBatchEngine<LevelDb>>(); }

}  // namespace powercut::measure
