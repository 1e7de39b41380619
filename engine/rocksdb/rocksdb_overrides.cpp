// Five functions of RocksDB's, done otherwise for databases in a RocksEnv because no option leaves out what they do: chance,
// threads, and most of the time that opening takes. For all other databases they do what the library's do.
//
// The definitions stand before the library's own of the same names: its calls go through the dynamic linker, which takes the
// program's first. RocksStore checks after opening that it did, by the one of which the result can be seen.
//
// The classes here have the names and, of their members, the ones concerned that the library's have; nothing else may see them.
#include "engine/rocksdb/rocksdb_overrides.h"

#include "engine/rocksdb/rocksdb_env.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

thread_local constinit std::uint32_t* drawn_from = nullptr;

}  // namespace

namespace rocksdb {

// Is its state, of 32 bits, and nothing else.
class Random {
 public:
  static Random* GetTLSInstance();
};

class ColumnFamilyData;
template <class T, std::size_t kSize>
class autovector;

class DBImpl {
 public:
  static std::string GenerateDbSessionId(Env* env);
  Status StartPeriodicTaskScheduler();
  Status WaitForFlushMemTables(const autovector<ColumnFamilyData*, 8>& families,
                               const autovector<const std::uint64_t*, 8>& memtables, bool resuming);
};

class RocksDBOptionsParser {
 public:
  static Status VerifyRocksDBOptionsFromFile(const ConfigOptions& config, const DBOptions& database,
                                             const std::vector<std::string>& names,
                                             const std::vector<ColumnFamilyOptions>& families, const std::string& path,
                                             FileSystem* files);
};

namespace {

template <class Function>
Function the_library_s(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol));
}

}  // namespace

// One for each thread, with a seed that the thread's number gives.
Random* Random::GetTLSInstance() {
  if (drawn_from != nullptr) return reinterpret_cast<Random*>(drawn_from);
  static const auto original = the_library_s<Random* (*)()>("_ZN7rocksdb6Random14GetTLSInstanceEv");
  return original();
}

// Hashes the time, the process, the thread, the host and the random device; then counts.
std::string DBImpl::GenerateDbSessionId(Env* env) {
  if (auto* const ours = dynamic_cast<powercut::engine::RocksEnv*>(env)) return ours->session_id();
  static const auto original = the_library_s<std::string (*)(Env*)>("_ZN7rocksdb6DBImpl19GenerateDbSessionIdB5cxx11EPNS_3EnvE");
  return original(env);
}

// Starts a thread, unless one runs, that from time to time flushes the information log.
Status DBImpl::StartPeriodicTaskScheduler() {
  auto* const database = reinterpret_cast<DB*>(this);  // its base, at the same address
  if (dynamic_cast<powercut::engine::RocksEnv*>(database->GetEnv()) != nullptr) return Status::OK();
  static const auto original = the_library_s<Status (*)(DBImpl*)>("_ZN7rocksdb6DBImpl26StartPeriodicTaskSchedulerEv");
  return original(this);
}

// Waits for a flush that it was told to wait for, as DB::Resume does: another thread would run it.
Status DBImpl::WaitForFlushMemTables(const autovector<ColumnFamilyData*, 8>& families,
                                     const autovector<const std::uint64_t*, 8>& memtables, bool resuming) {
  auto* const database = reinterpret_cast<DB*>(this);
  if (auto* const ours = dynamic_cast<powercut::engine::RocksEnv*>(database->GetEnv())) ours->run_jobs_until_one_fails();
  static const auto original =
      the_library_s<Status (*)(DBImpl*, const autovector<ColumnFamilyData*, 8>&, const autovector<const std::uint64_t*, 8>&, bool)>(
          "_ZN7rocksdb6DBImpl21WaitForFlushMemTablesERKNS_10autovectorIPNS_16ColumnFamilyDataELm8EEERKNS1_IPKmLm8EEEb");
  return original(this, families, memtables, resuming);
}

// Reads the OPTIONS file that was just written, and compares each option.
Status RocksDBOptionsParser::VerifyRocksDBOptionsFromFile(const ConfigOptions& config, const DBOptions& database,
                                                          const std::vector<std::string>& names,
                                                          const std::vector<ColumnFamilyOptions>& families, const std::string& path,
                                                          FileSystem* files) {
  if (dynamic_cast<powercut::engine::RocksFileSystem*>(files) != nullptr) return Status::OK();
  static const auto original = the_library_s<decltype(&VerifyRocksDBOptionsFromFile)>(
      "_ZN7rocksdb20RocksDBOptionsParser28VerifyRocksDBOptionsFromFileERKNS_13ConfigOptionsERKNS_9DBOptionsERKSt6vectorINSt7__"
      "cxx1112basic_stringIcSt11char_traitsIcESaIcEEESaISD_EERKS7_INS_19ColumnFamilyOptionsESaISI_EERKSD_PNS_10FileSystemE");
  return original(config, database, names, families, path, files);
}

}  // namespace rocksdb

namespace powercut::engine {

DrawFrom::DrawFrom(std::uint32_t& state) : before_(std::exchange(drawn_from, &state)) {}
DrawFrom::~DrawFrom() { drawn_from = before_; }

bool overrides_hold(rocksdb::DB& database) {
  std::string id;
  if (!database.GetDbSessionId(id).ok()) return false;
  return id == static_cast<RocksEnv*>(database.GetEnv())->session_id();
}

}  // namespace powercut::engine
