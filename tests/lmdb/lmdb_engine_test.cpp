// LMDB as an engine under test: what it must do with the power on, and what it keeps when the power fails.
#include "engine/lmdb/lmdb_engine.h"
#include "faultfs/tracing_file_system.h"
#include "properties/case_file.h"
#include "properties/search.h"
#include "properties/workloads.h"
#include "tests/support/engine_conformance.h"
#include "tests/support/findings.h"
#include "tests/support/property.h"

namespace powercut::testing {
namespace {

using namespace properties;
using Options = std::vector<engine::Option>;

std::string row_of(std::string_view name, std::int64_t amount) {
  std::string row;
  engine::encode_row({engine::Value(name), engine::Value(amount)}, row);
  return row;
}

engine::TableSchema named_table(std::string name) {
  return {std::move(name),
          {{.name = "name", .type = engine::ColumnType::kText, .unique = true},
           {.name = "amount", .type = engine::ColumnType::kInteger, .not_null = true, .at_least = 0}}};
}

std::vector<std::string> keys_of(engine::Session& session, std::string_view table, std::string_view from = {},
                                 std::string_view to = {}, std::size_t most = 1'000'000) {
  std::vector<std::string> keys;
  const auto scanned = session.scan(table, from, to, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return keys.size() < most;
  });
  REQUIRE(scanned.has_value());
  return keys;
}

using Keys = std::vector<std::string>;

const Options kReadonly{{"creation", "prepared"}};
const Options kWritemap{{"creation", "prepared"}, {"map", "writemap"}};

std::unique_ptr<engine::Engine> lmdb(const Options& options) {
  return std::move(engine::make_lmdb_kind()->make(options, {})).value();
}

// What a database does over and over, on one disk.
void work(engine::Engine& engine, faultfs::FileSystem& files) {
  const auto fill = [](engine::Session& session, const std::string& prefix, int round) {
    for (int number = 0; number < 60; ++number) {
      const std::string key = prefix + std::to_string(number);
      REQUIRE(session.put("rows", key, row_of(std::string(400, 'x') + key, round)).has_value());
    }
  };
  for (int round = 0; round < 3; ++round) {
    auto database = std::move(engine.open(files, "db")).value();
    auto session = std::move(database->new_session()).value();
    if (round == 0) REQUIRE(session->create_table(named_table("rows")).has_value());
    REQUIRE(session->begin().has_value());
    fill(*session, "a", round);
    REQUIRE(session->commit().has_value());
    // A transaction that merges pages and then fills some: LMDB links those between through addresses in the pages.
    REQUIRE(session->begin().has_value());
    for (int number = 0; number < 60; ++number) {
      if (number % 4 != 0) REQUIRE(session->erase("rows", "a" + std::to_string(number)).has_value());
    }
    fill(*session, "b", round);
    REQUIRE(session->commit().has_value());
    REQUIRE(database->checkpoint().has_value());
  }
}

std::uint64_t hash_of_work(engine::Engine& engine) {
  faultfs::SimDisk disk;
  faultfs::SimFileSystem files(disk);
  faultfs::TraceHash hash;
  faultfs::TracingFileSystem traced(files, hash);
  work(engine, traced);
  return hash.value();
}

}  // namespace

TEST_CASE("LMDB does what an engine under test must, in every mode") {
  for (const engine::Mode& mode : engine::make_lmdb_kind()->modes()) {
    INFO(mode.name);
    conforms(*lmdb(mode.options));
  }
}

TEST_CASE("several databases of LMDB are open at a time, and one that dies leaves the others") {
  const auto engine = lmdb(kReadonly);
  faultfs::SimDisk disks[2];
  faultfs::SimFileSystem first(disks[0]);
  faultfs::SimFileSystem second(disks[1]);
  auto one = std::move(engine->open(first, "db")).value();
  auto session = std::move(one->new_session()).value();
  REQUIRE(session->create_table(named_table("of one")).has_value());
  {
    auto other = std::move(engine->open(second, "db")).value();
    REQUIRE(std::move(other->new_session()).value()->create_table(named_table("of two")).has_value());
    CHECK(other->tables().value() == Keys{"of two"});
  }
  CHECK(one->tables().value() == Keys{"of one"});
  REQUIRE(session->insert("of one", "a", row_of("a", 1)).has_value());
  CHECK(keys_of(*session, "of one") == Keys{"a"});
}

