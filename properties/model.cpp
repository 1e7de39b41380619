#include "properties/model.h"

#include "faultfs/assert.h"
#include "faultfs/hash.h"

#include <algorithm>
#include <utility>

namespace powercut::properties {
namespace {

// Contents hash as a sum over rows, so that it can be kept up change by change.
std::uint64_t row_hash(std::uint32_t table, std::string_view key, std::string_view row) {
  return combine(combine(table, hash64(as_bytes(key))), hash64(as_bytes(row)));
}

std::uint64_t table_hash(std::uint32_t table) { return mix64(table + 1); }

}  // namespace

std::size_t ModelTable::lower_bound(std::string_view wanted) const {
  const auto place = std::lower_bound(rows.begin(), rows.end(), wanted,
                                      [](const ModelRow& row, std::string_view key) { return std::string_view(row.key) < key; });
  return static_cast<std::size_t>(place - rows.begin());
}

const ModelRow* ModelTable::find(std::string_view key) const {
  const std::size_t at = lower_bound(key);
  return at < rows.size() && rows[at].key == key ? &rows[at] : nullptr;
}

Model::Model(std::size_t tables, std::size_t sessions) : open_(sessions) {
  POWERCUT_ASSERT(sessions >= 1 && sessions <= kMostSessions, "a model has from 1 to 32 sessions");
  committed_.tables.resize(tables);
  working_.tables.resize(tables);
  for (Open& open : open_) next_transaction(open);
}

void Model::next_transaction(Open& open) {
  open.changes.clear();
  open.promise = Promise::kNone;
  open.transaction = next_transaction_++;
}

std::vector<std::size_t> Model::in_doubt() const {
  std::vector<std::size_t> sessions;
  for (std::size_t session = 0; session < open_.size(); ++session) {
    if (open_[session].promise == Promise::kInDoubt) sessions.push_back(session);
  }
  return sessions;
}

const State& Model::with(Present present) const {
  if (present == 0) return committed_;
  if (alone()) return working_;
  for (const auto& [known, state] : with_) {
    if (known == present) return state;
  }
  std::vector<Change> changes;
  Present bit = 1;
  for (const std::size_t session : in_doubt()) {
    if ((present & bit) != 0) changes.insert(changes.end(), open_[session].changes.begin(), open_[session].changes.end());
    bit <<= 1U;
  }
  with_.emplace_back(present, with_changes(std::move(changes)));
  return with_.back().second;
}

State Model::seen_by(std::size_t session) const {
  if (alone()) return working_;
  std::vector<Change> changes;
  for (std::size_t each = 0; each < open_.size(); ++each) {
    if (each != session && open_[each].promise != Promise::kInDoubt) continue;
    changes.insert(changes.end(), open_[each].changes.begin(), open_[each].changes.end());
  }
  return with_changes(std::move(changes));
}

State Model::with_changes(std::vector<Change> changes) const {
  State state = committed_;
  Orders orders = orders_;
  apply_in_order(state, orders, changes);
  return state;
}

std::uint64_t Model::hash() const {
  std::uint64_t hash = committed_.hash;
  for (const Open& open : open_) {
    hash = combine(combine(hash, open.transaction), static_cast<std::uint64_t>(open.promise));
    if (alone() || open.promise == Promise::kNone) continue;
    for (const Change& change : open.changes) {
      hash = combine(hash, combine(row_hash(change.table, change.key, change.after), change.after_exists ? 1 : 0));
    }
  }
  return alone() ? combine(hash, working_.hash) : hash;
}

Model Model::recovered(Present present, std::size_t sessions) const {
  Model model(0, sessions);
  model.committed_ = with(present);
  model.working_ = model.committed_;
  // One that is not there gives its number to the next.
  model.next_transaction_ = alone() && present == 0 ? open_[0].transaction : next_transaction_;
  for (Open& open : model.open_) model.next_transaction(open);
  return model;
}

void Model::apply(State& state, const Change& change, bool forward) {
  ModelTable& table = state.tables[change.table];
  const bool exists = forward ? change.after_exists : change.before_exists;
  if (change.kind == Change::Kind::kTable) {
    if (table.exists != exists) state.hash += exists ? table_hash(change.table) : -table_hash(change.table);
    table.exists = exists;
    if (exists) return;
    for (const ModelRow& row : table.rows) state.hash -= row_hash(change.table, row.key, row.row);
    table.rows.clear();
    return;
  }
  const std::string& wanted = forward ? change.after : change.before;
  const std::size_t at = table.lower_bound(change.key);
  const auto place = table.rows.begin() + static_cast<std::ptrdiff_t>(at);
  const bool found = at < table.rows.size() && place->key == change.key;
  if (found) state.hash -= row_hash(change.table, change.key, place->row);
  if (exists) state.hash += row_hash(change.table, change.key, wanted);
  if (found && exists) {
    place->row = wanted;
  } else if (found) {
    table.rows.erase(place);
  } else if (exists) {
    table.rows.insert(place, {change.key, wanted});
  }
}

// The changes of a row in the order in which they were made, and none that was made before one that is in the state.
void Model::apply_in_order(State& state, Orders& orders, std::vector<Change>& changes) {
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.order < b.order; });
  for (Change& change : changes) {
    // A table that came or went since took the row with it. No row has an empty key.
    const auto of_table = orders.find({change.table, std::string()});
    if (of_table != orders.end() && change.order < of_table->second) continue;
    std::uint64_t& newest = orders[{change.table, change.kind == Change::Kind::kTable ? std::string() : change.key}];
    if (change.order < newest) continue;
    newest = change.order;
    if (change.kind == Change::Kind::kTable) {
      change_table(state, orders, change);
      continue;
    }
    const ModelRow* const before = state.tables[change.table].find(change.key);
    change.before_exists = before != nullptr;
    if (before != nullptr) change.before = before->row;
    apply(state, change, true);
  }
}

