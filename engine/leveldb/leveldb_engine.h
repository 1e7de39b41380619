// LevelDB as an engine under test. docs/FINDINGS.md has what it loses, and where.
#pragma once

#include "engine/engine.h"

#include <memory>

namespace powercut::engine {

std::unique_ptr<EngineKind> make_leveldb_kind();

}  // namespace powercut::engine
