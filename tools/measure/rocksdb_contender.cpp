// RocksDB with synchronous writes.
//
// "A DB write with sync==true has similar crash semantics to a "write()" system call followed by "fdatasync()"."
// (rocksdb/options.h, WriteOptions::sync)
#include "tools/measure/peer_engines.h"
#include "tools/measure/write_batch_peer.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace powercut::measure {
namespace {

struct RocksDb {
  using Database = rocksdb::DB;
  using Batch = rocksdb::WriteBatch;
  using Slice = rocksdb::Slice;
  using Status = rocksdb::Status;
  using ReadOptions = rocksdb::ReadOptions;
  using WriteOptions = rocksdb::WriteOptions;
  using Iterator = rocksdb::Iterator;

  static constexpr std::string_view kName = "rocksdb";
  static constexpr std::string_view kSetting = "WriteOptions::sync (rocksdb/options.h)";

  static Status open(const std::string& path, Database** opened) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.error_if_exists = true;
    return rocksdb::DB::Open(options, path, opened);
  }
  static Status write(Database& database, const WriteOptions& options, Batch& batch) { return database.Write(options, &batch); }
};

}  // namespace

std::unique_ptr<PeerEngine> make_rocksdb() { return std::make_unique<WriteBatchEngine<RocksDb>>(); }

}  // namespace powercut::measure
