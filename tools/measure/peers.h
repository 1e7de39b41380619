// Other storage engines that are measured beside ours.
#pragma once

#include "tools/measure/contender.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace powercut::measure {

// One for each name, of sqlite, leveldb, rocksdb and lmdb. prepare() of one that this build does not have is kUnsupported.
std::vector<std::unique_ptr<Contender>> make_peers(std::span<const std::string> names);

}  // namespace powercut::measure
