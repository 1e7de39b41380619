// The database as users see it: sessions over one Core.
//
// Checkpoints belong to recovery/, which lies above this folder: the function that makes them is handed in.
#pragma once

#include "engine/engine.h"
#include "engine/ledger/busy.h"
#include "engine/ledger/catalogue.h"
#include "engine/ledger/core.h"
#include "engine/ledger/transaction.h"

#include <boost/smart_ptr/local_shared_ptr.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::ledger {

enum class CheckpointExtent : unsigned char {
  kFuzzy,       // pages that were dirty when the last checkpoint began are written, younger ones stay dirty
  kEverything,  // every dirty page is written
};
using Checkpointer = std::function<Result<void>(Core&, CheckpointExtent)>;

class LedgerDatabase final : public engine::Database {
 public:
  LedgerDatabase(std::unique_ptr<Core> core, Checkpointer checkpointer);
  LedgerDatabase(const LedgerDatabase&) = delete;
  LedgerDatabase& operator=(const LedgerDatabase&) = delete;
  // Waits for a checkpoint in a fiber of its own.
  ~LedgerDatabase() override;

  Result<std::unique_ptr<engine::Session>> new_session() override;
  Result<std::vector<std::string>> tables() override;
  Result<void> checkpoint() override;
  Result<void> close() override;

  Core& core() { return *core_; }
  // Keeps the log from growing without end: a checkpoint when it has grown by several segments, in a fiber of its own where
  // I/O suspends fibers.
  void checkpoint_if_due();

 private:
  Result<void> run_checkpoint(CheckpointExtent extent);

  std::unique_ptr<Core> core_;
  Checkpointer checkpointer_;
  Busy checkpointing_;
};

class LedgerSession final : public engine::Session {
 public:
  explicit LedgerSession(LedgerDatabase& database) : database_(database), core_(database.core()) {}
  ~LedgerSession() override;

  Result<void> begin() override { return begin(isolation_); }
  Result<void> begin(engine::Isolation level) override;
  Result<void> set_isolation(engine::Isolation level) override;
  Result<void> set_lock_limit(std::uint64_t nanoseconds) override;
  Result<void> commit() override;
  Result<void> rollback() override;
  Result<void> savepoint(std::string_view name) override;
  Result<void> rollback_to(std::string_view name) override;
  Result<void> release(std::string_view name) override;

