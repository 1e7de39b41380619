#include "engine/sqlite/settings.h"

#include "engine/option_values.h"

#include <algorithm>
#include <array>

namespace powercut::engine::sqlite {
namespace {

const std::vector<Tunable>& all_tunables() {
  static const std::vector<Tunable> kAll = {
      {"journal", "PRAGMA journal_mode", "wal", {"delete", "truncate", "persist", "wal"}},
      {"synchronous", "PRAGMA synchronous", "full", {"off", "normal", "full", "extra"}},
      {"page-size", "bytes of a page", "4096", {"512", "1024", "4096"}, "512"},
      {"wal-autocheckpoint", "pages of the log at which a commit writes it back", "1000", {"1000", "4", "16"}},
      {"cache-size", "pages of the cache; a full one is written before the commit. Negative: KiB", "-2000", {"-2000", "10"}},
      {"locking",
       "PRAGMA locking_mode; exclusive: the index of the log is not in shared memory",
       "normal",
       {"normal", "exclusive"}},
      {"psow", "whether SQLite may rely on a write not to harm the bytes beside it (powersafe overwrite)", "yes", {"yes", "no"}},
  };
  return kAll;
}
enum : std::size_t { kJournal, kSynchronous, kPageSize, kAutocheckpoint, kCacheSize, kLocking, kPowersafeOverwrite };

constexpr std::string_view kPragmaPage = "sqlite.org/pragma.html#pragma_synchronous";

// The place of a value among those that its tunable takes, which are in the order of the enumeration.
std::size_t place_of(std::size_t tunable, std::string_view value) {
  const auto& values = all_tunables()[tunable].values_worth_trying;
  return static_cast<std::size_t>(std::find(values.begin(), values.end(), value) - values.begin());
}

std::string pragma(std::string_view name, std::string_view value) {
  return "PRAGMA " + std::string(name) + " = " + std::string(value) + ";";
}

}  // namespace

std::span<const Tunable> tunables() { return all_tunables(); }

Result<Settings> Settings::from(std::span<const Option> options) {
  POWERCUT_TRY(const auto values, option_values("sqlite", all_tunables(), options));
  Settings settings;
  settings.journal = static_cast<Journal>(place_of(kJournal, values[kJournal]));
  settings.synchronous = static_cast<Synchronous>(place_of(kSynchronous, values[kSynchronous]));
  settings.powersafe_overwrite = values[kPowersafeOverwrite] == "yes";
  // What SQLite does anyway is left out: each costs at every open. The journal mode is always asked for, because that reads the
  // database, and so recovers it.
  const auto unless = [&](std::size_t tunable, std::string_view what_it_does, std::string_view name) {
    if (values[tunable] != what_it_does) settings.pragmas += pragma(name, values[tunable]);
  };
  unless(kPageSize, "4096", "page_size");
  unless(kLocking, "normal", "locking_mode");
  unless(kCacheSize, "-2000", "cache_size");
  settings.pragmas += pragma("journal_mode", values[kJournal]);
  unless(kSynchronous, "full", "synchronous");
  unless(kAutocheckpoint, "1000", "wal_autocheckpoint");
  return settings;
}

std::vector<Mode> modes() {
  struct Named {
    std::string_view name;
    std::string_view summary;
    std::string_view journal;
    std::string_view synchronous;
  };
  static constexpr std::array kModes = {
      Named{"wal-full", "a write-ahead log, synced at each commit", "wal", "full"},
      Named{"wal-extra", "a write-ahead log, synced at each commit", "wal", "extra"},
      Named{"wal-normal", "a write-ahead log, synced at checkpoints only", "wal", "normal"},
      Named{"wal-off", "a write-ahead log, never synced", "wal", "off"},
      Named{"delete-extra", "a rollback journal, deleted at commit, with a sync of its directory", "delete", "extra"},
      Named{"delete-full", "a rollback journal, deleted at commit; what SQLite does unless told otherwise", "delete", "full"},
      Named{"delete-normal", "a rollback journal, deleted at commit, with a sync less", "delete", "normal"},
      Named{"delete-off", "a rollback journal, deleted at commit, never synced", "delete", "off"},
      Named{"truncate-extra", "a rollback journal, cut to nothing at commit", "truncate", "extra"},
      Named{"truncate-full", "a rollback journal, cut to nothing at commit", "truncate", "full"},
      Named{"persist-extra", "a rollback journal whose header is wiped at commit", "persist", "extra"},
      Named{"persist-full", "a rollback journal whose header is wiped at commit", "persist", "full"},
      Named{"persist-normal", "a rollback journal whose header is wiped at commit, with a sync less", "persist", "normal"},
  };
  std::vector<Mode> all;
  for (const Named& mode : kModes) {
    all.push_back(
        {mode.name, mode.summary, {{"journal", std::string(mode.journal)}, {"synchronous", std::string(mode.synchronous)}}});
  }
  return all;
}

// https://www.sqlite.org/pragma.html#pragma_synchronous says of each:
//
// OFF     "the database might become corrupted if the operating system crashes or the computer loses power".
// NORMAL  "There is a very small (though non-zero) chance that a power failure at just the wrong time could corrupt the database
//         in journal_mode=DELETE on an older filesystem. WAL mode is safe from corruption with synchronous=NORMAL, and probably
//         DELETE mode is safe too on modern filesystems. WAL mode is always consistent with synchronous=NORMAL, but WAL mode does
//         lose durability. A transaction committed in WAL mode with synchronous=NORMAL might roll back following a power loss."
//         "Probably" is no promise, so for rollback journals there is none.
// FULL    "ensures that an operating system crash or power failure will not corrupt the database"; and in WAL mode the log is
//         synced after each commit, so that "transactions are durable across a power loss".
// EXTRA   "is like FULL with the addition that the directory containing a rollback journal is synced after that journal is
//         unlinked to commit a transaction in DELETE mode. EXTRA provides additional durability if the commit is followed closely
//         by a power loss." So with FULL and DELETE the last transaction may be lost.
//
// With powersafe overwrite SQLite assumes that a write changes "no bytes outside of that range, even if the write occurs just
// before a crash or power failure" (https://www.sqlite.org/psow.html). Where an atom that is being written may hold garbage, that
// is not so.
Guarantee Settings::guarantee(const faultfs::PersistenceModel& model) const {
  if (powersafe_overwrite && model.in_flight_garbage) return {false, false, false, false, false, "sqlite.org/psow.html"};
  Guarantee promised;
  promised.source = kPragmaPage;
  const bool rollback_journal = journal != Journal::kWal;
  if (synchronous == Synchronous::kOff || (synchronous == Synchronous::kNormal && rollback_journal)) {
    promised.recovers = promised.durable = promised.ordered = promised.atomic = promised.consistent = false;
  } else if (synchronous == Synchronous::kNormal || (synchronous == Synchronous::kFull && journal == Journal::kDelete)) {
    promised.durable = false;
  }
  return promised;
}

}  // namespace powercut::engine::sqlite
