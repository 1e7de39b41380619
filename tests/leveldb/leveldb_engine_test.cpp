// LevelDB as an engine under test, with the power on: what any engine must do, when its background work is done, and that a
// database which is destroyed writes nothing more.
#include "engine/leveldb/leveldb_engine.h"
#include "engine/leveldb/leveldb_store.h"
#include "faultfs/tracing_file_system.h"
#include "tests/support/engine_conformance.h"

#include <algorithm>
#include <fstream>
#include <set>

namespace powercut::testing {
namespace {

using namespace engine;
using conformance::contents;
using conformance::number;
using conformance::said;
using Options = std::vector<Option>;

std::unique_ptr<Engine> leveldb_with(Options options) { return std::move(make_leveldb_kind()->make(options, {})).value(); }

// Keeps what was asked of the files, but for reads and opens.
class Changes final : public faultfs::TraceSink {
 public:
  void on_operation(const faultfs::Operation& operation) override {
    hash.on_operation(operation);
    if (operation.number == 0) return;
    all.push_back(faultfs::describe(operation));
    const bool is_write = operation.kind == faultfs::OperationKind::kWrite;
    brief.push_back(std::string(faultfs::to_string(operation.kind)) + " " + operation.path +
                    (operation.other_path.empty() ? "" : " " + operation.other_path) +
                    (is_write ? " " + std::to_string(operation.length) : ""));
  }
  bool has(std::string_view text) const {
    return std::any_of(all.begin(), all.end(), [&](const std::string& each) { return each.find(text) != std::string::npos; });
  }
  // The place of the first that says so, or one beyond the last.
  std::size_t first(std::string_view text) const {
    std::size_t at = 0;
    while (at < all.size() && all[at].find(text) == std::string::npos) ++at;
    return at;
  }

  faultfs::TraceHash hash;
  std::vector<std::string> all;
  std::vector<std::string> brief;  // "write db/CURRENT 16"
};

// A LevelDB database on a simulated disk, traced.
struct OnDisk {
  explicit OnDisk(Options options) : engine(leveldb_with(std::move(options))) {}

  void open() {
    database = std::move(engine->open(files, "db")).value();
    session = std::move(database->new_session()).value();
  }
  void destroy() {
    session.reset();
    database.reset();
  }
  void put(std::string_view key, std::int64_t value) { REQUIRE(said(session->put("accounts", key, number(value))) == "fine"); }

