// What of RocksDB is otherwise here than in its library: see rocksdb_overrides.cpp.
#pragma once

#include <cstdint>

namespace rocksdb {
class DB;
}

namespace powercut::engine {

// As long as one lives, RocksDB draws its random numbers in this thread from this state, which must not be 0 and outlives it,
// and not from that of the thread. They decide how large memtables grow, and so when they are written out.
class DrawFrom {
 public:
  explicit DrawFrom(std::uint32_t& state);
  ~DrawFrom();
  DrawFrom(const DrawFrom&) = delete;
  DrawFrom& operator=(const DrawFrom&) = delete;

 private:
  std::uint32_t* before_;
};

// Whether it is, for a database that has just been opened in a RocksEnv: its session has the identifier that this gave.
bool overrides_hold(rocksdb::DB& database);

}  // namespace powercut::engine
