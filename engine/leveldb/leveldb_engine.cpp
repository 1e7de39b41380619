#include "engine/leveldb/leveldb_engine.h"

#include "engine/key_value/key_value.h"
#include "engine/leveldb/leveldb_store.h"
#include "engine/option_values.h"

#include <array>
#include <utility>

namespace powercut::engine {
namespace {

const std::array<Tunable, 5> kTunables{{
    {"sync", "each write with WriteOptions::sync", "yes", {"yes", "no"}},
    {"reuse-logs", "an opened database appends to its MANIFEST and log instead of beginning new ones", "no", {"no", "yes"}},
    {"paranoid-checks", "an error where LevelDB would drop what it cannot read", "no", {"no", "yes"}},
    {"verify-checksums", "each read with ReadOptions::verify_checksums", "no", {"no", "yes"}},
    {"background",
     "when flushes and compactions get their turn: before the call that asked for them returns, before the next, or late",
     "next-call",
     {"next-call", "at-once", "late"}},
}};
enum : std::size_t { kSync, kReuseLogs, kParanoidChecks, kVerifyChecksums, kBackground };

constexpr std::size_t kLeastBytes = 1;  // LevelDB takes the least that it can do with instead

LevelDbBackground background(std::string_view value) {
  if (value == "at-once") return LevelDbBackground::kAtOnce;
  return value == "late" ? LevelDbBackground::kLate : LevelDbBackground::kNextCall;
}

// Everything as small as it gets, so that a little work makes flushes and compactions. Tables are not compressed, which would
// only cost time.
LevelDbSettings settings_of(const std::vector<std::string>& values) {
  LevelDbSettings settings;
  settings.options.create_if_missing = true;
  settings.options.write_buffer_size = kLeastBytes;
  settings.options.max_file_size = kLeastBytes;
  settings.options.block_size = kLeastBytes;
  settings.options.compression = leveldb::kNoCompression;
  settings.options.reuse_logs = values[kReuseLogs] == "yes";
  settings.options.paranoid_checks = values[kParanoidChecks] == "yes";
  settings.write.sync = values[kSync] == "yes";
  settings.read.verify_checksums = values[kVerifyChecksums] == "yes";
  settings.background = background(values[kBackground]);
  return settings;
}

// LevelDB 1.23, doc/index.md.
//   "Synchronous Writes": "The sync flag can be turned on for a particular write to make the write operation not return until
//   the data being written has been pushed all the way to persistent storage. […] The downside of asynchronous writes is that a
//   crash of the machine may cause the last few updates to be lost."
//   "Atomic Updates": "the WriteBatch class to atomically apply a set of updates".
//   "Checksums": "By default, paranoid checking is off so that the database can be used even if parts of its persistent storage
//   have been corrupted"; with it "perhaps it cannot be opened".
// include/leveldb/options.h says of reuse_logs only that it is experimental.
Guarantee guarantee_of(const LevelDbSettings& settings) {
  Guarantee guarantee;
  guarantee.source = "LevelDB doc/index.md, Synchronous Writes: \"pushed all the way to persistent storage\"";
  if (!settings.write.sync) {
    guarantee.durable = false;
    guarantee.source = "LevelDB doc/index.md, Synchronous Writes: \"the last few updates\" may \"be lost\"";
  }
  if (settings.options.paranoid_checks) {
    guarantee.recovers = false;
    guarantee.source = "LevelDB doc/index.md, Synchronous Writes, and Checksums: \"perhaps it cannot be opened\"";
  }
  return guarantee;
}

class LevelDbKind final : public EngineKind {
 public:
  std::string_view name() const override { return "leveldb"; }
  std::string_view summary() const override { return "LevelDB, through an Env that does what its own for POSIX does"; }
  std::span<const Tunable> tunables() const override { return kTunables; }

  std::vector<Mode> modes() const override {
    const auto mode = [](std::string_view name, std::string_view summary, std::string sync, std::string reuse,
                         std::string paranoid) {
      return Mode{
          name, summary, {{"sync", std::move(sync)}, {"reuse-logs", std::move(reuse)}, {"paranoid-checks", std::move(paranoid)}}};
    };
    return {mode("sync", "each write is synced", "yes", "no", "no"),
            mode("nosync", "no write is synced, as LevelDB does by itself", "no", "no", "no"),
            mode("sync-reuse-logs", "each write is synced, logs go on after a reopening", "yes", "yes", "no"),
            mode("sync-paranoid", "each write is synced, and what cannot be read is an error", "yes", "no", "yes")};
  }

  Result<std::unique_ptr<Engine>> make(std::span<const Option> options, std::span<const std::string> defects) const override {
    POWERCUT_TRYV(refuse_defects(name(), defects));
    POWERCUT_TRY(const auto values, option_values(name(), kTunables, options));
    const auto settings = std::make_shared<const LevelDbSettings>(settings_of(values));
    const auto shared = std::make_shared<LevelDbShared>();
    return key_value_engine(
        [settings, shared](faultfs::FileSystem& files, std::string_view directory) {
          return open_leveldb(files, directory, *settings, *shared);
        },
        [settings](const faultfs::PersistenceModel&) { return guarantee_of(*settings); });
  }
};

}  // namespace

std::unique_ptr<EngineKind> make_leveldb_kind() { return std::make_unique<LevelDbKind>(); }

}  // namespace powercut::engine
