// SQLite as an engine under test: the library of the system, unchanged, over a VFS that keeps its files in a FileSystem.
#pragma once

#include "engine/engine.h"

#include <memory>

namespace powercut::engine {

std::unique_ptr<EngineKind> make_sqlite_kind();

}  // namespace powercut::engine