  Result<bool> get(std::string_view table, std::string_view key, std::string& row) override {
    return get(table, key, row, engine::RowLock::kNone);
  }
  Result<bool> get(std::string_view table, std::string_view key, std::string& row, engine::RowLock lock) override;
  Result<void> insert(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> update(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> put(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> erase(std::string_view table, std::string_view key) override;
  Result<void> scan(std::string_view table, std::string_view from, std::string_view to, const engine::RowVisitor& visit) override;
  Result<std::uint64_t> edit(std::string_view table, std::string_view from, std::string_view to,
                             const engine::RowEditor& editor) override;

  Result<void> create_table(const engine::TableSchema& schema) override;
  Result<void> drop_table(std::string_view table) override;
  Result<void> alter_table(std::string_view table, const engine::TableSchema& schema) override;

 private:
  enum class Existing : unsigned char { kMustBe, kMustNotBe, kMayBe };
  // A column that refers to a table.
  struct Reference {
    TableRef from;
    std::size_t at = 0;

    const engine::Column& column() const { return from->schema.columns[at]; }
  };
  struct Savepoint {
    std::string name;
    Lsn mark = Lsn::kNone;
  };

  // Whether the database may be read: kStopped, or the error of a rollback that is not finished.
  Result<void> usable() {
    if (core_.is_ready() && !failed_) [[likely]]
      return success();
    return why_unusable();
  }
  Result<void> why_unusable();

  // As it is now: it stays what it was when the catalogue changes.
  Result<TableRef> table(std::string_view name);
  // The same, if it was looked up since the catalogue changed; else null.
  const TableRef* known_table(std::string_view name) const;
  // The same as table(), once its lock is held. Without an owner nobody holds any lock.
  Result<TableRef> table(LockOwner* owner, std::string_view name, TableLock mode);
  Result<void> lock_table(LockOwner* owner, std::string_view name, TableLock mode);
  // What tells the table apart for the lock manager.
  static std::uint64_t lock_of(std::string_view name);
  LockOwner* locks() { return &transaction_->locks(); }
  engine::Isolation level() const { return transaction_ ? level_ : isolation_; }
  // Whether reading locks no rows.
  bool reads_unlocked() const;
  Result<std::size_t> find_savepoint(std::string_view name) const;

  // Runs a statement in the open transaction, or in one of its own. What a statement that fails has done is taken back; if
  // that fails too, its transaction can only be rolled back.
  template <class Statement>
  Result<void> in_transaction(Statement&& statement);
  // Runs a statement that only reads, with the locks of the open transaction or with its own.
  template <class Statement>
  Result<void> reading(Statement&& statement);
  // Who gave way in a deadlock has no transaction any more, and is told so until it calls rollback().
  Result<void> settled(Result<void> done) {
    if (done.has_value() || done.error().code() != ErrorCode::kDeadlock || !transaction_) [[likely]]
      return done;
    return gave_way(done.error());
  }
  Error gave_way(const Error& why);
  void fail_transaction(std::string_view what, const Error& cause);
  Result<void> end_by_rollback();

  Result<bool> read_row(LockOwner* owner, const Table& table, std::string_view key, std::string& row, engine::RowLock lock);
  Result<void> scan_rows(LockOwner* owner, const Table& table, std::string_view from, std::string_view to,
                         const engine::RowVisitor& visit);
  Result<bool> find_row(const Table& table, std::string_view key, std::string& row);
  // A row that was found.
  static void copy_row(const Table& table, const BTree::Leaf& leaf, std::string& row);
  Result<void> write_row(std::string_view table, std::string_view key, std::string_view row, Existing existing);
  Result<void> edit_rows(const Table& table, std::string_view from, std::string_view to, const engine::RowEditor& editor,
                         std::uint64_t& edited);
  // The first row with a key of at least `key`: false if it is not below `to`.
  Result<bool> next_row(const Table& table, std::string& key, std::string_view to, std::string& row);
  // The same, once it is locked for update.
  Result<bool> next_row_locked(const Table& table, std::string& key, std::string_view to, std::string& row, RowMode& before);
  // Writes a row that may be in the table in the place of `before`, or as a new one.
  Result<void> change_row(const Table& into, std::string_view key, std::optional<std::string_view> before, std::string_view row);
  Result<void> erase_row(const Table& from, std::string_view key, std::string_view before);

  // The unique values of a row that change, old and new, and the rows of other tables that it refers to.
  Result<void> lock_values(const Table& table, std::string_view before, std::string_view after);
  Result<void> lock_references(const Table& table, std::string_view before, std::string_view after);
  Result<void> check_unique(const Table& table, std::string_view key, std::string_view row);
  // FOREIGN KEY, of a row that is to be written: kConstraint.
  Result<void> check_references(const Table& table, std::string_view key, std::string_view row);
  // FOREIGN KEY, of the key of a row that is to go: kConstraint.
  Result<void> check_not_referenced(const Table& table, std::string_view key);
  Result<bool> refers(const Reference& reference, std::string_view key, bool same_table);
  Result<void> look_up_references();
  Result<void> write_indexes(const Table& table, std::string_view key, std::string_view before, std::string_view after);

  Result<void> add_table(const engine::TableSchema& schema);
  Result<void> make_table(Table& made, std::vector<PageId>& roots);
  Result<void> remove_table(std::string_view name);
  Result<void> change_table(std::string_view name, const engine::TableSchema& schema);
  Result<void> write_altered(const Table& before, Table& after, std::vector<PageId>& roots);
  Result<void> write_table(RowAction action, const Table& table);
  Result<void> follow_new_name(std::string_view name, std::string_view new_name);
  Result<void> check_rows(const Table& before, const Table& after);
  Result<void> check_schema(const Table& made);
  Result<void> check_unused(std::string_view name);

  LedgerDatabase& database_;
  Core& core_;
  engine::Isolation isolation_ = engine::Isolation::kSerializable;
  std::uint64_t lock_limit_ = faultfs::Scheduler::kNoLimit;
  std::unique_ptr<Transaction> transaction_;
  engine::Isolation level_ = engine::Isolation::kSerializable;  // of the transaction
  std::optional<Error> failed_;                                 // why the transaction can only be rolled back
  std::vector<Savepoint> savepoints_;
  std::vector<Reference> references_;  // of all tables, as last looked up
  std::uint64_t references_version_ = 0;
  std::string before_;  // scratch
  std::string record_;  // scratch
};

}  // namespace powercut::ledger