// What was in a table before it came or went is not in it any more; what was written since is, though it may have been
// acknowledged before.
void Model::change_table(State& state, const Orders& orders, Change& change) {
  ModelTable& table = state.tables[change.table];
  change.before_exists = table.exists;
  if (table.exists != change.after_exists) state.hash += change.after_exists ? table_hash(change.table) : -table_hash(change.table);
  table.exists = change.after_exists;
  std::erase_if(table.rows, [&](const ModelRow& row) {
    const auto written = orders.find({change.table, row.key});
    if (written != orders.end() && written->second > change.order) return false;
    state.hash -= row_hash(change.table, row.key, row.row);
    return true;
  });
}

void Model::record(Change change, std::size_t session) {
  change.order = next_order_++;
  if (alone()) apply(working_, change, true);
  with_.clear();
  open_[session].changes.push_back(std::move(change));
}

Model Model::without_last() const {
  Model earlier = *this;
  earlier.with_.clear();
  for (std::size_t session = 0; session < open_.size(); ++session) earlier.rolled_back(session);
  const std::vector<Change> last = std::move(earlier.history_.back());
  earlier.history_.pop_back();
  for (auto change = last.rbegin(); change != last.rend(); ++change) {
    apply(earlier.committed_, *change, false);
    if (alone()) apply(earlier.working_, *change, false);
  }
  return earlier;
}

Model Model::continued(Present present) const {
  POWERCUT_ASSERT(alone(), "the order of what several sessions did is not known");
  Model next = *this;
  if (present != 0) {
    next.acknowledged();
    return next;
  }
  // One that is not there gives its number to the next, as in recovered().
  next.next_transaction_ = open_[0].transaction;
  next.rolled_back();
  return next;
}

Model Model::with_only(const std::vector<bool>& kept) const {
  POWERCUT_ASSERT(alone() && kept.size() == history_.size(), "each acknowledged transaction is kept or not");
  Model other = *this;
  for (auto changes = history_.rbegin(); changes != history_.rend(); ++changes) {
    for (auto change = changes->rbegin(); change != changes->rend(); ++change) apply(other.committed_, *change, false);
  }
  other.history_.clear();
  for (std::size_t at = 0; at < kept.size(); ++at) {
    if (!kept[at]) {
      other.abandoned_.insert(other.abandoned_.end(), history_[at].begin(), history_[at].end());
      continue;
    }
    std::vector<Change> changes = history_[at];
    for (Change& change : changes) other.reapply(other.committed_, change);
    other.history_.push_back(std::move(changes));
  }
  other.working_ = other.committed_;
  for (Change& change : other.open_[0].changes) other.reapply(other.working_, change);
  return other;
}

// On a state that is not the one on which it was made.
void Model::reapply(State& state, Change& change) {
  const ModelTable& table = state.tables[change.table];
  if (change.kind == Change::Kind::kTable) {
    change.before_exists = table.exists;
  } else {
    const ModelRow* const before = table.find(change.key);
    change.before_exists = before != nullptr;
    change.before = before != nullptr ? before->row : std::string();
  }
  apply(state, change, true);
}

void Model::put(std::uint32_t table, std::string_view key, std::string_view row, std::size_t session) {
  Change change;
  change.table = table;
  change.key = key;
  change.after_exists = true;
  change.after = row;
  const ModelRow* const before = alone() ? working_.tables[table].find(key) : nullptr;
  if (before != nullptr) {
    change.before_exists = true;
    change.before = before->row;
  }
  record(std::move(change), session);
}

void Model::erase(std::uint32_t table, std::string_view key, std::size_t session) {
  Change change;
  change.table = table;
  change.key = key;
  if (alone()) {
    const ModelRow* const before = working_.tables[table].find(key);
    if (before == nullptr) return;
    change.before_exists = true;
    change.before = before->row;
  }
  record(std::move(change), session);
}

void Model::create_table(std::uint32_t table, std::size_t session) {
  Change change;
  change.kind = Change::Kind::kTable;
  change.table = table;
  change.after_exists = true;
  record(std::move(change), session);
}

void Model::drop_table(std::uint32_t table, std::size_t session) {
  while (alone() && !working_.tables[table].rows.empty()) erase(table, std::string(working_.tables[table].rows.back().key));
  Change change;
  change.kind = Change::Kind::kTable;
  change.table = table;
  change.before_exists = true;
  record(std::move(change), session);
}

void Model::undo_to(std::size_t mark, std::size_t session) {
  auto& changes = open_[session].changes;
  while (changes.size() > mark) {
    if (alone()) apply(working_, changes.back(), false);
    abandoned_.push_back(std::move(changes.back()));
    changes.pop_back();
  }
  with_.clear();
}

void Model::commit_called(std::size_t session) {
  open_[session].promise = Promise::kInDoubt;
  with_.clear();
}

void Model::acknowledged(std::size_t session) {
  Open& open = open_[session];
  if (alone()) {
    for (const Change& change : open.changes) apply(committed_, change, true);
  } else {
    apply_in_order(committed_, orders_, open.changes);
  }
  with_.clear();
  if (!open.changes.empty()) history_.push_back(std::move(open.changes));
  next_transaction(open);
}

void Model::rolled_back(std::size_t session) {
  undo_to(0, session);
  next_transaction(open_[session]);
}

}  // namespace powercut::properties
