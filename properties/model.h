// The model: what the database must hold, and what the user was told.
//
// A State is every table with its rows in key order. The model keeps two: `committed`, the transactions that were
// acknowledged, and `working`, the same with the changes of the transaction that is open. Between the call of commit and
// its answer the transaction is in doubt, and a crash may leave either.
#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <string>
#include <string_view>
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

// One change of one row or table, enough to do it again and to undo it.
struct Change {
  enum class Kind : unsigned char { kRow, kTable };
  Kind kind = Kind::kRow;
  std::uint32_t table = 0;
  std::string key;
  bool before_exists = false;
  bool after_exists = false;
  std::string before;
  std::string after;
};

// What the user was told of the last transaction.
enum class Promise : unsigned char {
  kNone,     // nothing is open, or its commit was not called: it must be absent
  kInDoubt,  // its commit was called and has not returned, or has returned an error
};

class Model {
 public:
  explicit Model(std::size_t tables);

  const State& committed() const { return committed_; }
  const State& working() const { return working_; }
  Promise promise() const { return promise_; }
  // Identifies the transaction that is open, or that will be next.
  std::uint64_t transaction() const { return transaction_; }
  // The changes of each acknowledged transaction, in order; kept for classification.
  const std::vector<std::vector<Change>>& history() const { return history_; }
  // Changes that were undone or never committed, in order.
  const std::vector<Change>& abandoned() const { return abandoned_; }

  // The model of the database as a recovery left it, with the transaction in doubt or without it.
  Model recovered(bool with_in_doubt) const;
  // Nothing is open, and the last acknowledged transaction never was. There must be one.
  Model without_last() const;

  void put(std::uint32_t table, std::string_view key, std::string_view row);
  void erase(std::uint32_t table, std::string_view key);
  void create_table(std::uint32_t table);
  void drop_table(std::uint32_t table);

  std::size_t mark() const { return changes_.size(); }
  void undo_to(std::size_t mark);

  void commit_called() { promise_ = Promise::kInDoubt; }
  void acknowledged();
  void rolled_back();

 private:
  void apply(State& state, const Change& change, bool forward);
  void record(Change change);

  State committed_;
  State working_;
  std::vector<Change> changes_;
  std::vector<std::vector<Change>> history_;
  std::vector<Change> abandoned_;
  Promise promise_ = Promise::kNone;
  std::uint64_t transaction_ = 0;
};

}  // namespace powercut::properties
