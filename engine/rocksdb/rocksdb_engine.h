// RocksDB as an engine under test. docs/ENGINES.md and rocksdb_store.h say how it is run, and what is left out.
#pragma once

#include "engine/engine.h"

#include <memory>

namespace powercut::engine {

std::unique_ptr<EngineKind> make_rocksdb_kind();

}  // namespace powercut::engine