  faultfs::SimDisk disk;
  faultfs::SimFileSystem plain{disk};
  Changes changes;
  faultfs::TracingFileSystem files{plain, changes};
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Database> database;
  std::unique_ptr<Session> session;
};

}  // namespace

TEST_CASE("LevelDB does what is asked of an engine, in every mode and whenever its background work is done") {
  const auto kind = make_leveldb_kind();
  for (const Mode& mode : kind->modes()) {
    for (const auto background : {"next-call", "at-once", "late"}) {
      INFO(mode.name << " " << background);
      auto options = mode.options;
      options.push_back({"background", background});
      conforms(*leveldb_with(options));
    }
  }
}

TEST_CASE("what LevelDB documents is what its modes promise") {
  const auto model = faultfs::preset("posix").value();
  const auto kind = make_leveldb_kind();
  std::string said_of_modes;
  for (const Mode& mode : kind->modes()) {
    const auto guarantee = leveldb_with(mode.options)->guarantee(model);
    said_of_modes +=
        std::string(mode.name) + ":" + (guarantee.recovers ? " recovers" : "") + (guarantee.durable ? " durable" : "") + "; ";
    CHECK((guarantee.ordered && guarantee.atomic && guarantee.consistent));
    CHECK(guarantee.source.find("doc/index.md") != std::string_view::npos);
  }
  CHECK(said_of_modes == "sync: recovers durable; nosync: recovers; sync-reuse-logs: recovers durable; sync-paranoid: durable; ");
  // The first is what options left out give.
  CHECK(leveldb_with(Options{})->guarantee(model).durable);
}

TEST_CASE("options that LevelDB does not have are refused") {
  const auto kind = make_leveldb_kind();
  CHECK(kind->make(std::vector<Option>{{"cache", "1"}}, {}).error().code() == ErrorCode::kInvalidArgument);
  CHECK(kind->make(std::vector<Option>{{"sync", "maybe"}}, {}).error().code() == ErrorCode::kInvalidArgument);
  CHECK(kind->make({}, std::vector<std::string>{"no-undo"}).error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("a write is synced if the option says so") {
  for (const bool sync : {false, true}) {
    OnDisk on(Options{{"sync", sync ? "yes" : "no"}});
    on.open();
    REQUIRE(said(on.session->create_table(conformance::kAccounts)) == "fine");
    on.changes.all.clear();
    on.put("a", 1);
    CHECK(on.changes.has("write db/000003.log"));
    CHECK(on.changes.has("sync db/000003.log") == sync);
  }
}

TEST_CASE("a MANIFEST is synced after its directory, and CURRENT replaced without syncing it, as by LevelDB's own Env") {
  OnDisk on(Options{});
  on.open();
  on.changes.all.clear();
  on.destroy();
  on.open();
  const auto directory = on.changes.first("sync directory db");
  const auto manifest = on.changes.first("sync db/MANIFEST");
  const auto renamed = on.changes.first("db/CURRENT");
  CHECK(on.changes.first("sync directory ") < directory);  // the adapter's, of the directory that holds it
  CHECK(directory < manifest);
  CHECK(manifest < renamed);
  CHECK(renamed < on.changes.all.size());
  CHECK(std::count_if(on.changes.all.begin(), on.changes.all.end(),
                      [](const std::string& each) { return each.find("sync directory db") != std::string::npos; }) == 1);
}

TEST_CASE("LevelDB asks the same of faultfs as of Linux through its own Env") {
  std::vector<std::string> real;
  std::ifstream recorded(POWERCUT_LEVELDB_OPERATIONS);
  for (std::string line; std::getline(recorded, line);) {
    if (!line.starts_with("#")) real.push_back(line);
  }

  faultfs::SimDisk disk;
  faultfs::SimFileSystem plain(disk);
  REQUIRE(plain.make_directory("db").has_value());
  Changes changes;
  faultfs::TracingFileSystem files(plain, changes);
  LevelDbSettings settings;
  settings.options.create_if_missing = true;
  settings.options.compression = leveldb::kNoCompression;
  settings.write.sync = true;
  settings.background = LevelDbBackground::kAtOnce;
  LevelDbShared shared;
  for (int time = 0; time < 2; ++time) {
    const auto store = std::move(open_leveldb(files, "db", settings, shared)).value();
    const KeyWrite first{"a", "1"};
    const KeyWrite second{"b", "2"};
    REQUIRE(store->write(std::span(&first, 1)).has_value());
    REQUIRE(store->checkpoint().has_value());
    REQUIRE(store->write(std::span(&second, 1)).has_value());
    REQUIRE(store->close().has_value());
  }
  CHECK(real.size() > 50);
  CHECK(changes.brief == real);
}

TEST_CASE("a checkpoint makes a table and a new log, and four make a compaction, when the background gets its turn") {
  struct Turn {
    const char* background;
    bool at_checkpoint;
    bool at_next_call;
  };
  for (const Turn turn : {Turn{"at-once", true, true}, Turn{"next-call", false, true}, Turn{"late", false, false}}) {
    INFO(turn.background);
    OnDisk on(Options{{"background", turn.background}});
    on.open();
    REQUIRE(said(on.session->create_table(conformance::kAccounts)) == "fine");
    on.put("a", 1);
    on.changes.all.clear();
    REQUIRE(said(on.database->checkpoint()) == "fine");
    CHECK(on.changes.has("create db/000004.log"));
    CHECK(on.changes.has("write db/000005.ldb") == turn.at_checkpoint);
    CHECK(contents(*on.session, "accounts") == "a=1");
    CHECK(on.changes.has("write db/000005.ldb") == turn.at_next_call);
    CHECK(on.changes.has("remove db/000003.log") == turn.at_next_call);
    // The next checkpoint needs the turn to have been.
    for (int round = 0; round < 6; ++round) {
      on.put("a", round);
      on.put("z", round);
      REQUIRE(said(on.database->checkpoint()) == "fine");
      CHECK(on.changes.has("write db/000005.ldb"));
    }
    CHECK(contents(*on.session, "accounts") == "a=5 z=5");
    std::set<std::string> tables;
    const auto entries = on.plain.list("db").value();
    for (const auto& entry : entries) {
      if (entry.name.ends_with(".ldb")) tables.insert(entry.name);
    }
    CHECK(on.changes.has(".ldb"));
    CHECK(tables.size() < 7);
    on.destroy();
    on.open();
    CHECK(contents(*on.session, "accounts") == "a=5 z=5");
  }
}

TEST_CASE("LevelDB never waits for its background work, however late that is") {
  for (const auto background : {"next-call", "at-once", "late"}) {
    for (const auto reuse : {"no", "yes"}) {
      OnDisk on(Options{{"background", background}, {"sync", "no"}, {"reuse-logs", reuse}});
      on.open();
      const TableSchema texts{"texts", {{"text", ColumnType::kText}}};
      REQUIRE(said(on.session->create_table(texts)) == "fine");
      // Small rows, rows of which two fill a memtable, and reopenings between.
      for (int round = 0; round < 40; ++round) {
        for (int at = 0; at < 60; ++at) {
          REQUIRE(said(on.session->put("texts", std::to_string(at), conformance::row({"x"}))) == "fine");
        }
        const std::string large(40000, static_cast<char>('a' + round % 26));
        for (int at = 0; at < 3; ++at) {
          REQUIRE(said(on.session->put("texts", "large" + std::to_string(at), conformance::row({std::string_view(large)}))) ==
                  "fine");
        }
        if (round % 3 == 0) {
          on.destroy();
          on.open();
        }
      }
      std::string found;
      CHECK(on.session->get("texts", "large2", found).value());
      CHECK(text_column(found, 0)->front() == 'a' + 39 % 26);
      REQUIRE(said(on.database->close()) == "fine");
    }
  }
}

TEST_CASE("a database that is destroyed writes nothing more, whatever its background work is at") {
  for (const auto background : {"next-call", "at-once", "late"}) {
    OnDisk on(Options{{"background", background}});
    on.open();
    REQUIRE(said(on.session->create_table(conformance::kAccounts)) == "fine");
    for (int round = 0; round < 6; ++round) {
      on.put("a", round);
      REQUIRE(said(on.database->checkpoint()) == "fine");
      on.changes.all.clear();
      const auto operations = on.disk.operations();
      const auto hash = on.changes.hash.value();
      on.destroy();
      CHECK(on.disk.operations() == operations);
      CHECK(on.changes.hash.value() == hash);  // nor does it read
      on.open();
      CHECK(contents(*on.session, "accounts") == "a=" + std::to_string(round));
    }
  }
}

TEST_CASE("the same calls are the same operations on the files, whatever came before in the process") {
  const auto hash = [] {
    OnDisk on(Options{{"background", "late"}});
    on.open();
    REQUIRE(said(on.session->create_table(conformance::kAccounts)) == "fine");
    for (int round = 0; round < 20; ++round) {
      for (int at = 0; at < 50; ++at) on.put(std::to_string(at), round);
      if (round % 2 == 0) REQUIRE(said(on.database->checkpoint()) == "fine");
      if (round % 5 == 4) {
        on.destroy();
        on.open();
      }
      CHECK_FALSE(contents(*on.session, "accounts").empty());
    }
    return on.changes.hash.value();
  };
  const auto first = hash();
  const std::vector<std::string> something_else(100, std::string(100, 'x'));
  CHECK(hash() == first);
}

}  // namespace powercut::testing
