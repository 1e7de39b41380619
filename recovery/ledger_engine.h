// The reference engine as powercut sees it: ledger's pages, log and transactions, with the recovery of this folder.
#pragma once

#include "engine/engine.h"

#include <memory>

namespace powercut::recovery {

std::unique_ptr<engine::EngineKind> make_ledger_kind();

}  // namespace powercut::recovery
