// The engine beside the model on real directories: every workload, with clean ends and deaths of the process in between.
#include "faultfs/random.h"
#include "properties/campaign.h"
#include "properties/live_run.h"
#include "recovery/ledger_engine.h"
#include "tests/backends/real_places.h"
#include "tests/support/property.h"

#include <algorithm>

namespace powercut::testing {
namespace {

using namespace properties;

// Pools and segments so small that pages are evicted, checkpoints come by themselves and segments are used again.
const std::vector<engine::Option> kSmall{{"frames", "8"}, {"segment", "16384"}};

struct Counted {
  std::uint64_t deaths = 0;
  std::uint64_t ends = 0;
  std::uint64_t transactions = 0;
};

// Runs a seed's steps, some at a time; in between the database is compared, closed and opened, or dies and is opened.
void run_seed(const Workload& workload, const Place& place, Suspends suspends, std::uint64_t seed, Counted& counted) {
  Random random(seed);
  const auto kind = recovery::make_ledger_kind();
  const auto engine = std::move(kind->make(random.below(2) == 0 ? kSmall : drawn_options(*kind, {}, {}, seed), {})).value();
  Steps steps = steps_of_seed(workload, seed, {20, 80}).value();
  const Step set_up = steps.front();
  steps.erase(steps.begin());
  Ground ground(place, suspends);
  LiveRun run(*engine, workload, *ground.files, ground.scheduler, set_up, Model(workload.tables().size(), workload.sessions()));
  const auto holds = [](const std::optional<Violation>& violation) {
    if (!violation) return;
    std::string text = std::string(to_string(violation->oracle)) + ": " + violation->summary;
    for (const std::string& difference : violation->differences) text += "\n" + difference;
    RC_FAIL(text);
  };
  faultfs::RandomChoices schedule(seed);
  holds(run.open());
  for (std::span<const Step> left = steps; !left.empty();) {
    const std::size_t some = std::min<std::size_t>(left.size(), 1 + random.below(12));
    holds(run.run(left.first(some), schedule));
    left = left.subspan(some);
    switch (random.below(3)) {
      case 0:
        holds(run.compare());
        break;
      case 1:
        holds(run.close());
        holds(run.open());
        ++counted.ends;
        break;
      default:
        run.die();
        holds(run.open());
        ++counted.deaths;
    }
  }
  holds(run.compare());
  counted.transactions += run.model().history().size();
}

void run_all(const Place& place, bool side_by_side, Suspends suspends, double factor) {
  for (const Workload* workload : workloads()) {
    if ((workload->sessions() > 1) != side_by_side) continue;
    Counted counted;
    property(
        std::string(workload->name()) + " on " + place.name,
        [&](std::uint64_t seed) { run_seed(*workload, place, suspends, seed, counted); }, factor);
    CHECK(counted.deaths > 0);
    CHECK(counted.ends > 0);
    CHECK(counted.transactions > 0);
  }
}

}  // namespace

TEST_CASE("one session on real directories answers and keeps what the model says") {
  for (const Place& place : real_places_of_tests()) run_all(place, false, Suspends::kNo, 0.2);
}

TEST_CASE("sessions side by side over blocking files keep what the model says") {
  run_all(simulated_place(), true, Suspends::kNo, 0.2);
  for (const Place& place : real_places_of_tests()) run_all(place, true, Suspends::kNo, 0.2);
}

TEST_CASE("sessions side by side that suspend for the disk keep what the model says") {
  for (const Place& place : real_places_of_tests()) {
    if (place.kind != Place::Kind::kPosix) run_all(place, true, Suspends::kYes, 0.2);
  }
}

}  // namespace powercut::testing
