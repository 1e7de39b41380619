// Statements that read, and what they lock. Read uncommitted locks nothing but the table's existence; read committed what it
// reads while it is read; repeatable read every row that it found, to the end; serializable also keys without a row, and of a
// scan the whole range.
#include "engine/ledger/database.h"
#include "engine/row.h"

namespace powercut::ledger {

using engine::Isolation;
using engine::RowLock;

template <class Statement>
Result<void> LedgerSession::reading(Statement&& statement) {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(usable());
  LockOwner* owner = nullptr;
  std::optional<LockOwner> alone;
  if (transaction_) {
    owner = locks();
  } else if (core_.locks.held() > 0 || core_.suspends() || core_.options.early_release) {
    // Where nothing else runs while a statement does it needs no lock if nobody holds one.
    owner = &alone.emplace(core_.locks, TxnId::kNone);
    owner->lock_limit = lock_limit_;
  }
  Result<void> done = statement(owner);
  if (transaction_) return settled(std::move(done));
  if (done.has_error() || !alone) return done;
  core_.locks.release_all(*alone);
  return core_.wait_for_commit(alone->depends_on);
}

bool LedgerSession::reads_unlocked() const {
  return level() == Isolation::kReadUncommitted ||
         (level() == Isolation::kReadCommitted && core_.options.defects.committed_read_unlocked);
}

Result<bool> LedgerSession::find_row(const Table& in, std::string_view key, std::string& row) {
  POWERCUT_TRY(const BTree::Leaf leaf, BTree(*core_.store, in.root).find(key));
  if (leaf.found) copy_row(in, leaf, row);
  return leaf.found;
}

void LedgerSession::copy_row(const Table& in, const BTree::Leaf& leaf, std::string& row) {
  row = leaf.page.page().value(leaf.slot);
  if (in.rows_may_be_short()) engine::complete_row(in.schema, row);
}

Result<bool> LedgerSession::get(std::string_view table_name, std::string_view key, std::string& row, RowLock lock) {
  bool found = false;
  POWERCUT_TRYV(reading([&](LockOwner* owner) -> Result<void> {
    // Who reads for update is about to write.
    const TableLock intent = lock == RowLock::kUpdate ? TableLock::kIntentExclusive : TableLock::kIntentShared;
    POWERCUT_TRY(const TableRef from, table(owner, table_name, intent));
    POWERCUT_TRY(found, read_row(owner, *from, key, row, lock));
    return success();
  }));
  return found;
}

Result<bool> LedgerSession::read_row(LockOwner* owner, const Table& from, std::string_view key, std::string& row, RowLock lock) {
  if (owner == nullptr || (lock == RowLock::kNone && reads_unlocked())) return find_row(from, key, row);
  BTree(*core_.store, from.root).fetch_ahead(key);
  const RowMode mode = lock == RowLock::kUpdate ? RowMode::kUpdate : RowMode::kShared;
  POWERCUT_TRY(const RowMode before, core_.locks.lock_row(*owner, from.root, key, mode));
  POWERCUT_TRY(const bool found, find_row(from, key, row));
  const bool to_the_end = lock != RowLock::kNone || level() == Isolation::kSerializable ||
                          (level() == Isolation::kRepeatableRead && found && !core_.options.defects.read_lock_short);
  if (!to_the_end) core_.locks.unlock_row(*owner, from.root, key, before);
  return found;
}

Result<void> LedgerSession::scan(std::string_view table_name, std::string_view from, std::string_view to,
                                 const engine::RowVisitor& visit) {
  return reading([&](LockOwner* owner) -> Result<void> {
    POWERCUT_TRY(const TableRef of, table(owner, table_name, TableLock::kIntentShared));
    if (of->rows_may_be_short()) {
      std::string complete;
      const engine::RowVisitor visit_complete = [&](std::string_view key, std::string_view row) {
        complete = row;
        engine::complete_row(of->schema, complete);
        return visit(key, complete);
      };
      return scan_rows(owner, *of, from, to, visit_complete);
    }
    return scan_rows(owner, *of, from, to, visit);
  });
}

// No row of the range may be one that others have changed and not committed: not even a deleted one, which is not there to be
// found. So all keys of the range are locked while the statement runs, and once that is granted the rows need not be waited for.
Result<void> LedgerSession::scan_rows(LockOwner* owner, const Table& of, std::string_view from, std::string_view to,
                                      const engine::RowVisitor& visit) {
  BTree tree(*core_.store, of.root);
  if (owner == nullptr || reads_unlocked()) return tree.scan(from, to, visit);
  POWERCUT_TRY(const bool added, core_.locks.lock_range(*owner, of.root, from, to));
  const bool rows_to_the_end = level() == Isolation::kRepeatableRead && !core_.options.defects.read_lock_short;
  std::vector<std::string> found;
  auto done = tree.scan(from, to, [&](std::string_view key, std::string_view row) {
    if (rows_to_the_end) found.emplace_back(key);
    return visit(key, row);
  });
  for (const std::string& key : found) {
    if (done.has_error()) break;
    const auto held = core_.locks.lock_row(*owner, of.root, key, RowMode::kShared);
    if (held.has_error()) done = held.error();
  }
  const bool range_to_the_end = level() == Isolation::kSerializable && !core_.options.defects.range_unlocked;
  if (added && !range_to_the_end) core_.locks.unlock_range(*owner, of.root, from, to);
  return done;
}

}  // namespace powercut::ledger
