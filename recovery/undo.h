// Undo: takes back what the losers did, newest change first over all of them, each step with a compensation record.
#pragma once

#include "engine/engine.h"
#include "engine/ledger/core.h"

#include <vector>

namespace powercut::recovery {

Result<void> undo_losers(ledger::Core& core, const std::vector<ledger::ActiveTxn>& losers, const engine::Narrator* narrator);

}  // namespace powercut::recovery
