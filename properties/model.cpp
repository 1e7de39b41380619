#include "properties/model.h"

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

Model::Model(std::size_t tables) {
  committed_.tables.resize(tables);
  working_.tables.resize(tables);
}

Model Model::recovered(bool with_in_doubt) const {
  Model model(0);
  model.committed_ = with_in_doubt ? working_ : committed_;
  model.working_ = model.committed_;
  model.transaction_ = transaction_ + (with_in_doubt ? 1 : 0);
  return model;
}

void Model::apply(State& state, const Change& change, bool forward) {
  ModelTable& table = state.tables[change.table];
  const bool exists = forward ? change.after_exists : change.before_exists;
  if (change.kind == Change::Kind::kTable) {
    if (table.exists != exists) state.hash += exists ? table_hash(change.table) : -table_hash(change.table);
    table.exists = exists;
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

void Model::record(Change change) {
  apply(working_, change, true);
  changes_.push_back(std::move(change));
}

Model Model::without_last() const {
  Model earlier = *this;
  earlier.rolled_back();
  const std::vector<Change> last = std::move(earlier.history_.back());
  earlier.history_.pop_back();
  for (auto change = last.rbegin(); change != last.rend(); ++change) {
    earlier.apply(earlier.committed_, *change, false);
    earlier.apply(earlier.working_, *change, false);
  }
  return earlier;
}

void Model::put(std::uint32_t table, std::string_view key, std::string_view row) {
  Change change;
  change.table = table;
  change.key = key;
  change.after_exists = true;
  change.after = row;
  if (const ModelRow* before = working_.tables[table].find(key)) {
    change.before_exists = true;
    change.before = before->row;
  }
  record(std::move(change));
}

void Model::erase(std::uint32_t table, std::string_view key) {
  const ModelRow* before = working_.tables[table].find(key);
  if (before == nullptr) return;
  Change change;
  change.table = table;
  change.key = key;
  change.before_exists = true;
  change.before = before->row;
  record(std::move(change));
}

void Model::create_table(std::uint32_t table) {
  Change change;
  change.kind = Change::Kind::kTable;
  change.table = table;
  change.after_exists = true;
  record(std::move(change));
}

void Model::drop_table(std::uint32_t table) {
  while (!working_.tables[table].rows.empty()) erase(table, std::string(working_.tables[table].rows.back().key));
  Change change;
  change.kind = Change::Kind::kTable;
  change.table = table;
  change.before_exists = true;
  record(std::move(change));
}

void Model::undo_to(std::size_t mark) {
  while (changes_.size() > mark) {
    apply(working_, changes_.back(), false);
    abandoned_.push_back(std::move(changes_.back()));
    changes_.pop_back();
  }
}

void Model::acknowledged() {
  for (const Change& change : changes_) apply(committed_, change, true);
  history_.push_back(std::move(changes_));
  changes_.clear();
  promise_ = Promise::kNone;
  ++transaction_;
}

void Model::rolled_back() {
  undo_to(0);
  promise_ = Promise::kNone;
  ++transaction_;
}

}  // namespace powercut::properties
