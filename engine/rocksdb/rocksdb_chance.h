// What RocksDB leaves to chance and has no option for: see rocksdb_chance.cpp.
#pragma once

namespace rocksdb {
class DB;
}

namespace powercut::engine {

// Whether the session of a database that has just been opened in a RocksEnv has the identifier that it gave.
bool chance_is_left_out(rocksdb::DB& database);

}  // namespace powercut::engine
