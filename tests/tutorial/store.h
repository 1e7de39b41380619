// A key-value store: a log that is only appended to, and all of it as a map in memory.
#pragma once

#include "engine/key_value/key_value.h"

#include <memory>

namespace kv {

// The store as powercut tests it.
std::unique_ptr<powercut::engine::EngineKind> kind();

}  // namespace kv
