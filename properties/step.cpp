#include "properties/step.h"

#include <array>
#include <utility>

namespace powercut::properties {
namespace {

constexpr std::array<std::pair<OperationKind, std::string_view>, 21> kOperations{{
    {OperationKind::kTransfer, "transfer"},
    {OperationKind::kInsert, "insert"},
    {OperationKind::kUpdate, "update"},
    {OperationKind::kPut, "put"},
    {OperationKind::kErase, "erase"},
    {OperationKind::kGet, "get"},
    {OperationKind::kScan, "scan"},
    {OperationKind::kSavepoint, "savepoint"},
    {OperationKind::kRollbackTo, "rollback to"},
    {OperationKind::kRelease, "release"},
    {OperationKind::kCreateTable, "create table"},
    {OperationKind::kDropTable, "drop table"},
    {OperationKind::kCheckpoint, "checkpoint"},
    {OperationKind::kGetForShare, "get for share"},
    {OperationKind::kGetForUpdate, "get for update"},
    {OperationKind::kAudit, "audit"},
    {OperationKind::kEdit, "edit"},
    {OperationKind::kAlterTable, "alter table"},
    {OperationKind::kOrder, "order"},
    {OperationKind::kPay, "pay"},
    {OperationKind::kStatement, "statement"},
}};

constexpr std::array<std::pair<engine::Isolation, std::string_view>, 4> kLevels{{
    {engine::Isolation::kReadUncommitted, "read-uncommitted"},
    {engine::Isolation::kReadCommitted, "read-committed"},
    {engine::Isolation::kRepeatableRead, "repeatable-read"},
    {engine::Isolation::kSerializable, "serializable"},
}};

constexpr std::array<std::pair<StepKind, std::string_view>, 4> kSteps{{
    {StepKind::kSetUp, "set up"},
    {StepKind::kTransaction, "transaction"},
    {StepKind::kCheckpoint, "checkpoint"},
    {StepKind::kReopen, "reopen"},
}};

template <class Table>
auto find_kind(const Table& table, std::string_view name, std::string_view what) -> Result<typename Table::value_type::first_type> {
  for (const auto& [kind, known] : table) {
    if (known == name) return kind;
  }
  std::string message = "no " + std::string(what) + " is called '" + std::string(name) + "'; there are:";
  for (const auto& entry : table) message.append(" '").append(entry.second).append("'");
  return Error(ErrorCode::kInvalidArgument, message);
}

template <class Table, class Kind>
std::string_view find_name(const Table& table, Kind wanted) {
  for (const auto& [kind, name] : table) {
    if (kind == wanted) return name;
  }
  return "?";
}

}  // namespace

std::string_view to_string(OperationKind kind) { return find_name(kOperations, kind); }
std::string_view to_string(StepKind kind) { return find_name(kSteps, kind); }
std::string_view to_string(engine::Isolation level) { return find_name(kLevels, level); }
Result<engine::Isolation> isolation_level(std::string_view name) { return find_kind(kLevels, name, "isolation level"); }
Result<OperationKind> operation_kind(std::string_view name) { return find_kind(kOperations, name, "operation"); }
Result<StepKind> step_kind(std::string_view name) { return find_kind(kSteps, name, "step"); }

}  // namespace powercut::properties
