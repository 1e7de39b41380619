// Workloads: which tables there are, how steps are generated from a seed, and what always holds.
//
// A workload is a rapidcheck generator of steps: gen(rc::Random(seed), size) gives the case of that seed, and its
// Shrinkable the simpler ones. The generators below draw from faultfs' own Random, seeded from rapidcheck's, so that the
// same seed gives the same case with every compiler.
#pragma once

#include "engine/engine.h"
#include "faultfs/random.h"
#include "properties/model.h"
#include "properties/step.h"

#include <rapidcheck/Gen.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// Running totals over the rows of a recovered database. Reused from one recovery to the next.
struct Tally {
  std::int64_t total = 0;
  std::uint32_t rows = 0;
  std::vector<std::uint64_t> seen;
  std::vector<std::uint64_t> matching;  // against `seen`
  std::vector<std::uint64_t> names;     // that must differ
  std::vector<std::int64_t> by_row;     // by number of the row; kNoRow where there is none
  std::string broken;

  static constexpr std::int64_t kNoRow = -1;

  void reset() {
    total = 0;
    rows = 0;
    seen.clear();
    matching.clear();
    names.clear();
    by_row.clear();
    broken.clear();
  }
};

class RecordedSession;

class Workload {
 public:
  virtual ~Workload() = default;

  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;

  // How many sessions there are at most, from 1 to Model::kMostSessions. With more than one their steps run side by side.
  virtual std::uint32_t sessions() const { return 1; }
  // One operation of a transaction side by side with others. An error ends the transaction, which is rolled back: where a
  // statement may fail and the transaction go on, the workload says so by success. See recorded_session.h.
  virtual Result<void> perform(RecordedSession& session, const Operation& operation) const;
  // Whether it can change nothing.
  virtual bool only_reads(const Operation& operation) const;
  // The rows that the first transaction inserts, where sessions work side by side: `count` of table 1, unless overridden.
  virtual Result<void> fill(RecordedSession& session, std::uint32_t count) const;

  // Table 0 is always the markers: every transaction that changes something writes a row with its own number.
  std::span<const engine::TableSchema> tables() const { return tables_; }

  // Whether the table is made by the first transaction (the others come and go by operations).
  virtual bool made_at_set_up(std::uint32_t table) const = 0;
  // The first transaction inserts rows 0..count of table 1; this is the amount of each.
  virtual std::int64_t set_up_amount(std::uint32_t row) const = 0;
  // The number of rows that a case of this size starts with.
  virtual std::uint32_t draw_count(Random& random) const = 0;

  // The key of row a, and the row that `amount` determines. Reuses the string.
  static void key(std::uint32_t a, std::string& out);
  virtual void row(std::uint32_t table, std::uint32_t a, std::int64_t amount, std::string& out) const = 0;

  // Of a scenario: how many statements there are, and each as it is written.
  virtual std::uint32_t statements() const { return 0; }
  virtual std::string statement_text(std::uint32_t /*number*/) const { return {}; }

  // One step after the first. `count` is that of the set-up step.
  virtual Step draw_step(Random& random, std::uint32_t count) const = 0;

  // What always holds: every recovered row is tallied, in key order within its table, then the end is judged. Either
  // says what is broken in tally.broken. `set_up` and `count` are of the set-up step.
  virtual void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const = 0;
  virtual void tally_end(Tally& tally, bool set_up, std::uint32_t count) const = 0;

 protected:
  explicit Workload(std::vector<engine::TableSchema> tables) : tables_(std::move(tables)) {}

  // Reads the tables after the markers and tallies them; what is broken breaks what these levels promise, from `least` on.
  Result<void> audit(RecordedSession& session, engine::Isolation least) const;
  // What is expected of statements that may find a row or not: not to find it, or to find it, is no error.
  template <class T>
  static Result<void> unless_expected(const Result<T>& answer) {
    if (answer.has_value()) return success();
    const ErrorCode code = answer.error().code();
    if (code == ErrorCode::kNotFound || code == ErrorCode::kAlreadyExists || code == ErrorCode::kConstraint) return success();
    return answer.error();
  }
  // Keys below key(a), and those of row a, end before this. Reuses the string.
  static void key_after(std::uint32_t a, std::string& out) { key(a + 1, out); }
  // The row of a key; nothing if it is none of ours.
  static std::optional<std::uint32_t> number_of(std::string_view key);

 private:
  std::vector<engine::TableSchema> tables_;
};

// All of them; they live as long as the program.
std::span<const Workload* const> workloads();
// Those with one session: bank, kv and savepoints.
std::span<const Workload* const> workloads_alone();

// kInvalidArgument with the names there are.
Result<const Workload*> find_workload(std::string_view name);

// How many steps follow the set-up: at least 1. And the level of all transactions side by side; each draws its own if none is
// given.
struct StepCount {
  std::uint32_t least = 1;
  std::uint32_t most = 16;
  std::optional<engine::Isolation> isolation = std::nullopt;
};

// Given steps with the simpler ones that they shrink to.
rc::Shrinkable<Steps> shrinkable(Steps steps);

// The generator of a workload's cases.
rc::Gen<Steps> steps_of(const Workload& workload, StepCount count);

// The case of a seed.
rc::Shrinkable<Steps> steps_of_seed(const Workload& workload, std::uint64_t seed, StepCount count);

// The marker table's schema, the first of every workload.
engine::TableSchema marker_schema();
// The key of a transaction's marker; markers sort by transaction. Reuses the string.
void marker_key(std::uint64_t transaction, std::string& out);

// One operation as people read it, for example "transfer 50 from accounts[3] to accounts[7]".
std::string describe(const Workload& workload, const Operation& operation);
std::string describe(const Workload& workload, const Step& step);

}  // namespace powercut::properties
