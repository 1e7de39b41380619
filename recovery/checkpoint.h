// Fuzzy checkpoints: bound what recovery must read, while transactions are active.
//
//   BEGIN · write the older dirty pages · sync the data file · END (active transactions, dirty pages) · flush · control record
//
// Only when the control record is durable does recovery start from the new place, and only then are log segments that
// neither redo nor the undo of an active transaction needs given back.
#pragma once

#include "engine/ledger/core.h"
#include "engine/ledger/database.h"

namespace powercut::recovery {

Result<void> checkpoint(ledger::Core& core, ledger::CheckpointExtent extent);

}  // namespace powercut::recovery
