// The same seed leaves the same rows on every file system: what is tested in the simulator is what runs.
#include "properties/campaign.h"
#include "properties/live_run.h"
#include "recovery/ledger_engine.h"
#include "tests/backends/real_places.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace powercut::testing {
namespace {

using namespace properties;
using Contents = std::map<std::string, std::vector<std::pair<std::string, std::string>>>;  // by table: keys and rows

constexpr std::uint64_t kSeeds = 20;

Contents contents_of(engine::Database& database) {
  Contents contents;
  const auto session = std::move(database.new_session()).value();
  const auto tables = std::move(database.tables()).value();
  for (const std::string& table : tables) {
    auto& rows = contents[table];
    const auto scanned = session->scan(table, {}, {}, [&](std::string_view key, std::string_view row) {
      rows.emplace_back(key, row);
      return true;
    });
    REQUIRE(scanned.has_value());
  }
  return contents;
}

Contents contents_after(const Workload& workload, std::uint64_t seed, const Place& place) {
  const auto kind = recovery::make_ledger_kind();
  const auto engine = std::move(kind->make(drawn_options(*kind, {}, {}, seed), {})).value();
  Steps steps = steps_of_seed(workload, seed, {30, 60}).value();
  const Step set_up = steps.front();
  steps.erase(steps.begin());
  Ground ground(place);
  LiveRun run(*engine, workload, *ground.files, ground.scheduler, set_up, Model(workload.tables().size(), workload.sessions()));
  faultfs::RandomChoices schedule(seed);
  auto violation = run.open();
  if (!violation) violation = run.run(steps, schedule);
  if (violation) FAIL(violation->summary);
  return contents_of(run.database());
}

}  // namespace

TEST_CASE("a seed leaves the same rows on the simulator and on every real file system") {
  for (const Workload* workload : workloads()) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      CAPTURE(workload->name(), seed);
      const Contents expected = contents_after(*workload, seed, simulated_place());
      std::size_t rows = 0;
      for (const auto& [table, of_table] : expected) rows += of_table.size();
      CHECK(rows > 2);
      for (const Place& place : real_places_of_tests()) {
        INFO(place.name);
        REQUIRE(contents_after(*workload, seed, place) == expected);
      }
    }
  }
}

}  // namespace powercut::testing
