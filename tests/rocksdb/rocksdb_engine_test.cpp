// RocksDB behind engine/engine.h.
#include "engine/rocksdb/rocksdb_engine.h"
#include "faultfs/faulty_file_system.h"
#include "properties/case_file.h"
#include "tests/support/engine_conformance.h"
#include "tests/support/engine_under_test.h"

#include <rocksdb/version.h>

#include <set>
#include <vector>

namespace powercut::testing {
namespace {

using properties::hash_text;

std::unique_ptr<engine::Engine> make(std::vector<engine::Option> options = {}) {
  auto made = engine::make_rocksdb_kind()->make(options, {});
  REQUIRE(made.has_value());
  return std::move(made).value();
}

// Writes enough for flushes and compactions, with shutdowns and ends of the process between.
std::uint64_t trace_of_work(engine::Engine& engine) {
  EngineUnderTest on(engine);
  REQUIRE(on.session().create_table(integer_table()).has_value());
  for (std::int64_t each = 0; each < 300; ++each) {
    REQUIRE(on.session().put("t", std::to_string(each % 40), integer_row(each)).has_value());
    if (each % 50 != 49) continue;
    if (each % 100 == 49) {
      on.close();
    } else {
      CHECK(on.crash());
    }
    on.open();
  }
  return on.trace_hash();
}

}  // namespace

TEST_CASE("rocksdb is an engine in every mode") {
  const auto kind = engine::make_rocksdb_kind();
  for (const engine::Mode& mode : kind->modes()) {
    if (mode.name == "wal-off") continue;  // keeps no commit from a process that ends
    DYNAMIC_SECTION(mode.name) { conforms(*make(mode.options)); }
  }
  SECTION("with lazy jobs and large memtables") {
    conforms(*make({{"background", "lazy"}, {"flush", "manual"}, {"flush-on-recovery", "no"}}));
  }
}

TEST_CASE("without a log rocksdb keeps what was flushed, and a clean shutdown flushes") {
  const auto engine = make({{"wal", "off"}, {"flush", "manual"}});
  EngineUnderTest on(*engine);
  REQUIRE(on.session().create_table(integer_table()).has_value());
  REQUIRE(on.session().put("t", "a", integer_row(1)).has_value());
  on.close();
  on.open();
  REQUIRE(on.session().put("t", "b", integer_row(2)).has_value());
  REQUIRE(on.database().checkpoint().has_value());
  REQUIRE(on.session().put("t", "c", integer_row(3)).has_value());
  CHECK(on.crash());
  on.open();
  CHECK(on.rows() == EngineUnderTest::Rows{{"a", 1}, {"b", 2}});
}

TEST_CASE("the same work gives rocksdb the same bytes: twice on one engine, on another, and in another process") {
  const auto engine = make();
  const std::uint64_t once = trace_of_work(*engine);
  CHECK(trace_of_work(*engine) == once);
  // Databases of others, open meanwhile, change nothing.
  EngineUnderTest other(*engine);
  REQUIRE(other.session().create_table(integer_table()).has_value());
  const auto second = make();
  CHECK(trace_of_work(*second) == once);
#if ROCKSDB_MAJOR == 7 && ROCKSDB_MINOR == 8 && ROCKSDB_PATCH == 3
  CHECK(hash_text(once) == "1dbad84ffb5bf9e7");  // recorded in another process
#endif
}

TEST_CASE("rocksdb with jobs left waiting ends without writing") {
  const auto engine = make({{"background", "lazy"}});
  EngineUnderTest on(*engine);
  REQUIRE(on.session().create_table(integer_table()).has_value());
  for (std::int64_t each = 0; each < 500; ++each) {
    REQUIRE(on.session().put("t", std::to_string(each), integer_row(each)).has_value());
    if (each % 37 != 0) continue;
    CHECK(on.crash());
    on.open();
  }
  CHECK(on.crash());
}

TEST_CASE("rocksdb goes on when the disk that was full in a flush has space again") {
  const auto engine = make({{"flush", "manual"}});
  std::uint32_t last = 0;
  std::uint32_t failures = 0;
  std::uint32_t fatal = 0;
  for (std::uint32_t at = 0; at <= last; ++at) {
    faultfs::SimDisk disk;
    faultfs::SimFileSystem plain(disk);
    // The first run finds which operations a flush has.
    const faultfs::Fault fault{faultfs::FaultKind::kFullDisk, false, at == 0 ? ~0U : at, 1};
    faultfs::FaultyFileSystem files(plain, disk, std::span(&fault, 1), false);
    auto database = std::move(engine->open(files, "db")).value();
    auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table(integer_table()).has_value());
    REQUIRE(session->put("t", "a", integer_row(0)).has_value());
    REQUIRE(database->checkpoint().has_value());
    REQUIRE(session->put("t", "a", integer_row(1)).has_value());
    const std::uint32_t before = files.eligible(fault.kind);
    const auto flushed = database->checkpoint();
    if (at == 0) {
      last = files.eligible(fault.kind) - 1;
      at = before - 1;
      continue;
    }
    INFO("operation " << at << " of " << last);
    if (flushed.has_error()) {
      ++failures;
      CHECK(flushed.error().code() == ErrorCode::kNoSpace);
      const auto refused = session->put("t", "b", integer_row(2));
      if (refused.has_error()) CHECK(refused.error().code() == ErrorCode::kNoSpace);
    }
    files.step_ended();
    const auto put = session->put("t", "c", integer_row(3));
    INFO((put.has_error() ? put.error().message() : ""));
    if (put.has_error()) {
      // Without a new log it is over until the database is opened again.
      CHECK(put.error().message().find(".log: create") != std::string::npos);
      ++fatal;
      session.reset();
      database.reset();
      database = std::move(engine->open(files, "db")).value();
      session = std::move(database->new_session()).value();
      REQUIRE(session->put("t", "c", integer_row(3)).has_value());
    }
    REQUIRE(database->checkpoint().has_value());
    std::string row;
    CHECK(session->get("t", "a", row).value());
    CHECK(session->get("t", "c", row).value());
  }
  CHECK(failures > 3);
  CHECK(fatal == 1);
}

