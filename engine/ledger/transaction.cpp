#include "engine/ledger/transaction.h"

#include "engine/ledger/catalogue.h"

#include <algorithm>
#include <set>

namespace powercut::ledger {

Transaction::Transaction(Core& core) : core_(core), locks_(core.locks, core.next_txn) {
  state_.txn = core_.next_txn;
  core_.next_txn = static_cast<TxnId>(raw(core_.next_txn) + 1);
  core_.active.push_back(*this);
}

Transaction::Transaction(Core& core, const ActiveTxn& found) : core_(core), state_(found), locks_(core.locks, found.txn) {
  core_.active.push_back(*this);
}

Transaction::~Transaction() { core_.log.release(reserve_); }

void Transaction::appended(Lsn lsn) {
  if (state_.first == Lsn::kNone) state_.first = lsn;
  state_.last = lsn;
  state_.undo_next = lsn;
}

Result<void> Transaction::write(RowAction action, PageId tree_root, std::string_view key, std::string_view row, bool logged) {
  BTree tree(*core_.store, tree_root);
  BTree::Leaf leaf;
  if (action == RowAction::kDelete) {
    POWERCUT_TRY(leaf, tree.find(key));
  } else {
    POWERCUT_TRY(leaf, tree.find_with_room(key, row.size()));
  }
  if (leaf.found == (action == RowAction::kInsert)) {
    return Error(ErrorCode::kCorrupt, "tree " + std::to_string(raw(tree_root)) + ": the row of a " +
                                          std::string(to_string(action)) + (leaf.found ? " is there already" : " is not there"));
  }
  return change_at(leaf, action, tree_root, key, row, logged);
}

Result<void> Transaction::write_at(BTree::Leaf& found, PageId tree_root, std::string_view key, std::string_view row) {
  const RowAction action = found.found ? RowAction::kUpdate : RowAction::kInsert;
  if (!BTree::has_room(found, key, row.size())) [[unlikely]] {
    found.page = PageRef();
    POWERCUT_TRY(found, BTree(*core_.store, tree_root).find_with_room(key, row.size()));
  }
  return change_at(found, action, tree_root, key, row, true);
}

Result<void> Transaction::change_at(BTree::Leaf& leaf, RowAction action, PageId tree_root, std::string_view key,
                                    std::string_view row, bool logged) {
  RowChange change;
  change.action = action;
  change.tree = tree_root;
  change.page = leaf.page.page().id();
  change.slot = leaf.slot;
  change.key = key;
  if (leaf.found) change.before = leaf.page.page().value(leaf.slot);
  change.after = row;
  if (logged) {
    // The first time also for COMMIT and ROLLED BACK, since the one may have to follow the other.
    POWERCUT_TRYV(core_.log.reserve(compensation_bytes(change) + (changed_anything() ? 0 : 2 * kRecordHeaderBytes), reserve_));
    POWERCUT_TRY(const Lsn lsn, core_.store->change_row(state_.txn, state_.last, change, leaf.page));
    appended(lsn);
    ++changes_;
    ++locks_.cost;
  } else {
    POWERCUT_TRYV(core_.store->change_unlogged(change, leaf.page));
  }
  if (action == RowAction::kDelete) note_if_underfull(tree_root, key, leaf.page.page());
  return success();
}

void Transaction::note_if_underfull(PageId tree, std::string_view key, const Page& page) {
  if (BTree::is_underfull(page)) underfull_.push_back({tree, std::string(key)});
}

Result<void> Transaction::reserve_images() {
  POWERCUT_TRYV(core_.log.reserve((changes_ - imaged_) * kMostReservedRecordBytes, reserve_));
  imaged_ = changes_;
  return success();
}

void Transaction::drop_trees(const std::vector<PageId>& trees) {
  for (const PageId root : trees) dropped_.push_back({mark(), root});
}

Result<void> Transaction::undo_change(const RowChange& change, Lsn undo_next, bool logged) {
  BTree tree(*core_.store, change.tree);
  RowChange inverse;
  inverse.tree = change.tree;
  inverse.key = change.key;
  inverse.before = change.after;
  inverse.after = change.before;
  inverse.action = change.action == RowAction::kInsert   ? RowAction::kDelete
                   : change.action == RowAction::kDelete ? RowAction::kInsert
                                                         : RowAction::kUpdate;
  BTree::Leaf leaf;
  if (inverse.action == RowAction::kDelete) {
    POWERCUT_TRY(leaf, tree.find(inverse.key));
  } else {
    POWERCUT_TRY(leaf, tree.find_with_room(inverse.key, inverse.after.size()));
  }
  if (leaf.found == (inverse.action == RowAction::kInsert)) {
    return Error(ErrorCode::kCorrupt, "undo of " + std::string(to_string(change.action)) + " in tree " +
                                          std::to_string(raw(change.tree)) + ": its row is " +
                                          (leaf.found ? "there" : "not there"));
  }
  inverse.page = leaf.page.page().id();
  inverse.slot = leaf.slot;
  if (logged) {
    const Lsn named = core_.options.defects.clr_without_undo_next ? state_.last : undo_next;
    POWERCUT_TRY(const Lsn lsn, core_.store->compensate(state_.txn, state_.last, named, inverse, leaf.page, reserve_));
    appended(lsn);
    if (changes_ > 0) imaged_ = std::min(imaged_, --changes_);
  } else {
    POWERCUT_TRYV(core_.store->change_unlogged(inverse, leaf.page));
  }
  state_.undo_next = undo_next;
  if (inverse.action == RowAction::kDelete) note_if_underfull(change.tree, inverse.key, leaf.page.page());
  if (change.tree == kCatalogueRoot) {
    ++core_.catalogue_version;
    if (change.action != RowAction::kDelete) {
      // Those that the table had before too are found in the catalogue at the end, and stay.
      POWERCUT_TRY(const Table made, decode_table(change.key, change.after));
      const auto trees = made.trees();
      unused_.insert(unused_.end(), trees.begin(), trees.end());
    }
  }
  return success();
}

Result<void> Transaction::undo_to(Lsn mark) {
  Lsn next = state_.last;
  while (next > mark) {
    POWERCUT_TRY(const LogRecord record, core_.log.read(next, undone_));
    POWERCUT_TRY(const DecodedRow row, decode_row(record.header.type, record.body));
    next = row.undo_next;
    if (record.header.type != RecordType::kRow) continue;
    next = record.header.previous;
    POWERCUT_TRYV(undo_change(row.change, next, !core_.options.defects.savepoint_unlogged || mark == Lsn::kNone));
  }
  // A dropped table that is back keeps its pages.
  std::erase_if(dropped_, [mark](const DroppedTree& tree) { return tree.mark > mark; });
  return success();
}

Result<bool> Transaction::undo_next() {
  while (state_.undo_next != Lsn::kNone) {
    POWERCUT_TRY(const LogRecord record, core_.log.read(state_.undo_next, undone_));
    POWERCUT_TRY(const DecodedRow row, decode_row(record.header.type, record.body));
    if (record.header.type == RecordType::kRow) {
      POWERCUT_TRYV(undo_change(row.change, record.header.previous, !core_.options.defects.undo_without_clr));
      return true;
    }
    state_.undo_next = row.undo_next;
  }
  return false;
}

Result<bool> Transaction::undo_oldest() {
  Lsn oldest = Lsn::kNone;
  Lsn next = state_.undo_next;
  while (next != Lsn::kNone && next > undone_until_) {
    POWERCUT_TRY(const LogRecord record, core_.log.read(next, undone_));
    POWERCUT_TRY(const DecodedRow row, decode_row(record.header.type, record.body));
    if (record.header.type == RecordType::kRow) oldest = next;
    next = record.header.type == RecordType::kRow ? record.header.previous : row.undo_next;
  }
  if (oldest == Lsn::kNone) return false;
  POWERCUT_TRY(const LogRecord record, core_.log.read(oldest, undone_));
  POWERCUT_TRY(const DecodedRow row, decode_row(record.header.type, record.body));
  undone_until_ = oldest;
  const Lsn start = state_.undo_next;
  POWERCUT_TRYV(undo_change(row.change, start, true));
  return true;
}

Result<Lsn> Transaction::append_plain(RecordType type) {
  return core_.log.append(kRecordHeaderBytes, &reserve_, [&](char* at) { put_plain(at, type, state_.txn, state_.last); });
}

Result<Lsn> Transaction::append_commit() {
  if (!changed_anything()) return Lsn::kNone;
  const Defects& defects = core_.options.defects;
  POWERCUT_TRY(const Lsn lsn, append_plain(RecordType::kCommit));
  committing_ = !defects.checkpoint_lists_committing;
  if (core_.options.early_release) release_early(lsn);
  if (defects.locks_before_log) core_.locks.release_all(locks_);
  if (defects.ack_before_sync) return Lsn::kNone;
  return defects.ack_of_earlier_record ? state_.last : lsn;
}

Result<void> Transaction::end_commit(Lsn awaited) {
  if (!changed_anything()) return core_.wait_for_commit(locks_.depends_on);
  if (released_early_) {
    POWERCUT_TRYV(core_.wait_for_own_commit(awaited));
  } else if (const auto flushed = core_.wait_for_commit(awaited); flushed.has_error()) {
    // The record stays, and may be durable or not: a rollback, which comes after it in the log, settles that.
    in_doubt_ = true;
    committing_ = false;
    return flushed.error();
  } else {
    unused_dropped();
  }
  leave();
  return success();
}

void Transaction::unused_dropped() {
  for (const DroppedTree& tree : dropped_) unused_.push_back(tree.root);
}

void Transaction::release_early(Lsn commit) {
  // Which trees are unused is known only as long as nobody else may change the tables.
  unused_dropped();
  keep_unused_trees();
  core_.locks.release_early(locks_, commit);
  released_early_ = true;
  // Most have nothing to tidy up that their commit must be durable for.
  over_ = unused_.empty() && underfull_.empty() && committing_;
  if (over_) leave();
}

Result<void> Transaction::rollback() {
  if (!changed_anything()) return success();
  if (rolled_back_ == Lsn::kNone) POWERCUT_TRYV(undo_to(Lsn::kNone));
  return finish_rollback();
}

Result<void> Transaction::finish_rollback() {
  if (rolled_back_ == Lsn::kNone) {
    POWERCUT_TRY(rolled_back_, append_plain(RecordType::kRolledBack));
  }
  if (in_doubt_) POWERCUT_TRYV(core_.log.flush(rolled_back_));
  leave();
  return success();
}

// Of the trees that may be unused, those that no table has any more: none if the tables cannot be read. A table that was
// renamed, changed or dropped and is back has its trees, whatever took them from it was undone.
void Transaction::keep_unused_trees() {
  if (unused_.empty()) return;
  std::set<PageId> trees(unused_.begin(), unused_.end());
  bool readable = true;
  const auto scanned = BTree(*core_.store, kCatalogueRoot).scan({}, {}, [&](std::string_view name, std::string_view row) {
    const auto table = decode_table(name, row);
    if (table.has_error()) {
      readable = false;
      return false;
    }
    for (const PageId root : table.value().trees()) trees.erase(root);
    return true;
  });
  readable = readable && scanned.has_value();
  unused_.assign(trees.begin(), readable ? trees.end() : trees.begin());
}

// The transaction is over. What follows only saves space: what fails of it is left, as it is when the power fails here.
void Transaction::leave() {
  unlink();
  core_.log.release(reserve_);
  for (const Underfull& place : underfull_) static_cast<void>(BTree(*core_.store, place.tree).rebalance(place.key).has_error());
  if (!released_early_) keep_unused_trees();
  for (const PageId root : unused_) static_cast<void>(BTree(*core_.store, root).list_pages(core_.unused_pages).has_error());
  core_.free_unused_pages();
  core_.locks.release_all(locks_);
}

}  // namespace powercut::ledger