TEST_CASE("a database of LMDB that is destroyed without close writes nothing any more") {
  for (const Options& options : {kReadonly, kWritemap}) {
    const auto engine = lmdb(options);
    faultfs::SimDisk disk;
    faultfs::SimFileSystem files(disk);
    auto database = std::move(engine->open(files, "db")).value();
    auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table(named_table("rows")).has_value());
    REQUIRE(session->begin().has_value());
    REQUIRE(session->insert("rows", "a", row_of("a", 1)).has_value());
    const auto operations = disk.operations();
    session.reset();
    database.reset();
    CHECK(disk.operations() == operations);
  }
}

TEST_CASE("a page of LMDB that is damaged in its header may cost a database its process, but nothing else its life") {
  constexpr std::uint64_t kPage = 4096;
  const std::vector<std::byte> damage(1, std::byte{0xff});
  std::size_t died = 0;
  for (std::uint64_t page = 2; page < 8; ++page) {
    for (std::uint64_t at = 10; at < 16; ++at) {  // the flags, and where the free room begins and ends
      faultfs::SimDisk disk;
      faultfs::SimFileSystem files(disk);
      const auto engine = lmdb(kReadonly);
      work(*engine, files);
      auto file = std::move(files.open("db/data.mdb", faultfs::OpenMode::kReadWrite)).value();
      REQUIRE(write_full(*file, page * kPage + at, damage).has_value());
      const auto use = [&]() -> Result<void> {
        POWERCUT_TRY(auto database, engine->open(files, "db"));
        POWERCUT_TRY(auto session, database->new_session());
        for (int number = 0; number < 60; ++number) {
          POWERCUT_TRYV(session->put("rows", "a" + std::to_string(number), row_of("b" + std::to_string(number), 1)));
        }
        return success();
      };
      if (use().has_error()) ++died;
    }
  }
  CHECK(died > 0);
}

TEST_CASE("LMDB asks the same of its files every time, whatever its addresses are") {
  for (const Options& options : {kReadonly, kWritemap}) {
    const auto engine = lmdb(options);
    const std::uint64_t expected = hash_of_work(*engine);
    CHECK(hash_of_work(*engine) == expected);
    // Others take the addresses that it had.
    faultfs::SimDisk disk;
    faultfs::SimFileSystem files(disk);
    const auto another = std::move(engine->open(files, "db")).value();
    CHECK(hash_of_work(*engine) == expected);
    CHECK(hash_of_work(*lmdb(options)) == expected);
  }
}

TEST_CASE("LMDB keeps its promises where its data file was made durable before it is used") {
  const auto kind = engine::make_lmdb_kind();
  for (const Options& options : {kReadonly, kWritemap}) {
    for (const Workload* workload : workloads_alone()) {
      Setting setting;
      setting.kind = kind.get();
      setting.options = options;
      setting.model = faultfs::preset("posix").value();
      setting.workload = workload;
      const auto engine = lmdb(options);
      property("lmdb " + options.back().value + " " + std::string(workload->name()), [&] {
        const auto steps = *steps_of(*workload, {1, 10});
        SearchPlan plan;
        plan.seed = *rc::gen::arbitrary<std::uint64_t>();
        plan.points_of_16 = 8;
        Searcher searcher(*engine, setting);
        const auto failure = searcher.search(steps, plan);
        if (failure) RC_FAIL(failure->violation.summary);
      });
    }
  }
}

TEST_CASE("what LMDB promises depends on its flags and on the disk") {
  const auto promised = [](const Options& options, std::string_view model) {
    return lmdb(options)->guarantee(faultfs::preset(model).value());
  };
  CHECK(promised({}, "posix").durable);
  CHECK_FALSE(promised({{"sync", "nometasync"}}, "posix").durable);
  CHECK(promised({{"sync", "nometasync"}}, "posix").atomic);
  CHECK_FALSE(promised({{"sync", "nosync"}}, "posix").recovers);
  CHECK(promised({{"sync", "nosync"}}, "prefix").atomic);
  CHECK_FALSE(promised({{"sync", "nosync"}, {"map", "writemap"}}, "prefix").recovers);
  CHECK_FALSE(promised({{"map", "writemap-mapasync"}}, "prefix").recovers);
}

TEST_CASE("what powercut found in LMDB is still there") {
  CHECK(replay_findings(engine::make_lmdb_kind(), POWERCUT_LMDB_FINDINGS) == 8);
}

}  // namespace powercut::testing
