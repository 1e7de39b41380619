#include "engine/ledger/database.h"

namespace powercut::ledger {
namespace {
constexpr std::uint64_t kSegmentsBetweenCheckpoints = 16;
}  // namespace

Result<std::unique_ptr<engine::Session>> LedgerDatabase::new_session() {
  return std::unique_ptr<engine::Session>(std::make_unique<LedgerSession>(*this));
}

Result<std::vector<std::string>> LedgerDatabase::tables() {
  std::vector<std::string> names;
  POWERCUT_TRYV(BTree(*core_->store, kCatalogueRoot).scan({}, {}, [&](std::string_view name, std::string_view) {
    names.emplace_back(name);
    return true;
  }));
  return names;
}

Result<void> LedgerDatabase::checkpoint() {
  if (core_->failure) return *core_->failure;
  return checkpointer_(*core_, CheckpointExtent::kFuzzy);
}

Result<void> LedgerDatabase::close() {
  if (core_->failure) return *core_->failure;
  if (!core_->active.empty()) return Error(ErrorCode::kInvalidArgument, "close: a transaction is open");
  return checkpointer_(*core_, CheckpointExtent::kEverything);
}

Result<void> LedgerDatabase::checkpoint_if_due() {
  const std::uint64_t grown = core_->log.end() - core_->store->checkpoint_begin();
  if (grown < kSegmentsBetweenCheckpoints * core_->control.record().segment_bytes) return success();
  return checkpointer_(*core_, CheckpointExtent::kFuzzy);
}

}  // namespace powercut::ledger
