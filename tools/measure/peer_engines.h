// The engines of peers.h, each in a file of its own. Only those that CMake found (POWERCUT_HAS_…) are defined.
#pragma once

#include "tools/measure/peer_contender.h"

namespace powercut::measure {

std::unique_ptr<PeerEngine> make_sqlite();
std::unique_ptr<PeerEngine> make_leveldb();
std::unique_ptr<PeerEngine> make_rocksdb();
std::unique_ptr<PeerEngine> make_lmdb();

}  // namespace powercut::measure
