#include "faultfs/trace.h"

#include "faultfs/hash.h"

namespace powercut::faultfs {

std::string_view to_string(OperationKind kind) {
  switch (kind) {
    case OperationKind::kOpen:
      return "open";
    case OperationKind::kCreate:
      return "create";
    case OperationKind::kRead:
      return "read";
    case OperationKind::kWrite:
      return "write";
    case OperationKind::kSync:
      return "sync";
    case OperationKind::kResize:
      return "resize";
    case OperationKind::kAllocate:
      return "allocate";
    case OperationKind::kRename:
      return "rename";
    case OperationKind::kRemove:
      return "remove";
    case OperationKind::kMakeDirectory:
      return "make directory";
    case OperationKind::kRemoveDirectory:
      return "remove directory";
    case OperationKind::kSyncDirectory:
      return "sync directory";
  }
  return "?";
}

std::string describe(const Operation& operation) {
  std::string text = operation.number == 0 ? std::string() : "#" + std::to_string(operation.number) + " ";
  text += to_string(operation.kind);
  text += " " + (operation.path.empty() ? std::string("/") : operation.path);
  switch (operation.kind) {
    case OperationKind::kRead:
    case OperationKind::kWrite:
    case OperationKind::kAllocate:
      text += " [" + std::to_string(operation.offset) + ", " + std::to_string(operation.offset + operation.length) + ")";
      break;
    case OperationKind::kResize:
      text += " to " + std::to_string(operation.length);
      break;
    case OperationKind::kRename:
      text += " to " + operation.other_path;
      break;
    default:
      break;
  }
  if (operation.error) text += ": " + std::string(to_string(*operation.error));
  return text;
}

void TraceHash::add(std::uint64_t value) { hash_ = combine(hash_, value); }

void TraceHash::add(std::string_view text) { add(hash64(as_bytes(text))); }

void TraceHash::on_operation(const Operation& operation) {
  add(operation.number);
  add(static_cast<std::uint64_t>(operation.kind));
  add(operation.path);
  add(operation.other_path);
  add(operation.offset);
  add(operation.length);
  add(operation.content);
  add(operation.error ? static_cast<std::uint64_t>(*operation.error) + 1 : 0);
}

}  // namespace powercut::faultfs
