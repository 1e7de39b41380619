#include "recovery/checkpoint.h"

#include "engine/ledger/transaction.h"

#include <algorithm>
#include <limits>
#include <string>

namespace powercut::recovery {
namespace {

using ledger::CheckpointExtent;
using ledger::Core;
using ledger::Lsn;

// The pages that may lack something from before BEGIN are those that are dirty once all that had to be written is. That must be
// known before the sync begins: a page that is written during it is clean then, but not durable.
Result<void> make_checkpoint(Core& core, CheckpointExtent extent) {
  const ledger::Defects& defects = core.options.defects;
  for (ledger::ActiveHook& active : core.active) POWERCUT_TRYV(static_cast<ledger::Transaction&>(active).reserve_images());
  std::string record;
  encode_plain(record, ledger::RecordType::kCheckpointBegin, ledger::TxnId::kNone, Lsn::kNone);
  POWERCUT_TRY(const Lsn begin, core.log.append(record));
  core.store->set_checkpoint_begin(begin);

  const Lsn everything{std::numeric_limits<std::uint64_t>::max()};
  POWERCUT_TRY(const std::size_t written,
               core.pool->write_back_before(extent == CheckpointExtent::kEverything ? everything : core.previous_checkpoint_begin));
  ledger::CheckpointEnd end;
  if (!defects.checkpoint_trusts_too_much) core.pool->dirty_pages(end.dirty);
  const bool must_sync = written > 0 || !defects.checkpoint_syncs_own_writes;
  if (must_sync && !defects.checkpoint_before_data_sync) POWERCUT_TRYV(core.latch.opened([&] { return core.pool->sync(); }));

  end.begin = begin;
  end.next_txn = core.next_txn;
  Lsn needed = begin;
  for (const ledger::ActiveHook& active : core.active) {
    const auto& txn = static_cast<const ledger::Transaction&>(active);
    if (!txn.changed_anything()) continue;
    needed = std::min(needed, txn.state().first);
    // The commit of one that waits for its flush becomes durable with this checkpoint, and would not be read again.
    if (!defects.checkpoint_forgets_active && !txn.is_committing()) end.active.push_back(txn.state());
  }
  Lsn redo = begin;
  for (const ledger::DirtyPage& dirty : end.dirty) redo = std::min(redo, dirty.rec_lsn);
  record.clear();
  encode_checkpoint_end(record, end);
  POWERCUT_TRY(const Lsn lsn, core.log.append(record));
  if (!defects.checkpoint_end_unflushed) POWERCUT_TRYV(core.latch.opened([&] { return core.log.flush(lsn); }));
  POWERCUT_TRYV(core.latch.opened([&] { return core.control.checkpointed(lsn, redo); }));
  core.previous_checkpoint_begin = begin;
  core.log.release_before(defects.recycle_before_undo ? redo : std::min(needed, redo));
  return success();
}

}  // namespace

Result<void> checkpoint(Core& core, CheckpointExtent extent) {
  const auto done = make_checkpoint(core, extent);
  if (done.has_value() || done.error().code() == ErrorCode::kNoSpace || done.error().code() == ErrorCode::kIo) return done;
  return core.log.stop(done.error());
}

}  // namespace powercut::recovery
