// The other engines of the benchmark, each in the setting in which its documentation promises durable commits: SQLite, LevelDB,
// RocksDB and LMDB, as Debian packages them. One that was not there when this was built is not to be had.
#pragma once

#include "tools/measure/contender.h"

#include <span>
#include <vector>

namespace powercut::measure {

// All that this was built with.
std::vector<std::string> peer_names();

// In the order of the names. kInvalidArgument for a name that no peer has; kUnsupported, with the Debian package, for a peer that
// this was built without.
Result<std::vector<std::unique_ptr<Contender>>> make_peers(std::span<const std::string> names);

}  // namespace powercut::measure
