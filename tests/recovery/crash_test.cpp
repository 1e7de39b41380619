// The engine against the model, with crashes: whatever is run, wherever the power fails, whatever survives.
#include "faultfs/posix_file_system.h"
#include "properties/search.h"
#include "properties/workloads.h"
#include "recovery/ledger_engine.h"
#include "tests/support/ledger_database.h"
#include "tests/support/temporary_directory.h"

#include <ostream>

namespace powercut::properties {
// What rapidcheck prints of a counterexample.
void showValue(const Step& step, std::ostream& out) { out << to_string(step.kind); }
}  // namespace powercut::properties

namespace powercut::testing {
namespace {

using namespace properties;

void expect_no_violation(std::string_view model, std::string_view atom, const Workload& workload, std::string_view frames) {
  const auto kind = recovery::make_ledger_kind();
  const std::string id =
      std::string(workload.name()) + " " + std::string(model) + " atom " + std::string(atom) + " frames " + std::string(frames);
  Setting setting;
  setting.kind = kind.get();
  setting.options = {{"frames", std::string(frames)}, {"segment", "16384"}};
  setting.model = faultfs::preset(model).value();
  REQUIRE(set_atom(setting.model, atom).has_value());
  setting.workload = &workload;
  const auto engine = std::move(kind->make(setting.options, {})).value();
  property(id, [&] {
    const auto steps = *steps_of(workload, {1, 12});
    SearchPlan plan;
    plan.seed = *rc::gen::arbitrary<std::uint64_t>();
    plan.points_of_16 = 8;
    Searcher searcher(*engine, setting);
    const auto failure = searcher.search(steps, plan);
    if (!failure) return;
    RC_LOG() << "crash point " << failure->crash_point << ", plan seed " << plan.seed << ": "
             << to_string(failure->violation.oracle) << ": " << failure->violation.summary << "\n";
    for (const Step& step : steps) RC_LOG() << "  " << describe(workload, step) << "\n";
    RC_FAIL("a promise was broken");
  });
}

}  // namespace

TEST_CASE("the engine keeps its promises under every model, atom and workload") {
  for (const Workload* workload : workloads()) {
    for (const std::string_view model : {"posix", "ext4-ordered", "prefix"}) {
      for (const std::string_view atom : {"512", "4096", "write"}) {
        for (const std::string_view frames : {"8", "64"}) expect_no_violation(model, atom, *workload, frames);
      }
    }
  }
}

TEST_CASE("garbage in what was being written is survived where it is not a sector that was synced before") {
  // In flight garbage may destroy what an earlier sync made durable in the same sector, so an engine that appends to its
  // log's last sector owes nothing then: only that it does not hang or crash.
  const auto kind = recovery::make_ledger_kind();
  Setting setting;
  setting.kind = kind.get();
  setting.options = {{"frames", "8"}, {"segment", "16384"}};
  setting.model = faultfs::preset("posix").value();
  setting.model.in_flight_garbage = true;
  setting.workload = &kv();
  const auto engine = std::move(kind->make(setting.options, {})).value();
  property("garbage", [&] {
    SearchPlan plan;
    plan.seed = *rc::gen::arbitrary<std::uint64_t>();
    Searcher searcher(*engine, setting);
    static_cast<void>(searcher.search(*steps_of(kv(), {1, 8}), plan));
    RC_ASSERT(searcher.count().states > 0U);
  });
}

TEST_CASE("a database in a real directory is recovered after its process went away") {
  const TemporaryDirectory directory;
  const auto files = std::move(faultfs::PosixFileSystem::open(directory.path())).value();
  const auto kind = recovery::make_ledger_kind();
  const auto engine = std::move(kind->make({}, {})).value();
  const engine::TableSchema schema{"t", {{"v", engine::ColumnType::kInteger}}};
  for (int round = 0; round < 5; ++round) {
    // Never closed: each open recovers what the one before left.
    auto database = std::move(engine->open(*files, "db")).value();
    auto session = std::move(database->new_session()).value();
    if (round == 0) REQUIRE(session->create_table(schema).has_value());
    int rows = 0;
    REQUIRE(session->scan("t", {}, {}, [&](std::string_view, std::string_view) { return ++rows, true; }).has_value());
    CHECK(rows == round * 100);
    REQUIRE(session->begin().has_value());
    for (int row = 0; row < 100; ++row)
      REQUIRE(session->insert("t", std::to_string(round * 100 + row), number_row(row)).has_value());
    REQUIRE(session->commit().has_value());
  }
}

}  // namespace powercut::testing
