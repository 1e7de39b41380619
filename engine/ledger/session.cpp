#include "engine/ledger/database.h"
#include "engine/row.h"
#include "faultfs/hash.h"

#include <boost/smart_ptr/make_local_shared.hpp>

#include <algorithm>

namespace powercut::ledger {
namespace {

Error no_such_table(std::string_view name) { return {ErrorCode::kNotFound, "no table is called '" + std::string(name) + "'"}; }

// Whether the bytes can be a row of the table under that key: kInvalidArgument.
Result<void> check_form(const engine::TableSchema& schema, std::string_view key, std::string_view row) {
  if (key.size() > kMostKeyBytes || key.size() + row.size() > kMostCellBytes) {
    return Error(ErrorCode::kInvalidArgument, schema.name + ": a key may have " + std::to_string(kMostKeyBytes) +
                                                  " bytes, key and row together " + std::to_string(kMostCellBytes));
  }
  return engine::check_row(schema, row);
}

}  // namespace

LedgerSession::~LedgerSession() {
  if (!transaction_) return;
  // Nobody is left to hear of an error; the next session, or recovery, undoes what this could not.
  const auto turn = core_.latch.enter();
  if (turn.has_value()) static_cast<void>(end_by_rollback().has_error());
}

Result<void> LedgerSession::why_unusable() {
  POWERCUT_TRYV(core_.ready());
  if (failed_) return *failed_;
  return success();
}

template <class Statement>
Result<void> LedgerSession::in_transaction(Statement&& statement) {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(usable());
  const bool own = !transaction_;
  if (own) POWERCUT_TRYV(begin());
  const Lsn mark = transaction_->mark();
  Result<void> done = statement();
  if (!own) {
    if (done.has_error() && done.error().code() == ErrorCode::kDeadlock) return settled(done);
    if (done.has_error()) {
      const auto undone = transaction_->undo_to(mark);
      if (undone.has_error()) fail_transaction("a statement could not be taken back", undone.error());
    }
    return done;
  }
  if (done.has_value()) done = commit();
  // What cannot be rolled back now will be before anything else is done.
  if (done.has_error() && transaction_) static_cast<void>(end_by_rollback().has_error());
  return done;
}

void LedgerSession::fail_transaction(std::string_view what, const Error& cause) {
  failed_ = cause.within(std::string(what) + ", so its transaction can only be rolled back");
}

Error LedgerSession::gave_way(const Error& why) {
  const auto undone = core_.options.defects.victim_half_undone ? transaction_->finish_rollback() : end_by_rollback();
  transaction_.reset();
  savepoints_.clear();
  failed_ = undone.has_error() ? undone.error() : Error(ErrorCode::kDeadlock, why.context() + "; its transaction was rolled back");
  return why;
}

Result<void> LedgerSession::begin(engine::Isolation level) {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(usable());
  if (transaction_) return Error(ErrorCode::kInvalidArgument, "begin: a transaction is open");
  transaction_ = std::make_unique<Transaction>(core_);
  transaction_->locks().lock_limit = lock_limit_;
  level_ = level;
  if (core_.suspends() && core_.scheduler->in_fiber()) {
    core_.scheduler->works_on(faultfs::Scheduler::Whose::kCallee, this, sizeof(*this));
  }
  return success();
}

Result<void> LedgerSession::set_isolation(engine::Isolation level) {
  isolation_ = level;
  return success();
}

Result<void> LedgerSession::set_lock_limit(std::uint64_t nanoseconds) {
  lock_limit_ = nanoseconds;
  if (transaction_) transaction_->locks().lock_limit = nanoseconds;
  return success();
}

Result<void> LedgerSession::commit() {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(usable());
  if (!transaction_) return Error(ErrorCode::kInvalidArgument, "commit: no transaction is open");
  Result<void> done = success();
  const auto awaited = transaction_->append_commit();
  if (awaited.has_value() && transaction_->is_over()) {
    transaction_.reset();
    done = core_.wait_for_own_commit(awaited.value());
  } else {
    done = awaited.has_error() ? Result<void>(awaited.error()) : transaction_->end_commit(awaited.value());
    if (done.has_error() && !core_.log.failure()) {
      if (transaction_->is_in_doubt()) fail_transaction("a commit failed", done.error());
      return done;
    }
    transaction_.reset();
  }
  savepoints_.clear();
  if (done.has_value()) database_.checkpoint_if_due();
  return done;
}

Result<void> LedgerSession::rollback() {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(core_.ready());
  if (!transaction_ && failed_) {
    failed_.reset();
    return success();
  }
  if (!transaction_) return Error(ErrorCode::kInvalidArgument, "rollback: no transaction is open");
  return end_by_rollback();
}

// Whatever it returns, the session has no transaction any more.
Result<void> LedgerSession::end_by_rollback() {
  auto ending = std::move(transaction_);
  savepoints_.clear();
  failed_.reset();
  if (core_.log.failure()) return *core_.log.failure();
  const auto done = ending->rollback();
  if (done.has_value()) return success();
  if (done.error().code() != ErrorCode::kNoSpace && done.error().code() != ErrorCode::kIo) return core_.log.stop(done.error());
  core_.finish_later(std::move(ending));
  return done.error().within("the rollback will be finished before anything else is done");
}

Result<void> LedgerSession::savepoint(std::string_view name) {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(usable());
  if (!transaction_) return Error(ErrorCode::kInvalidArgument, "savepoint: no transaction is open");
  savepoints_.push_back({std::string(name), transaction_->mark()});
  return success();
}

Result<std::size_t> LedgerSession::find_savepoint(std::string_view name) const {
  for (std::size_t at = savepoints_.size(); at > 0; --at) {
    if (savepoints_[at - 1].name == name) return at - 1;
  }
  return Error(ErrorCode::kNotFound, "no savepoint is called '" + std::string(name) + "'");
}

Result<void> LedgerSession::rollback_to(std::string_view name) {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(core_.ready());
  if (failed_ && (!transaction_ || transaction_->is_in_doubt())) return *failed_;
  POWERCUT_TRY(const std::size_t at, find_savepoint(name));
  savepoints_.resize(at + 1);
  auto done = transaction_->undo_to(savepoints_[at].mark);
  if (core_.options.defects.savepoint_gives_locks_back) core_.locks.release_all(transaction_->locks());
  failed_.reset();
  if (done.has_error()) fail_transaction("a rollback to a savepoint failed", done.error());
  return done;
}

Result<void> LedgerSession::release(std::string_view name) {
  POWERCUT_TRY(const auto turn, core_.latch.enter());
  POWERCUT_TRYV(usable());
  POWERCUT_TRY(const std::size_t at, find_savepoint(name));
  savepoints_.resize(at);
  return success();
}

std::uint64_t LedgerSession::lock_of(std::string_view name) { return hash64(as_bytes(name)); }

Result<void> LedgerSession::lock_table(LockOwner* owner, std::string_view name, TableLock mode) {
  if (owner == nullptr) return success();
  return core_.locks.lock_table(*owner, lock_of(name), name, mode);
}

inline const TableRef* LedgerSession::known_table(std::string_view name) const {
  if (core_.known_version != core_.catalogue_version) return nullptr;
  for (const TableRef& known : core_.known_tables) {
    if (same_bytes(known->schema.name, name)) return &known;
  }
  return nullptr;
}

Result<TableRef> LedgerSession::table(std::string_view name) {
  if (const TableRef* const known = known_table(name)) return *known;
  BTree catalogue(*core_.store, kCatalogueRoot);
  POWERCUT_TRY(const BTree::Leaf leaf, catalogue.find(name));
  if (!leaf.found) return no_such_table(name);
  POWERCUT_TRY(Table found, decode_table(name, leaf.page.page().value(leaf.slot)));
  if (core_.known_version != core_.catalogue_version) core_.known_tables.clear();
  core_.known_version = core_.catalogue_version;
  core_.known_tables.push_back(boost::make_local_shared<const KnownTable>(std::move(found), lock_of(name)));
  return core_.known_tables.back();
}

Result<TableRef> LedgerSession::table(LockOwner* owner, std::string_view name, TableLock mode) {
  const TableRef* const known = known_table(name);
  if (known != nullptr && (owner == nullptr || LockManager::holds_table(*owner, (*known)->lock, mode))) return *known;
  if (known == nullptr) {
    POWERCUT_TRYV(lock_table(owner, name, mode));
    return table(name);
  }
  TableRef found = *known;
  const std::uint64_t version = core_.catalogue_version;
  POWERCUT_TRYV(core_.locks.lock_table(*owner, found->lock, name, mode));
  // While it waited the catalogue may have changed.
  if (version != core_.catalogue_version) [[unlikely]]
    return table(name);
  return found;
}

Result<void> LedgerSession::insert(std::string_view table_name, std::string_view key, std::string_view row) {
  return in_transaction([&] { return write_row(table_name, key, row, Existing::kMustNotBe); });
}

Result<void> LedgerSession::update(std::string_view table_name, std::string_view key, std::string_view row) {
  return in_transaction([&] { return write_row(table_name, key, row, Existing::kMustBe); });
}

Result<void> LedgerSession::put(std::string_view table_name, std::string_view key, std::string_view row) {
  return in_transaction([&] { return write_row(table_name, key, row, Existing::kMayBe); });
}

Result<void> LedgerSession::write_row(std::string_view table_name, std::string_view key, std::string_view row, Existing existing) {
  POWERCUT_TRY(const TableRef into, table(locks(), table_name, TableLock::kIntentExclusive));
  POWERCUT_TRYV(check_form(into->schema, key, row));
  POWERCUT_TRY(const RowMode held, core_.locks.lock_row(*locks(), into->root, key, RowMode::kExclusive));
  POWERCUT_TRY(BTree::Leaf leaf, BTree(*core_.store, into->root).find(key));
  const bool exists = leaf.found;
  if (exists && existing == Existing::kMustNotBe) {
    return Error(ErrorCode::kAlreadyExists, std::string(table_name) + ": a row with that key exists");
  }
  if (!exists && existing == Existing::kMustBe) {
    return Error(ErrorCode::kNotFound, std::string(table_name) + ": no row has that key");
  }
  if (into->stands_alone) {
    POWERCUT_TRYV(engine::check_constraints(into->schema, row));
    POWERCUT_TRYV(transaction_->write_at(leaf, into->root, key, row));
  } else {
    if (exists) copy_row(*into, leaf, before_);
    leaf.page = PageRef();
    POWERCUT_TRYV(change_row(*into, key, exists ? std::optional<std::string_view>(before_) : std::nullopt, row));
  }
  if (core_.options.defects.write_lock_short) core_.locks.unlock_row(*locks(), into->root, key, held);
  return success();
}

Result<void> LedgerSession::change_row(const Table& into, std::string_view key, std::optional<std::string_view> before,
                                       std::string_view row) {
  POWERCUT_TRYV(engine::check_constraints(into.schema, row));
  POWERCUT_TRYV(lock_values(into, before.value_or(std::string_view()), row));
  POWERCUT_TRYV(lock_references(into, before.value_or(std::string_view()), row));
  POWERCUT_TRYV(check_unique(into, key, row));
  POWERCUT_TRYV(check_references(into, key, row));
  POWERCUT_TRYV(transaction_->write(before ? RowAction::kUpdate : RowAction::kInsert, into.root, key, row));
  return write_indexes(into, key, before.value_or(std::string_view()), row);
}

Result<void> LedgerSession::erase(std::string_view table_name, std::string_view key) {
  return in_transaction([&]() -> Result<void> {
    POWERCUT_TRY(const TableRef from, table(locks(), table_name, TableLock::kIntentExclusive));
    POWERCUT_TRYV(core_.locks.lock_row(*locks(), from->root, key, RowMode::kExclusive));
    POWERCUT_TRY(const bool exists, find_row(*from, key, before_));
    if (!exists) return Error(ErrorCode::kNotFound, std::string(table_name) + ": no row has that key");
    return erase_row(*from, key, before_);
  });
}

Result<void> LedgerSession::erase_row(const Table& from, std::string_view key, std::string_view before) {
  POWERCUT_TRYV(lock_values(from, before, {}));
  POWERCUT_TRYV(lock_references(from, before, {}));
  POWERCUT_TRYV(check_not_referenced(from, key));
  POWERCUT_TRYV(transaction_->write(RowAction::kDelete, from.root, key, {}));
  return write_indexes(from, key, before, {});
}

Result<std::uint64_t> LedgerSession::edit(std::string_view table_name, std::string_view from, std::string_view to,
                                          const engine::RowEditor& editor) {
  std::uint64_t edited = 0;
  POWERCUT_TRYV(in_transaction([&]() -> Result<void> {
    POWERCUT_TRY(const TableRef of, table(locks(), table_name, TableLock::kIntentExclusive));
    return edit_rows(*of, from, to, editor, edited);
  }));
  return edited;
}

// From key to key: between two rows the tree may split and merge as it likes.
Result<void> LedgerSession::edit_rows(const Table& of, std::string_view from, std::string_view to, const engine::RowEditor& editor,
                                      std::uint64_t& edited) {
  if (level() == engine::Isolation::kSerializable && !core_.options.defects.range_unlocked) {
    POWERCUT_TRYV(core_.locks.lock_range(*locks(), of.root, from, to));
  }
  std::string key(from);
  std::string row;
  std::string changed;
  for (;; key.push_back('\0')) {
    RowMode before = RowMode::kNone;
    POWERCUT_TRY(const bool found, next_row_locked(of, key, to, row, before));
    if (!found) return success();
    changed.clear();
    const engine::RowEdit what = editor(key, row, changed);
    if (what == engine::RowEdit::kKeep) {
      // It was read: at repeatable read it stays what it is. In one step, or who waits for the row would come in between.
      const RowMode kept = level() == engine::Isolation::kRepeatableRead ? RowMode::kShared : RowMode::kNone;
      core_.locks.unlock_row(*locks(), of.root, key, std::max(before, kept));
      continue;
    }
    POWERCUT_TRYV(core_.locks.lock_row(*locks(), of.root, key, RowMode::kExclusive));
    if (what == engine::RowEdit::kErase) {
      POWERCUT_TRYV(erase_row(of, key, row));
    } else {
      POWERCUT_TRYV(check_form(of.schema, key, changed));
      POWERCUT_TRYV(change_row(of, key, row, changed));
    }
    ++edited;
  }
}

Result<bool> LedgerSession::next_row(const Table& of, std::string& key, std::string_view to, std::string& row) {
  bool found = false;
  POWERCUT_TRYV(BTree(*core_.store, of.root).scan(key, to, [&](std::string_view next, std::string_view bytes) {
    key = next;
    row = bytes;
    found = true;
    return false;
  }));
  if (found && of.rows_may_be_short()) engine::complete_row(of.schema, row);
  return found;
}

// Between the last row and the next none may be one that another transaction deleted and may bring back: the keys up to it are
// locked while it is looked for. That lock is not kept while the row is waited for, or who holds the row could not write it.
Result<bool> LedgerSession::next_row_locked(const Table& of, std::string& key, std::string_view to, std::string& row,
                                            RowMode& before) {
  const std::string from = key;
  std::string awaited;  // held for update, if not empty
  for (;;) {
    key = from;
    POWERCUT_TRY(bool found, next_row(of, key, to, row));
    const std::string until = found ? key + '\0' : std::string(to);
    POWERCUT_TRY(const bool added, core_.locks.lock_range(*locks(), of.root, from, until));
    const std::string seen = key;
    key = from;
    POWERCUT_TRY(const bool still, next_row(of, key, to, row));
    const bool same = still == found && (!found || key == seen);
    const auto held = same && found ? core_.locks.try_lock_row(*locks(), of.root, key, RowMode::kUpdate) : std::nullopt;
    if (added) core_.locks.unlock_range(*locks(), of.root, from, until);
    if (!awaited.empty() && !(held && key == awaited)) core_.locks.unlock_row(*locks(), of.root, awaited, before);
    if (held) {
      if (key != awaited) before = *held;
      return true;
    }
    awaited.clear();
    if (!same) continue;
    if (!found) return false;
    // While it waits the row may go, and others may come before it.
    POWERCUT_TRY(before, core_.locks.lock_row(*locks(), of.root, key, RowMode::kUpdate));
    awaited = key;
  }
}

Result<void> LedgerSession::create_table(const engine::TableSchema& schema) {
  return in_transaction([&] { return add_table(schema); });
}

Result<void> LedgerSession::drop_table(std::string_view name) {
  return in_transaction([&] { return remove_table(name); });
}

Result<void> LedgerSession::alter_table(std::string_view name, const engine::TableSchema& schema) {
  return in_transaction([&] { return change_table(name, schema); });
}

}  // namespace powercut::ledger
