#include "engine/rocksdb/rocksdb_engine.h"

#include "engine/key_value/key_value.h"
#include "engine/option_values.h"
#include "engine/rocksdb/rocksdb_store.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace powercut::engine {
namespace {

constexpr std::string_view kName = "rocksdb";

const std::array<Tunable, 8>& all_tunables() {
  static const std::array<Tunable, 8> all{{
      {"wal", "whether writes go to the write-ahead log (WriteOptions::disableWAL)", "on", {"on", "off"}},
      {"sync", "whether a write waits until its log is durable (WriteOptions::sync)", "yes", {"yes", "no"}},
      {"flush", "memtables are written out when some 2 KB are full, or at checkpoints only", "automatic", {"automatic", "manual"}},
      {"recovery",
       "what becomes of a damaged log (DBOptions::wal_recovery_mode)",
       "point-in-time",
       {"point-in-time", "absolute", "tolerate-tail", "skip-corrupted"}},
      {"flush-on-recovery",
       "whether what the log gave back becomes a table at once (not DBOptions::avoid_flush_during_recovery)",
       "yes",
       {"yes", "no"},
       "no"},
      {"track-wals", "whether the manifest lists the logs (DBOptions::track_and_verify_wals_in_manifest)", "no", {"no", "yes"}},
      {"background",
       "when flushes and compactions run: after each write, or one after every eighth",
       "each-call",
       {"each-call", "lazy"}},
      {"directory-sync",
       "what RocksDB takes the file system for: on btrfs it leaves syncs of directories out",
       "always",
       {"always", "as-on-btrfs"},
       "always"},
  }};
  return all;
}

RocksOptions from_values(const std::vector<std::string>& values) {
  RocksOptions options;
  options.log = values[0] == "on";
  options.sync = values[1] == "yes";
  options.small_memtables = values[2] == "automatic";
  if (values[3] == "absolute") options.recovery = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  if (values[3] == "tolerate-tail") options.recovery = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  if (values[3] == "skip-corrupted") options.recovery = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  options.flush_on_recovery = values[4] == "yes";
  options.track_logs = values[5] == "yes";
  options.background = values[6] == "lazy" ? Background::kLazy : Background::kEachCall;
  options.directory_sync = values[7] == "always" ? DirectorySync::kAlways : DirectorySync::kAsOnBtrfs;
  return options;
}

// rocksdb/options.h of 7.8, in its words; the wiki pages "Basic Operations" (Synchronous Writes, Atomic Updates) and "WAL
// Recovery Modes" say the same.
Guarantee guarantee_of(const RocksOptions& options, const faultfs::PersistenceModel& model) {
  Guarantee promised;
  // It leaves those syncs out where it finds itself on btrfs, and promises nothing of other file systems that it takes for it.
  const bool syncs_names = model.fsync_makes_new_name_durable || model.fsync_makes_all_metadata_durable;
  if (options.directory_sync == DirectorySync::kAsOnBtrfs && !syncs_names) {
    return {false, false, false,
            false, false, "env/io_posix.cc: only btrfs is known to need no sync of a directory for a new file"};
  }
  promised.source = "rocksdb/options.h: WriteOptions::sync; WALRecoveryMode";
  // "a DB write with sync==true has similar crash semantics to a "write()" system call followed by "fdatasync()"";
  // "If this flag is false, and the machine crashes, some recent writes may be lost."
  promised.durable = options.log && options.sync;
  // "the write may get lost after a crash" (WriteOptions::disableWAL)
  if (!options.log) promised.source = "rocksdb/options.h: WriteOptions::disableWAL; WALRecoveryMode";
  switch (options.recovery) {
    case rocksdb::WALRecoveryMode::kPointInTimeRecovery:
      // "Recover to point-in-time consistency (default). We stop the WAL playback on discovering WAL inconsistency"
      break;
    case rocksdb::WALRecoveryMode::kAbsoluteConsistency:
      // "Recover from clean shutdown. We don't expect to find any corruption in the WAL."
      promised.recovers = false;
      break;
    case rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords:
      // "We tolerate the last record in any log to be incomplete due to a crash while writing it." "in case a corruption is
      // detected during recovery, this mode will refuse to open the DB."
      promised.recovers = false;
      break;
    case rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords:
      // "Recovery after a disaster. We ignore any corruption in the WAL and try to salvage as much data as possible": of batches
      // nothing is said, and the rows of one may be of a table that an earlier one, lost, had made.
      promised.ordered = false;
      promised.atomic = false;
      break;
  }
  return promised;
}

class RocksKind final : public EngineKind {
 public:
  std::string_view name() const override { return kName; }
  std::string_view summary() const override { return "RocksDB: a log-structured merge tree with a write-ahead log"; }
  std::span<const Tunable> tunables() const override { return all_tunables(); }

  std::vector<Mode> modes() const override {
    // All options that what is promised depends on; the others are drawn where a mode is run at random.
    const auto mode = [](std::string_view name, std::string_view summary, std::vector<Option> other) {
      std::vector<Option> all{
          {"wal", "on"}, {"sync", "yes"}, {"recovery", "point-in-time"}, {"track-wals", "no"}, {"directory-sync", "always"}};
      for (const Option& option : other) {
        std::find_if(all.begin(), all.end(), [&](const Option& each) { return each.name == option.name; })->value = option.value;
      }
      return Mode{name, summary, std::move(all)};
    };
    return {
        mode("sync", "each write is synced", {}),
        mode("sync-track-wals", "as sync, and the manifest lists the logs", {{"track-wals", "yes"}}),
        mode("sync-absolute", "as sync, but a damaged log is not opened", {{"recovery", "absolute"}}),
        mode("sync-tolerate-tail", "as sync, but a log damaged before its tail is not opened", {{"recovery", "tolerate-tail"}}),
        mode("sync-skip-corrupted", "as sync, and what is damaged in a log is skipped", {{"recovery", "skip-corrupted"}}),
        mode("sync-on-btrfs", "as sync, with the syncs of directories that RocksDB does on btrfs",
             {{"directory-sync", "as-on-btrfs"}}),
        mode("nosync", "writes are not synced", {{"sync", "no"}}),
        mode("nosync-tolerate-tail", "as nosync, but a log damaged before its tail is not opened",
             {{"sync", "no"}, {"recovery", "tolerate-tail"}}),
        mode("nosync-skip-corrupted", "as nosync, and what is damaged in a log is skipped",
             {{"sync", "no"}, {"recovery", "skip-corrupted"}}),
        mode("wal-off", "no write-ahead log: durable is what was flushed", {{"wal", "off"}}),
    };
  }

  Result<std::unique_ptr<Engine>> make(std::span<const Option> options, std::span<const std::string> defects) const override {
    POWERCUT_TRYV(refuse_defects(kName, defects));
    POWERCUT_TRY(const auto values, option_values(kName, all_tunables(), options));
    const RocksOptions chosen = from_values(values);
    return key_value_engine(
        [chosen, prepared = RocksStore::database_options(chosen)](faultfs::FileSystem& files, std::string_view directory) {
          return RocksStore::open(chosen, prepared, files, directory);
        },
        [chosen](const faultfs::PersistenceModel& model) { return guarantee_of(chosen, model); });
  }
};

}  // namespace

std::unique_ptr<EngineKind> make_rocksdb_kind() { return std::make_unique<RocksKind>(); }

}  // namespace powercut::engine
