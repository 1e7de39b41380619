// A scenario: tables, named sessions, and what they do in which order, with power failures in between; written by people
// as lines of text (docs/SCENARIOS.md), here as plain data. scenario_runner.h runs it.
#pragma once

#include "engine/engine.h"
#include "faultfs/persistence_model.h"
#include "properties/scenario_tables.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// Counted from 1; columns in bytes.
struct TextPlace {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

enum class Comparison : unsigned char { kEqual, kNotEqual, kLess, kAtMost, kMore, kAtLeast };

// COLUMN op VALUE. Of the key column the value is a text: the bytes of the key.
struct Condition {
  std::string column;
  Comparison comparison = Comparison::kEqual;
  Literal value;
};

// What an UPDATE gives a column: `from` plus `number`, or where there is no `from`, `value`.
struct Assignment {
  std::string column;
  std::string from;
  std::int64_t number = 0;
  Literal value;
};

enum class StatementKind : unsigned char {
  kBegin,   // level, if there is one
  kCommit,  // unless_failed
  kRollback,
  kSavepoint,     // name
  kRollbackTo,    // name
  kRelease,       // name
  kRead,          // table, key, lock
  kScan,          // table, from, to, where
  kSum,           // table, column, where
  kInsert,        // table, key, values
  kPut,           // table, key, values
  kUpdate,        // table, assignments, where
  kDelete,        // table, where
  kCreateTable,   // table, definition
  kDropTable,     // table
  kAlterTable,    // table, alteration
  kSetIsolation,  // level
  kSetLockLimit,  // milliseconds
};

struct Statement {
  StatementKind kind = StatementKind::kCommit;
  std::string text;  // as it is written
  std::optional<engine::Isolation> level;
  engine::RowLock lock = engine::RowLock::kNone;
  std::uint64_t milliseconds = 0;
  bool unless_failed = false;  // a rollback if a statement of the transaction had an error
  std::string name;
  std::string table;
  std::string column;
  std::string key;   // its bytes, as those of `from` and `to`
  std::string from;  // from <= key
  std::string to;    // key < to; empty: to the end
  std::vector<Literal> values;
  std::vector<Condition> where;  // all of them
  std::vector<Assignment> assignments;
  TableDefinition definition;
  TableAlteration alteration;
};

// The rows of a table as one writes them down.
struct WrittenRow {
  std::string key;
  std::vector<Literal> values;
};

enum class ScenarioLineKind : unsigned char {
  kSetUp,    // statements, by nobody in particular
  kSession,  // session, statements
  kCheckpoint,
  kCrash,            // now
  kCrashAfterSync,   // number: the power fails when so many syncs from here on have taken effect
  kCrashBeforeSync,  // number: … when the last of so many is about to
  kLoseAll,
  kKeepAll,
  kLose,  // name: of a file
  kRecover,
  kExpectRows,     // name: of the table, rows
  kExpectNoTable,  // name
  kExpectError,    // session, error: its last statement failed so
  kExpectWaits,    // session
};

// A line that does something.
struct ScenarioLine {
  ScenarioLineKind kind = ScenarioLineKind::kSession;
  TextPlace place;
  std::string session;
  std::vector<Statement> statements;
  std::string name;
  std::uint32_t number = 0;
  std::vector<WrittenRow> rows;
  ErrorCode error = ErrorCode::kNotFound;
};

// The sum of a column of integers is always so much.
struct SumInvariant {
  Statement sum;
  std::int64_t total = 0;
};

struct ScenarioOption {
  engine::Option option;
  TextPlace place;
};

struct Scenario {
  std::string name;                 // of the file, for messages
  std::vector<std::string> source;  // all lines as they are written
  std::vector<ScenarioOption> options;
  faultfs::PersistenceModel model;
  std::vector<SumInvariant> invariants;
  std::vector<ScenarioLine> lines;
};

inline constexpr std::size_t kMostScenarioBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kMostScenarioNames = 100;         // tables, sessions, and columns of a table: so many of each
inline constexpr std::uint32_t kMostScenarioRecoveries = 100;  // each disk is laid over the one that crashed
inline constexpr std::size_t kMostScenarioNameBytes = 64;
inline constexpr std::int64_t kMostScenarioNumber = 1'000'000'000'000;  // also below zero

// Total: arbitrary bytes give a scenario or kInvalidArgument, "NAME:LINE:COLUMN: expected …, found '…'".
Result<Scenario> parse_scenario(std::string_view text, std::string_view name);

}  // namespace powercut::properties
