// Analysis and redo in one pass over the log: what was active at the end, and history repeated.
//
// ARIES (Mohan et al., 1992) makes two passes because its dirty page table is known only at the end of the first. Here
// the checkpoint's END record, which is read first, already holds it; pages first changed after the checkpoint began
// have their full image in the log, so they need no table at all.
#pragma once

#include "engine/engine.h"
#include "engine/ledger/core.h"

#include <vector>

namespace powercut::recovery {

struct RedoResult {
  std::vector<ledger::ActiveTxn> losers;  // active when the log ended
  std::uint64_t records = 0;              // read
  std::uint64_t applied = 0;              // changes done to pages
};

// The control file must have been read. Opens the data file and positions the log at its end. kCorrupt when the log does
// not hold what the control record says.
Result<RedoResult> analyse_and_redo(ledger::Core& core, const engine::Narrator* narrator);

}  // namespace powercut::recovery
