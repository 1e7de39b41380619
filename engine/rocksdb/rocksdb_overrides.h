// What of RocksDB is otherwise here than in its library: see rocksdb_overrides.cpp.
#pragma once

namespace rocksdb {
class DB;
}

namespace powercut::engine {

// Whether it is, for a database that has just been opened in a RocksEnv: its session has the identifier that this gave.
bool overrides_hold(rocksdb::DB& database);

}  // namespace powercut::engine
