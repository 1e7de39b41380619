// What a workload does: steps, each a whole transaction, a checkpoint or a reopening of the database, and the operations
// inside a transaction. Plain data: generated, shrunk, written to case files and interpreted: one after another
// (session_driver.h), or those of each session side by side with those of the others (side_by_side.h).
#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <string>
#include <vector>

namespace powercut::properties {

enum class OperationKind : unsigned char {
  kTransfer,     // bank: moves amount from row a to row b; fails if a would fall below zero
  kInsert,       // row a
  kUpdate,       // row a
  kPut,          // row a
  kErase,        // row a
  kGet,          // row a
  kScan,         // rows a <= key < b
  kSavepoint,    // number a
  kRollbackTo,   // number a
  kRelease,      // number a
  kCreateTable,  // the table
  kDropTable,    // the table
  kCheckpoint,   // of the database, with the transaction open

  // Of sessions side by side.
  kGetForShare,   // row a
  kGetForUpdate,  // row a
  kAudit,         // all rows: their total, which the level may promise to be what it was
  kEdit,          // UPDATE … WHERE on rows a <= key < b
  kAlterTable,    // the table, to form number a
  kOrder,         // orders: row a buys amount of item b
  kPay,           // orders: row a pays the order b, if nobody has
  kStatement,     // of a scenario file: number a of its statements
};

// The numbers mean what the kind says. `table` counts the workload's tables (0 holds the markers). `amount` determines
// the row that is written, see Workload::row.
struct Operation {
  OperationKind kind = OperationKind::kGet;
  std::uint32_t table = 1;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::int64_t amount = 0;

  friend bool operator==(const Operation&, const Operation&) = default;
};

enum class StepKind : unsigned char {
  kSetUp,        // the first transaction: makes the workload's tables and `count` rows
  kTransaction,  // the operations, then commit or rollback
  kCheckpoint,
  kReopen,  // a clean shutdown, then open
};

struct Step {
  StepKind kind = StepKind::kTransaction;
  bool commit = true;
  std::uint32_t count = 0;
  std::uint32_t session = 0;
  engine::Isolation isolation = engine::Isolation::kSerializable;  // of a transaction side by side with others
  std::vector<Operation> operations;

  friend bool operator==(const Step&, const Step&) = default;
};

using Steps = std::vector<Step>;

// The names that case files use, for example "transfer".
std::string_view to_string(OperationKind kind);
std::string_view to_string(StepKind kind);
std::string_view to_string(engine::Isolation level);
// kInvalidArgument with the names there are.
Result<engine::Isolation> isolation_level(std::string_view name);
Result<OperationKind> operation_kind(std::string_view name);
Result<StepKind> step_kind(std::string_view name);

}  // namespace powercut::properties
