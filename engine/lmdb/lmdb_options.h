// How LMDB is run.
#pragma once

#include <cstddef>

namespace powercut::engine {

struct LmdbOptions {
  unsigned flags = 0;  // of mdb_env_open
  std::size_t map_bytes = std::size_t{1} << 20U;
  // The data file is made under another name, synced, renamed and its directory synced before it is used. LMDB itself does
  // nothing of that.
  bool prepared = false;
};

}  // namespace powercut::engine