TEST_CASE("rocksdb without CURRENT is refused once, and then opens empty, its tables removed") {
  const auto engine = make();
  EngineUnderTest on(*engine);
  const auto files_named = [&](std::string_view part) {
    const auto entries = on.files().list("db");
    REQUIRE(entries.has_value());
    std::set<std::string> names;
    for (const auto& entry : entries.value()) {
      if (entry.name.find(part) != std::string::npos) names.insert(entry.name);
    }
    return names;
  };
  REQUIRE(on.session().create_table(integer_table()).has_value());
  REQUIRE(on.session().put("t", "a", integer_row(1)).has_value());
  REQUIRE(on.database().checkpoint().has_value());
  on.close();
  const auto tables = files_named(".sst");
  const auto manifests = files_named("MANIFEST");
  REQUIRE(tables.size() == 1);
  REQUIRE(manifests.size() == 1);
  REQUIRE(on.files().remove("db/CURRENT").has_value());

  CHECK(on.try_open().error().code() == ErrorCode::kCorrupt);
  CHECK(files_named(".sst") == tables);
  CHECK(files_named(*manifests.begin()) == manifests);

  on.open();
  CHECK(on.database().tables().value().empty());
  CHECK(files_named(".sst").empty());
}

TEST_CASE("rocksdb names the options, values and defects that it does not have") {
  const auto kind = engine::make_rocksdb_kind();
  const std::vector<engine::Option> unknown{{"pages", "4"}};
  CHECK(kind->make(unknown, {}).error().code() == ErrorCode::kInvalidArgument);
  const std::vector<engine::Option> wrong{{"sync", "maybe"}};
  CHECK(kind->make(wrong, {}).error().code() == ErrorCode::kInvalidArgument);
  const std::vector<std::string> defects{"no-undo"};
  CHECK(kind->make({}, defects).error().code() == ErrorCode::kInvalidArgument);
}

}  // namespace powercut::testing
