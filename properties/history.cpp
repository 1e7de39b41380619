#include "properties/history.h"

#include "engine/row.h"
#include "faultfs/assert.h"
#include "faultfs/hash.h"

#include <algorithm>

namespace powercut::properties {
namespace {

bool holds(const History::Write& write, std::optional<std::string_view> row) {
  return write.dead ? !row : row && write.row == *row;
}

}  // namespace

History::History() {
  transactions_.push_back({.name = "the initial state", .outcome = Outcome::kCommitted, .snapshot = {}, .writes = {}});
}

std::uint64_t History::begin(engine::Isolation level, std::string name) {
  transactions_.push_back({.level = level, .name = std::move(name), .snapshot = {}, .writes = {}});
  return transactions_.size() - 1;
}

void History::take_snapshot(std::uint64_t transaction) { transactions_[transaction].snapshot = clock_; }

Version History::write(std::uint64_t transaction, std::string_view table, std::string_view key,
                       std::optional<std::string_view> row) {
  const std::size_t number = object_of(table, key);
  Object& object = objects_[number];
  Transaction& writer = transactions_[transaction];
  POWERCUT_ASSERT(transaction == 0 ? object.writes.empty() : writer.outcome == Outcome::kRunning,
                  "the initial state comes first, and what has ended writes no more");
  std::vector<std::size_t>& own = writer.writes[number];
  if (!own.empty()) object.writes[own.back()].last = false;
  own.push_back(object.writes.size());
  const Version version{transaction, static_cast<std::uint32_t>(own.size())};
  object.writes.push_back({.version = version, .dead = !row, .row = std::string(row.value_or(""))});
  return version;
}

void History::read(std::uint64_t transaction, std::string_view table, std::string_view key, Version version) {
  const std::size_t object = object_of(table, key);
  Read read{.transaction = transaction, .from = {}, .to = {}, .first_seen = seen_.size(), .objects = objects_.size()};
  add_seen(read, object, position(object, version));
  reads_.push_back(std::move(read));
}

void History::scan(std::uint64_t transaction, std::string_view table, std::string_view from, std::string_view to,
                   std::span<const std::pair<std::string, Version>> matched, std::span<const std::string> unknown) {
  std::vector<std::size_t> found;
  found.reserve(matched.size() + unknown.size());
  for (const auto& [key, version] : matched) found.push_back(object_of(table, key));
  for (const std::string& key : unknown) found.push_back(object_of(table, key));
  Read read{.transaction = transaction,
            .range = true,
            .table = table_of(table),
            .from = std::string(from),
            .to = std::string(to),
            .first_seen = seen_.size(),
            .objects = objects_.size()};
  for (std::size_t at = 0; at < matched.size(); ++at) add_seen(read, found[at], position(found[at], matched[at].second));
  std::sort(found.begin(), found.end());
  for (auto [row, last] = range(read); row != last; ++row) {
    if (std::binary_search(found.begin(), found.end(), row->second)) continue;
    add_seen(read, row->second, latest_with(transaction, row->second, {}).value_or(0));
  }
  reads_.push_back(std::move(read));
}

void History::end(std::uint64_t transaction, Outcome outcome) {
  POWERCUT_ASSERT(transactions_[transaction].outcome == Outcome::kRunning, "a transaction ends once");
  transactions_[transaction].outcome = outcome;
  transactions_[transaction].ended = ++clock_;
}

std::optional<Version> History::latest_with(std::uint64_t reader, std::string_view table, std::string_view key,
                                            std::optional<std::string_view> row) const {
  const auto known = std::find_if(tables_.begin(), tables_.end(), [&](const Table& each) { return each.name == table; });
  const auto found = known == tables_.end() ? Rows::const_iterator{} : known->rows.find(key);
  if (known == tables_.end() || found == known->rows.end()) return row ? std::nullopt : std::optional<Version>(Version{});
  const auto version = latest_with(reader, found->second, row);
  if (!version) return std::nullopt;
  return *version == 0 ? Version{} : objects_[found->second].writes[*version - 1].version;
}

std::pair<History::Rows::const_iterator, History::Rows::const_iterator> History::range(const Read& read) const {
  return range(tables_[read.table].rows, read.from, read.to);
}

std::pair<History::Rows::const_iterator, History::Rows::const_iterator> History::range(const Rows& rows, std::string_view from,
                                                                                       std::string_view to) {
  if (!to.empty() && to <= from) return {rows.end(), rows.end()};
  return {rows.lower_bound(from), to.empty() ? rows.end() : rows.lower_bound(to)};
}

std::vector<std::string> History::keys(std::string_view table, std::string_view from, std::string_view to) const {
  std::vector<std::string> keys;
  for (const Table& each : tables_) {
    if (each.name != table) continue;
    for (auto [row, last] = range(each.rows, from, to); row != last; ++row) keys.push_back(row->first);
  }
  return keys;
}

std::string History::text(std::size_t object) const {
  return tables_[objects_[object].table].name + "[" + engine::bytes_text(objects_[object].key) + "]";
}

std::uint64_t History::hash() const {
  // A sum, so that the order in which rows became known does not matter.
  std::uint64_t sum = 0;
  const auto identity = [this](std::size_t object) {
    return combine(hash64(as_bytes(tables_[objects_[object].table].name)), hash64(as_bytes(objects_[object].key)));
  };
  for (std::size_t at = 1; at < transactions_.size(); ++at) {
    const Transaction& transaction = transactions_[at];
    sum += combine(combine(hash64(as_bytes(transaction.name)), static_cast<std::uint64_t>(transaction.level)),
                   static_cast<std::uint64_t>(transaction.outcome));
  }
  for (std::size_t at = 0; at < objects_.size(); ++at) {
    std::uint64_t hash = identity(at);
    for (const Write& write : objects_[at].writes) {
      hash = combine(combine(hash, hash64(as_bytes(transactions_[write.version.transaction].name))), hash64(as_bytes(write.row)));
    }
    sum += mix64(hash);
  }
  for (const Read& read : reads_) {
    std::uint64_t hash = combine(hash64(as_bytes(transactions_[read.transaction].name)), read.range ? 1 : 0);
    if (read.range) hash = combine(combine(hash, hash64(as_bytes(read.from))), hash64(as_bytes(read.to)));
    std::uint64_t rows = 0;
    for (const Seen& each : seen(read)) rows += mix64(combine(combine(identity(each.object), each.version), each.own_write));
    sum += mix64(combine(hash, rows));
  }
  return sum;
}

std::size_t History::table_of(std::string_view name) {
  const auto known = std::find_if(tables_.begin(), tables_.end(), [&](const Table& table) { return table.name == name; });
  if (known != tables_.end()) return static_cast<std::size_t>(known - tables_.begin());
  tables_.push_back({.name = std::string(name), .rows = {}});
  return tables_.size() - 1;
}

std::size_t History::object_of(std::string_view table, std::string_view key) {
  const std::size_t number = table_of(table);
  Rows& rows = tables_[number].rows;
  if (const auto known = rows.find(key); known != rows.end()) return known->second;
  rows.emplace(key, objects_.size());
  objects_.push_back({.table = number, .key = std::string(key), .writes = {}});
  return objects_.size() - 1;
}

std::size_t History::own_write(std::uint64_t transaction, std::size_t object) const {
  const auto& writes = transactions_[transaction].writes;
  const auto own = writes.find(object);
  return own == writes.end() ? 0 : own->second.back() + 1;
}

std::size_t History::position(std::size_t object, Version version) const {
  if (version == Version{}) return 0;
  POWERCUT_ASSERT(version.transaction < transactions_.size(), "a version that is read was written");
  const auto& writes = transactions_[version.transaction].writes;
  const auto own = writes.find(object);
  POWERCUT_ASSERT(own != writes.end() && version.number >= 1 && version.number <= own->second.size(),
                  "a version that is read was written");
  return own->second[version.number - 1] + 1;
}

std::optional<std::size_t> History::latest_with(std::uint64_t reader, std::size_t object,
                                                std::optional<std::string_view> row) const {
  const std::vector<Write>& writes = objects_[object].writes;
  const bool born = !writes.empty() && writes.front().version.transaction == 0;
  const auto is = [&](std::size_t version) { return version == 0 ? !row && !born : holds(writes[version - 1], row); };
  if (const std::size_t own = own_write(reader, object); own != 0 && is(own)) return own;
  if (const std::size_t newest = visible(reader, objects_[object]); is(newest)) return newest;
  for (const bool rolled_back : {false, true}) {
    for (std::size_t version = writes.size(); version > 0; --version) {
      const bool aborted = transactions_[writes[version - 1].version.transaction].outcome == Outcome::kAborted;
      if (aborted == rolled_back && is(version)) return version;
    }
    if (is(0)) return 0;
  }
  return std::nullopt;
}

std::size_t History::visible(std::uint64_t reader, const Object& object) const {
  const auto snapshot = transactions_[reader].snapshot;
  std::size_t version = object.writes.size();
  for (; version > 0; --version) {
    const Write& write = object.writes[version - 1];
    const Transaction& writer = transactions_[write.version.transaction];
    if (snapshot ? writer.outcome == Outcome::kCommitted && writer.ended <= *snapshot && write.last
                 : writer.outcome != Outcome::kAborted) {
      break;
    }
  }
  return version;
}

void History::add_seen(Read& read, std::size_t object, std::size_t version) {
  seen_.push_back({.object = object, .version = version, .own_write = own_write(read.transaction, object)});
  ++read.count_seen;
}

}  // namespace powercut::properties
