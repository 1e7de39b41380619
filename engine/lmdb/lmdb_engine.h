// LMDB, a memory-mapped B+tree that copies on write, as an engine under test: the library that is installed, unchanged, with
// what it asks of the operating system caught (lmdb_redirect.h).
#pragma once

#include "engine/engine.h"

#include <memory>

namespace powercut::engine {

std::unique_ptr<EngineKind> make_lmdb_kind();

}  // namespace powercut::engine
