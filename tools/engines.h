// Every engine that this build has: ours, and those that nobody here wrote, each if what it needs was installed.
#pragma once

#include "engine/engine.h"

#include <memory>
#include <vector>

namespace powercut::tools {

std::vector<std::unique_ptr<engine::EngineKind>> engines();

}  // namespace powercut::tools
