#include "engine/ledger/database.h"

namespace powercut::ledger {
namespace {
constexpr std::uint64_t kSegmentsBetweenCheckpoints = 16;
}  // namespace

Result<std::unique_ptr<engine::Session>> LedgerDatabase::new_session() {
  return std::unique_ptr<engine::Session>(std::make_unique<LedgerSession>(*this));
}

Result<std::vector<std::string>> LedgerDatabase::tables() {
  POWERCUT_TRYV(core_->ready());
  std::vector<std::string> names;
  POWERCUT_TRYV(BTree(*core_->store, kCatalogueRoot).scan({}, {}, [&](std::string_view name, std::string_view) {
    names.emplace_back(name);
    return true;
  }));
  return names;
}

Result<void> LedgerDatabase::checkpoint() {
  // Also while a rollback waits for space: it may give log segments back.
  if (core_->log.failure()) return *core_->log.failure();
  return checkpointer_(*core_, CheckpointExtent::kFuzzy);
}

Result<void> LedgerDatabase::close() {
  POWERCUT_TRYV(core_->ready());
  if (!core_->active.empty()) return Error(ErrorCode::kInvalidArgument, "close: a transaction is open");
  return checkpointer_(*core_, CheckpointExtent::kEverything);
}

void LedgerDatabase::checkpoint_if_due() {
  const std::uint64_t grown = core_->log.end() - core_->store->checkpoint_begin();
  if (grown < kSegmentsBetweenCheckpoints * core_->control.record().segment_bytes) return;
  // If it stopped the database, whoever comes next is told; if not, it is tried again later.
  static_cast<void>(checkpointer_(*core_, CheckpointExtent::kFuzzy).has_error());
}

}  // namespace powercut::ledger
