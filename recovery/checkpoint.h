// Fuzzy checkpoints: bound what recovery must read, while transactions are active.
//
//   BEGIN · write the older dirty pages · sync the data file · END (active transactions, dirty pages) · flush · control record
//
// Only when the control record is durable does recovery start from the new place, and only then are log segments that
// neither redo nor the undo of an active transaction needs given back.
//
// One that fails before its control record is written is as if it had not begun: pages that it wrote are in the file, redo
// starts where it did, and the next one syncs all of the data file. If a sync fails, of the data file too, the database
// stops: the pages written may never reach the disk and are known no more. Recovery restores all of them from their images
// in the log, so that they are written again.
#pragma once

#include "engine/ledger/core.h"
#include "engine/ledger/database.h"

namespace powercut::recovery {

// kNoSpace or kIo: it may be tried again. kStopped.
Result<void> checkpoint(ledger::Core& core, ledger::CheckpointExtent extent);

}  // namespace powercut::recovery
