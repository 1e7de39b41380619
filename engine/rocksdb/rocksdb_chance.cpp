// What RocksDB leaves to chance and has no option for. These definitions stand before the library's own of the same names,
// which its calls go through the dynamic linker to find: for databases in a RocksEnv they do what follows from the disk, and
// for all others what the library does. RocksStore checks after opening that they were found.
//
// The class here has the name and the members that the library's class has, and no others; nothing else may see it.
#include "engine/rocksdb/rocksdb_chance.h"

#include "engine/rocksdb/rocksdb_env.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <dlfcn.h>

#include <string>

namespace rocksdb {

class DBImpl {
 public:
  static std::string GenerateDbSessionId(Env* env);
  Status StartPeriodicTaskScheduler();
};

namespace {

template <class Function>
Function the_library_s(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol));
}

}  // namespace

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

}  // namespace rocksdb

namespace powercut::engine {

bool chance_is_left_out(rocksdb::DB& database) {
  std::string id;
  if (!database.GetDbSessionId(id).ok()) return false;
  return id == static_cast<RocksEnv*>(database.GetEnv())->session_id();
}

}  // namespace powercut::engine
