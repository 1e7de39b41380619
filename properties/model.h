// The model: what the database must hold, and what the user was told.
//
// A State is every table with its rows in key order. `committed` holds the transactions that were acknowledged. Each session
// may have one that is open; between the call of commit and its answer it is in doubt, and a crash may leave it or not,
// independently of the others in doubt.
//
// With one session `working` is kept too: `committed` with the changes of the open transaction, which tells what each
// statement must answer. Side by side, changes of a row count in the order in which they were made, whoever was acknowledged
// first.
#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::properties {

struct ModelRow {
  std::string key;
  std::string row;
};

struct ModelTable {
  bool exists = false;
  std::vector<ModelRow> rows;  // by key

  // The first row with key >= wanted.
  std::size_t lower_bound(std::string_view wanted) const;
  const ModelRow* find(std::string_view key) const;
};

// By the workload's numbers of tables.
struct State {
  std::vector<ModelTable> tables;
  std::uint64_t hash = 0;  // of the contents, kept by Model; equal states have equal hashes
};

// One change of one row or table, enough to do it again and, once it is in a state, to undo it. A table that stops existing
// has lost its rows first, with one session; else with it.
struct Change {
  enum class Kind : unsigned char { kRow, kTable };
  Kind kind = Kind::kRow;
  std::uint32_t table = 0;
  std::string key;
  bool before_exists = false;
  bool after_exists = false;
  std::string before;
  std::string after;
  std::uint64_t order = 0;  // among the changes of all sessions
};

// What the user was told of the last transaction.
enum class Promise : unsigned char {
  kNone,     // nothing is open, or its commit was not called: it must be absent
  kInDoubt,  // its commit was called and has not returned, or has returned an error
};

// Which of the transactions in doubt are there: bit i for Model::in_doubt()[i].
using Present = std::uint32_t;

class Model {
 public:
  static constexpr std::size_t kMostSessions = 32;

  // From 1 to kMostSessions sessions.
  explicit Model(std::size_t tables, std::size_t sessions = 1);

  std::size_t sessions() const { return open_.size(); }
  const State& committed() const { return committed_; }
  // Of a model with one session.
  const State& working() const { return working_; }
  Promise promise(std::size_t session = 0) const { return open_[session].promise; }
  // Identifies the transaction that is open in a session, or that will be next.
  std::uint64_t transaction(std::size_t session = 0) const { return open_[session].transaction; }
  // The sessions whose transactions are in doubt, in order.
  std::vector<std::size_t> in_doubt() const;
  // What is there if these of the transactions in doubt are.
  const State& with(Present present) const;
  // What a session's open transaction finds if all in doubt are there: they may have given up their locks already.
  State seen_by(std::size_t session) const;
  // What is expected after a crash: equal models have equal hashes.
  std::uint64_t hash() const;
  // The changes of a session's open transaction.
  const std::vector<Change>& changes(std::size_t session) const { return open_[session].changes; }
  // The changes of each acknowledged transaction that made any, in order; kept for classification.
  const std::vector<std::vector<Change>>& history() const { return history_; }
  // Changes that were undone or never committed, in order.
  const std::vector<Change>& abandoned() const { return abandoned_; }

  // The model, with so many sessions, of the database as a recovery left it.
  Model recovered(Present present, std::size_t sessions = 1) const;
  // The same, for an engine that may yet lose more of what was acknowledged. Of a model with one session.
  Model continued(Present present) const;
  // Only these of the acknowledged transactions ever were. Of a model with one session.
  Model with_only(const std::vector<bool>& kept) const;
  // Nothing is open, and the last acknowledged transaction never was. There must be one.
  Model without_last() const;

  void put(std::uint32_t table, std::string_view key, std::string_view row, std::size_t session = 0);
  void erase(std::uint32_t table, std::string_view key, std::size_t session = 0);
  void create_table(std::uint32_t table, std::size_t session = 0);
  void drop_table(std::uint32_t table, std::size_t session = 0);

  std::size_t mark(std::size_t session = 0) const { return open_[session].changes.size(); }
  void undo_to(std::size_t mark, std::size_t session = 0);

  void commit_called(std::size_t session = 0);
  void acknowledged(std::size_t session = 0);
  void rolled_back(std::size_t session = 0);

 private:
  struct Open {
    std::uint64_t transaction = 0;
    std::vector<Change> changes;
    Promise promise = Promise::kNone;
  };
  // When the newest change that is in a state was made, by row.
  using Orders = std::map<std::pair<std::uint32_t, std::string>, std::uint64_t>;

  bool alone() const { return open_.size() == 1; }
  State with_changes(std::vector<Change> changes) const;
  static void apply(State& state, const Change& change, bool forward);
  static void reapply(State& state, Change& change);
  static void apply_in_order(State& state, Orders& orders, std::vector<Change>& changes);
  static void change_table(State& state, const Orders& orders, Change& change);
  void record(Change change, std::size_t session);
  void next_transaction(Open& open);

  State committed_;
  State working_;
  std::vector<Open> open_;  // by session
  Orders orders_;           // of committed_, side by side
  mutable std::vector<std::pair<Present, State>> with_;
  std::vector<std::vector<Change>> history_;
  std::vector<Change> abandoned_;
  std::uint64_t next_transaction_ = 0;
  std::uint64_t next_order_ = 1;
};

}  // namespace powercut::properties
