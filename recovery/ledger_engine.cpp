#include "recovery/ledger_engine.h"

#include "engine/ledger/database.h"
#include "faultfs/hash.h"
#include "recovery/checkpoint.h"
#include "recovery/log_text.h"
#include "recovery/redo.h"
#include "recovery/undo.h"

#include <utility>
#include <vector>

namespace powercut::recovery {
namespace {

using faultfs::FileSystem;
using faultfs::OpenMode;
using ledger::Core;
using ledger::Lsn;
using ledger::Memory;
using ledger::Page;
using ledger::PageId;
using ledger::PageType;

// Removes what an attempt to make the database left behind when the power failed.
Result<void> remove_leftovers(Core& core) {
  POWERCUT_TRY(const auto entries, core.files.list(core.directory));
  for (const auto& entry : entries) {
    const bool ours =
        entry.name == ledger::kDataName || entry.name == ledger::kControlTemporaryName || ledger::segment_of_name(entry.name) != 0;
    if (ours && !entry.is_directory) POWERCUT_TRYV(core.files.remove(core.path(entry.name)));
  }
  return success();
}

Result<void> write_first_pages(Core& core) {
  POWERCUT_TRY(auto data, core.files.open(core.path(ledger::kDataName), OpenMode::kCreate));
  std::vector<byte> bytes(2 * ledger::kPageBytes);
  Page meta(bytes.data());
  meta.format(ledger::kMetaPage, PageType::kMeta);
  meta.set_page_count(2);
  meta.set_checksum();
  Page catalogue(bytes.data() + ledger::kPageBytes);
  catalogue.format(ledger::kCatalogueRoot, PageType::kLeaf);
  catalogue.set_checksum();
  POWERCUT_TRYV(write_full(*data, 0, bytes));
  return data->sync(faultfs::SyncKind::kFull);
}

// The control file comes last: until it is there under its name, there is no database.
Result<void> create(Core& core) {
  POWERCUT_TRY(const bool exists, core.files.exists(core.directory));
  if (!exists) POWERCUT_TRYV(core.files.make_directory(core.directory));
  // Also if it exists: whoever made it may have died before its name was durable.
  const bool synced = !core.options.defects.database_name_unsynced;
  if (synced) POWERCUT_TRYV(core.files.sync_directory(faultfs::parent_of(core.directory)));
  POWERCUT_TRYV(remove_leftovers(core));
  ledger::ControlRecord record;
  record.database_id = hash64(as_bytes(core.directory));
  record.segment_bytes = core.options.segment_bytes;
  core.control.prepare(record);
  POWERCUT_TRYV(write_first_pages(core));
  POWERCUT_TRYV(core.log.create());
  POWERCUT_TRYV(core.control.create());
  return core.open_data(OpenMode::kReadWrite, ledger::Log::first_lsn(record.segment_bytes));
}

Result<void> recover(Core& core, const engine::Narrator* narrator) {
  POWERCUT_TRY(const RedoResult redone, analyse_and_redo(core, narrator));
  POWERCUT_TRYV(undo_losers(core, redone.losers, narrator));
  if (!core.options.defects.redone_log_released) return success();
  return core.control.checkpointed(core.control.record().checkpoint, core.log.end());
}

class LedgerEngine final : public engine::Engine {
 public:
  explicit LedgerEngine(ledger::Options options) : options_(options) {}

  engine::Guarantee guarantee(const faultfs::PersistenceModel& /*model*/) const override {
    engine::Guarantee all;
    all.source = "docs/ARCHITECTURE.md: every promise, in every mode";
    return all;
  }

  Result<std::unique_ptr<engine::Database>> open(FileSystem& files, std::string_view directory,
                                                 const engine::Surroundings& surroundings) override;

  void give_back(std::unique_ptr<Memory> memory) { free_.push_back(std::move(memory)); }

 private:
  ledger::Options options_;
  std::vector<std::unique_ptr<Memory>> free_;
};

// A database that returns its memory to the engine.
class Lease final : public engine::Database {
 public:
  Lease(LedgerEngine& engine, std::unique_ptr<Memory> memory) : engine_(engine), memory_(std::move(memory)) {}
  ~Lease() override {
    database_.reset();
    core_.reset();
    engine_.give_back(std::move(memory_));
  }

  Result<void> open(FileSystem& files, std::string_view directory, const ledger::Options& options,
                    const engine::Surroundings& surroundings) {
    core_ = std::make_unique<Core>(files, std::string(directory), options, *memory_, surroundings.scheduler);
    POWERCUT_TRY(const bool exists, core_->control.read());
    if (exists) {
      POWERCUT_TRYV(recover(*core_, surroundings.narrator));
    } else {
      POWERCUT_TRYV(create(*core_));
    }
    database_.emplace(std::move(core_), recovery::checkpoint);
    return success();
  }

  Result<std::unique_ptr<engine::Session>> new_session() override { return database_->new_session(); }
  Result<std::vector<std::string>> tables() override { return database_->tables(); }
  Result<void> checkpoint() override { return database_->checkpoint(); }
  Result<void> close() override { return database_->close(); }

 private:
  LedgerEngine& engine_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<Core> core_;
  std::optional<ledger::LedgerDatabase> database_;
};

Result<std::unique_ptr<engine::Database>> LedgerEngine::open(FileSystem& files, std::string_view directory,
                                                             const engine::Surroundings& surroundings) {
  std::unique_ptr<Memory> memory;
  if (free_.empty()) {
    memory = std::make_unique<Memory>();
  } else {
    memory = std::move(free_.back());
    free_.pop_back();
  }
  auto lease = std::make_unique<Lease>(*this, std::move(memory));
  POWERCUT_TRYV(lease->open(files, directory, options_, surroundings));
  return std::unique_ptr<engine::Database>(std::move(lease));
}

class LedgerKind final : public engine::EngineKind {
 public:
  std::string_view name() const override { return "ledger"; }
  std::string_view summary() const override {
    return "our reference engine: ARIES recovery, B+trees, full page images, fuzzy checkpoints";
  }
  std::span<const engine::Tunable> tunables() const override { return ledger::tunables(); }
  std::span<const engine::Defect> defects() const override { return ledger::defects(); }
  std::vector<engine::Mode> modes() const override {
    return {{"default", "locks are given back when the commit is durable", {}},
            {"early-release", "locks are given back before", {{"early-release", "yes"}}}};
  }
  bool has_sessions() const override { return true; }

  Result<std::unique_ptr<engine::Engine>> make(std::span<const engine::Option> options,
                                               std::span<const std::string> defect_names) const override {
    POWERCUT_TRY(const ledger::Options parsed, ledger::parse_options(options, defect_names));
    return std::unique_ptr<engine::Engine>(std::make_unique<LedgerEngine>(parsed));
  }

  Result<void> describe_log(FileSystem& files, std::string_view directory, const engine::LineSink& line) const override {
    return write_log_as_text(files, directory, line);
  }
};

}  // namespace

std::unique_ptr<engine::EngineKind> make_ledger_kind() { return std::make_unique<LedgerKind>(); }

}  // namespace powercut::recovery
