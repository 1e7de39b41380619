#include "engine/ledger/database.h"

#include "faultfs/assert.h"

namespace powercut::ledger {
namespace {
constexpr std::uint64_t kSegmentsBetweenCheckpoints = 16;
}  // namespace

LedgerDatabase::LedgerDatabase(std::unique_ptr<Core> core, Checkpointer checkpointer)
    : core_(std::move(core)),
      checkpointer_(std::move(checkpointer)),
      checkpointing_(core_->scheduler, "the checkpoint that is under way") {}

LedgerDatabase::~LedgerDatabase() {
  const bool over = checkpointing_.wait().has_value();
  POWERCUT_ASSERT(over, "a database over files that suspend fibers does not end in a fiber that was stopped");
}

Result<std::unique_ptr<engine::Session>> LedgerDatabase::new_session() {
  return std::unique_ptr<engine::Session>(std::make_unique<LedgerSession>(*this));
}

Result<std::vector<std::string>> LedgerDatabase::tables() {
  POWERCUT_TRY(const auto turn, core_->latch.enter());
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
  return run_checkpoint(CheckpointExtent::kFuzzy);
}

Result<void> LedgerDatabase::close() {
  {
    POWERCUT_TRY(const auto turn, core_->latch.enter());
    POWERCUT_TRYV(core_->ready());
    if (!core_->active.empty()) return Error(ErrorCode::kInvalidArgument, "close: a transaction is open");
  }
  return run_checkpoint(CheckpointExtent::kEverything);
}

// One after the other.
Result<void> LedgerDatabase::run_checkpoint(CheckpointExtent extent) {
  POWERCUT_TRYV(checkpointing_.wait());
  const Busy::Doing doing(checkpointing_);
  POWERCUT_TRY(const auto turn, core_->latch.enter());
  if (core_->log.failure()) return *core_->log.failure();
  return checkpointer_(*core_, extent);
}

void LedgerDatabase::checkpoint_if_due() {
  const std::uint64_t grown = core_->log.end() - core_->store->checkpoint_begin();
  if (grown < kSegmentsBetweenCheckpoints * core_->control.record().segment_bytes || checkpointing_.under_way()) return;
  // If it stopped the database, whoever comes next is told; if not, it is tried again later.
  const auto run = [this, doing = std::make_shared<Busy::Doing>(checkpointing_)] {
    const auto turn = core_->latch.enter();
    if (turn.has_value()) static_cast<void>(checkpointer_(*core_, CheckpointExtent::kFuzzy).has_error());
  };
  if (core_->suspends() && core_->scheduler->in_fiber()) {
    core_->scheduler->spawn("checkpoint", run);
  } else {
    run();
  }
}

}  // namespace powercut::ledger
