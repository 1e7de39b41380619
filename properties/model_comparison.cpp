#include "properties/model_comparison.h"

#include "engine/row.h"
#include "properties/session_driver.h"

#include <algorithm>
#include <utility>

namespace powercut::properties {
namespace {

constexpr std::size_t kMostDifferences = 12;

}  // namespace

std::string place_text(const Workload& workload, std::uint32_t table, std::string_view key) {
  return workload.tables()[table].name + "[" + engine::bytes_text(key) + "]";
}

std::optional<Violation> ModelComparison::compare(engine::Database& database, engine::Session& session, const Promised& promised,
                                                  std::optional<Present>& found) {
  const Model& model = promised.model;
  read_error_.reset();
  const auto unreadable = [&](const State& state, const Error& error) {
    if (is_disk_failure(error.code())) read_error_ = error.code();
    return explain(session, promised, state, error.message());
  };
  if (!found) {
    found = 0;
    Present bit = 1;
    for (const std::size_t in_doubt : model.in_doubt()) {
      marker_key(model.transaction(in_doubt), key_);
      const auto there = session.get(workload_.tables()[0].name, key_, row_);
      if (there.has_error() && is_disk_failure(there.error().code())) return unreadable(model.committed(), there.error());
      if (there.has_value() && there.value()) *found |= bit;
      bit <<= 1U;
    }
  }
  const State& state = model.with(*found);

  // Every row, side by side with the model's.
  tally_.reset();
  std::size_t existing = 0;
  for (std::uint32_t table = 0; table < state.tables.size(); ++table) {
    const ModelTable& expected = state.tables[table];
    if (!expected.exists) continue;
    ++existing;
    struct Walk {
      const ModelRow* next;
      const ModelRow* end;
      std::uint32_t table;
      const Workload& workload;
      Tally& tally;
      bool same;
    } walk{expected.rows.data(), expected.rows.data() + expected.rows.size(), table, workload_, tally_, true};
    const auto scanned = session.scan(workload_.tables()[table].name, {}, {}, [&walk](std::string_view key, std::string_view row) {
      walk.workload.tally_row(walk.tally, walk.table, key, row);
      if (walk.next == walk.end || walk.next->key != key || walk.next->row != row) return walk.same = false;
      ++walk.next;
      return true;
    });
    if (scanned.has_error()) return unreadable(state, scanned.error());
    if (!walk.same || walk.next != walk.end) return explain(session, promised, state, {});
  }
  const auto tables = database.tables();
  if (tables.has_error()) return unreadable(state, tables.error());
  if (tables.value().size() != existing) return explain(session, promised, state, {});

  const bool set_up = state.tables[0].exists;
  workload_.tally_end(tally_, set_up, promised.set_up.count);
  if (!tally_.broken.empty()) return Violation{Oracle::kConsistent, tally_.broken, {}};
  outcome_ = state.hash;
  if (promised.judge != nullptr) return (*promised.judge)(*found);
  return std::nullopt;
}

// Finds out which promise is broken. Slow: it reads everything again.
Violation ModelComparison::explain(engine::Session& session, const Promised& promised, const State& state, std::string_view why) {
  Violation violation;
  const Model& model = promised.model;
  std::string missing;   // acknowledged transactions whose markers are not there
  std::string unwanted;  // transactions that should not be there
  bool undone_value = false;
  bool older_value = false;
  bool damaged = false;

  tally_.reset();
  const auto note = [&](std::string line) {
    if (violation.differences.size() < kMostDifferences) violation.differences.push_back(std::move(line));
  };
  // Whether a change once made, or unmade, this row look like what was found.
  const auto was = [](const Change& change, std::uint32_t table, std::string_view key, bool there, std::string_view row,
                      bool after) {
    if (change.kind != Change::Kind::kRow || change.table != table || change.key != key) return false;
    return after ? change.after_exists == there && (!there || change.after == row)
                 : change.before_exists == there && (!there || change.before == row);
  };
  const auto differs = [&](std::uint32_t table, std::string_view key, bool there, std::string_view row, const ModelRow* expected) {
    const auto& columns = workload_.tables()[table].columns;
    note(place_text(workload_, table, key) + ": expected " +
         (expected != nullptr ? engine::row_text(columns, expected->row) : "no row") + ", found " +
         (there ? engine::row_text(columns, row) : "no row"));
    if (table == 0) {
      std::string& list = there ? unwanted : missing;
      list.append(list.empty() ? "" : ", ").append(key);
      return;
    }
    for (const Change& change : model.abandoned()) undone_value = undone_value || was(change, table, key, there, row, true);
    for (const auto& changes : model.history()) {
      for (const Change& change : changes) older_value = older_value || was(change, table, key, there, row, false);
    }
  };
  for (std::uint32_t table = 0; table < state.tables.size(); ++table) {
    const ModelTable& expected = state.tables[table];
    std::size_t at = 0;
    const auto scanned = session.scan(workload_.tables()[table].name, {}, {}, [&](std::string_view key, std::string_view row) {
      workload_.tally_row(tally_, table, key, row);
      while (at < expected.rows.size() && expected.rows[at].key < key) {
        differs(table, expected.rows[at].key, false, {}, &expected.rows[at]);
        ++at;
      }
      const bool same_key = at < expected.rows.size() && expected.rows[at].key == key;
      if (!same_key) {
        differs(table, key, true, row, nullptr);
      } else {
        if (expected.rows[at].row != row) differs(table, key, true, row, &expected.rows[at]);
        ++at;
      }
      return true;
    });
    const bool not_there = scanned.has_error() && scanned.error().code() == ErrorCode::kNotFound;
    if (scanned.has_error() && !not_there) {
      damaged = true;
      note(workload_.tables()[table].name + ": " + scanned.error().message());
    } else if (not_there != !expected.exists) {
      note("table " + workload_.tables()[table].name + ": expected " + (expected.exists ? "to exist" : "not to exist") +
           ", found " + (not_there ? "none" : "it"));
      (expected.exists ? older_value : undone_value) = true;
    }
    if (!damaged) {
      for (; at < expected.rows.size(); ++at) differs(table, expected.rows[at].key, false, {}, &expected.rows[at]);
    }
  }
  workload_.tally_end(tally_, state.tables[0].exists, promised.set_up.count);

  const bool in_doubt = !model.in_doubt().empty();
  if (damaged) {
    violation.oracle = Oracle::kAlive;
    violation.summary = "the recovered database cannot be read" + (why.empty() ? std::string() : ": " + std::string(why));
  } else if (!missing.empty()) {
    violation.oracle = Oracle::kDurable;
    violation.summary = "acknowledged transactions are missing: " + missing;
  } else if (!unwanted.empty()) {
    violation.oracle = Oracle::kAtomic;
    violation.summary = "transactions are there that did not commit: " + unwanted;
  } else if (undone_value || (in_doubt && !older_value)) {
    violation.oracle = Oracle::kAtomic;
    violation.summary = in_doubt ? "the transaction in doubt is there in part" : "changes are there that were never committed";
  } else if (older_value) {
    violation.oracle = Oracle::kDurable;
    violation.summary = "changes of acknowledged transactions are missing";
  } else if (!tally_.broken.empty()) {
    violation.oracle = Oracle::kConsistent;
    violation.summary = tally_.broken;
  } else {
    violation.oracle = Oracle::kOrdered;
    violation.summary = "what is there was never the state of the database";
  }
  if (!tally_.broken.empty() && violation.oracle != Oracle::kConsistent) note("also not consistent: " + tally_.broken);
  return violation;
}

}  // namespace powercut::properties
