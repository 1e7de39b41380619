#include "engine/lmdb/lmdb_engine.h"

#include "engine/key_value/key_value.h"
#include "engine/lmdb/lmdb_options.h"
#include "engine/lmdb/lmdb_store.h"
#include "engine/option_values.h"

#include <array>
#include <charconv>

namespace powercut::engine {
namespace {

using faultfs::DataOrder;
using faultfs::PersistenceModel;

const std::array kTunables{
    Tunable{"sync",
            "what a commit waits for: pages and meta page, pages only, or nothing",
            "default",
            {"default", "nometasync", "nosync"},
            "default"},
    Tunable{"map",
            "how pages are written: by pwrite, through the mapping, or through it with asynchronous msync",
            "readonly",
            {"readonly", "writemap", "writemap-mapasync"},
            "readonly"},
    Tunable{"creation",
            "who makes the data file: LMDB alone, or a user who makes it durable before it is used",
            "lmdb",
            {"lmdb", "prepared"},
            "lmdb"},
    Tunable{"mapsize", "the size of the mapping, which the database cannot outgrow (MiB)", "1", {"1", "4"}, "1"},
};
enum At : unsigned char { kSync, kMap, kCreation, kMapsize };

// lmdb.h of 0.9.24, by what it says in the documentation of mdb_env_open, and in its introduction.
Guarantee promises(const LmdbOptions& options, const PersistenceModel& model) {
  const bool writemap = (options.flags & MDB_WRITEMAP) != 0;
  const bool asynchronous = writemap && (options.flags & MDB_MAPASYNC) != 0;
  if ((options.flags & MDB_NOSYNC) != 0 || asynchronous) {
    // "a system crash can then corrupt the database or lose the last transactions"
    Guarantee none{false,
                   false,
                   false,
                   false,
                   false,
                   asynchronous ? "lmdb.h, mdb_env_open, MDB_MAPASYNC: \"a system crash can then corrupt the database\""
                                : "lmdb.h, mdb_env_open, MDB_NOSYNC: \"a system crash can corrupt the database\""};
    // "However, if the filesystem preserves write order and the MDB_WRITEMAP flag is not used, transactions exhibit ACI
    // (atomicity, consistency, isolation) properties and only lose D (durability)." A file whose writes are ordered, but not
    // its size beside them, does not preserve write order.
    if (writemap || model.data_order != DataOrder::kEverything) return none;
    return {true,
            false,
            true,
            true,
            true,
            "lmdb.h, mdb_env_open, MDB_NOSYNC: \"if the filesystem preserves write order and the MDB_WRITEMAP flag is not used, "
            "transactions exhibit ACI properties and only lose D\""};
  }
  // "maintains database integrity, but a system crash may undo the last committed transaction. I.e. it preserves the ACI
  // (atomicity, consistency, isolation) but not D (durability) database property."
  if ((options.flags & MDB_NOMETASYNC) != 0) {
    return {true,
            false,
            true,
            true,
            true,
            "lmdb.h, mdb_env_open, MDB_NOMETASYNC: \"maintains database integrity, but a system crash may undo the last committed "
            "transaction\""};
  }
  // "fully transactional with full ACID semantics"; "eliminates the need of any special recovery procedures after a system
  // crash".
  return {true, true, true, true, true, "lmdb.h, introduction: \"fully transactional with full ACID semantics\""};
}

LmdbOptions options_of(const std::vector<std::string>& values) {
  LmdbOptions options;
  if (values[kSync] == "nometasync") options.flags |= MDB_NOMETASYNC;
  if (values[kSync] == "nosync") options.flags |= MDB_NOSYNC;
  if (values[kMap] != "readonly") options.flags |= MDB_WRITEMAP;
  if (values[kMap] == "writemap-mapasync") options.flags |= MDB_MAPASYNC;
  options.prepared = values[kCreation] == "prepared";
  std::size_t megabytes = 0;
  std::from_chars(values[kMapsize].data(), values[kMapsize].data() + values[kMapsize].size(), megabytes);
  options.map_bytes = megabytes << 20U;
  return options;
}

class LmdbKind final : public EngineKind {
 public:
  std::string_view name() const override { return "lmdb"; }
  std::string_view summary() const override { return "LMDB: a memory-mapped B+tree that copies on write, without a log"; }
  std::span<const Tunable> tunables() const override { return kTunables; }

  std::vector<Mode> modes() const override {
    const auto mode = [](std::string_view name, std::string_view summary, std::string_view sync, std::string_view map,
                         std::string_view creation = "prepared") {
      return Mode{name, summary, {{"sync", std::string(sync)}, {"map", std::string(map)}, {"creation", std::string(creation)}}};
    };
    return {
        mode("default", "as it comes: LMDB makes the data file, and every commit is synced", "default", "readonly", "lmdb"),
        mode("prepared", "every commit is synced; the empty database was made durable before it was used", "default", "readonly"),
        mode("nometasync", "MDB_NOMETASYNC: a commit syncs its pages, not its meta page", "nometasync", "readonly"),
        mode("nosync", "MDB_NOSYNC: a commit syncs nothing", "nosync", "readonly"),
        mode("writemap", "MDB_WRITEMAP: pages are written through the mapping", "default", "writemap"),
        mode("writemap-nometasync", "MDB_WRITEMAP and MDB_NOMETASYNC", "nometasync", "writemap"),
        mode("writemap-nosync", "MDB_WRITEMAP and MDB_NOSYNC", "nosync", "writemap"),
        mode("writemap-mapasync", "MDB_WRITEMAP and MDB_MAPASYNC: a commit waits for nothing", "default", "writemap-mapasync"),
    };
  }

  Result<std::unique_ptr<Engine>> make(std::span<const Option> given, std::span<const std::string> defects) const override {
    POWERCUT_TRYV(refuse_defects(name(), defects));
    POWERCUT_TRY(const auto values, option_values(name(), kTunables, given));
    const LmdbOptions options = options_of(values);
    const auto pool = std::make_shared<LmdbProcesses>();
    return key_value_engine(
        [options, pool](faultfs::FileSystem& files, std::string_view directory) -> Result<std::unique_ptr<KeyValueStore>> {
          auto store = std::make_unique<LmdbStore>(*pool, options);
          POWERCUT_TRYV(store->open(files, directory));
          return std::unique_ptr<KeyValueStore>(std::move(store));
        },
        [options](const PersistenceModel& model) { return promises(options, model); });
  }
};

}  // namespace

std::unique_ptr<EngineKind> make_lmdb_kind() { return std::make_unique<LmdbKind>(); }

}  // namespace powercut::engine
