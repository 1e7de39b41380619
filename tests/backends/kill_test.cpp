// A process at work on a real directory is killed at any moment, and what it promised holds; planted bugs that this shows are
// found. SIGKILL leaves the page cache as it is: power failures are for the simulator.
#include "properties/kill_test.h"
#include "properties/live_run.h"
#include "recovery/ledger_engine.h"
#include "tests/backends/real_places.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>

namespace powercut::testing {
namespace {

using namespace properties;

const std::atomic<bool> kNever{false};

std::uint32_t rounds() { return std::getenv("POWERCUT_DEEP") != nullptr ? 500 : 20; }

KillPlan plan_for(const engine::EngineKind& kind, const TemporaryDirectory& directory) {
  KillPlan plan;
  plan.kind = &kind;
  plan.directory = directory.path();
  plan.rounds = rounds();
  for (const Workload* workload : workloads()) {
    if (workload->sessions() > 1) plan.workloads.push_back(workload);
  }
  return plan;
}

faultfs::HostBackend backend_of(const Place& place) {
  switch (place.kind) {
    case Place::Kind::kUring:
      return faultfs::HostBackend::kUring;
    case Place::Kind::kUringDirect:
      return faultfs::HostBackend::kUringDirect;
    default:
      return faultfs::HostBackend::kPosix;
  }
}

void check_holds(const KillPlan& plan) {
  const auto report = run_kill_test(plan, kNever, {});
  if (report.has_error()) FAIL(report.error().message());
  if (report.value().violation) FAIL(report.value().violation->summary << "\nthe kill before: " << report.value().last_kill);
  const KillFigures& figures = report.value().figures;
  CHECK(figures.rounds == plan.rounds);
  CHECK(figures.killed_in_recovery + figures.killed_at_work + figures.killed_idle == plan.rounds + 1);
  CHECK(figures.killed_at_work > 0);
  CHECK(figures.recoveries > figures.rounds / 4);
  CHECK(figures.acknowledged > figures.rounds);
  CHECK(std::filesystem::is_empty(plan.directory));
}

}  // namespace

TEST_CASE("what a killed process of one session promised holds") {
  for (const Place& place : real_places_of_tests()) {
    INFO(place.name);
    const TemporaryDirectory directory(place.directory);
    const auto kind = recovery::make_ledger_kind();
    KillPlan plan = plan_for(*kind, directory);
    plan.backend = backend_of(place);
    plan.sessions = 1;
    check_holds(plan);
    plan.workloads = {find_workload("bank").value(), find_workload("savepoints").value()};
    check_holds(plan);
  }
}

TEST_CASE("what a killed process of several sessions over blocking files promised holds") {
  for (const Place& place : real_places_of_tests()) {
    if (place.kind != Place::Kind::kPosix) continue;
    INFO(place.name);
    const TemporaryDirectory directory(place.directory);
    const auto kind = recovery::make_ledger_kind();
    check_holds(plan_for(*kind, directory));
  }
}

TEST_CASE("what a killed process of several sessions that suspend for the disk promised holds") {
  for (const Place& place : real_places_of_tests()) {
    if (place.kind == Place::Kind::kPosix) continue;
    INFO(place.name);
    const TemporaryDirectory directory(place.directory);
    const auto kind = recovery::make_ledger_kind();
    KillPlan plan = plan_for(*kind, directory);
    plan.backend = backend_of(place);
    check_holds(plan);
    plan.sessions = 12;
    check_holds(plan);
  }
}

TEST_CASE("planted bugs that the death of a process shows are found on a real directory") {
  struct Planted {
    std::string defect;
    Oracle oracle;
  };
  for (const Planted& planted : {Planted{"ack-before-sync", Oracle::kDurable}, Planted{"no-undo", Oracle::kAtomic},
                                 Planted{"checkpoint-forgets-active", Oracle::kAtomic}}) {
    INFO(planted.defect);
    const TemporaryDirectory directory;
    const auto kind = recovery::make_ledger_kind();
    KillPlan plan = plan_for(*kind, directory);
    plan.workloads = {find_workload("sessions").value()};
    plan.rounds = 300;
    plan.defects = {planted.defect};
    const auto report = run_kill_test(plan, kNever, {});
    REQUIRE(report.has_value());
    REQUIRE(report.value().violation);
    CHECK(report.value().violation->oracle == planted.oracle);
    CHECK(report.value().workload == "sessions");
    CHECK(std::filesystem::is_directory(report.value().kept + "/db"));
  }
}

TEST_CASE("an engine that ends its process by itself is a violation, and a plan that cannot be is refused") {
  // Opens nothing: the process ends.
  class Mortal final : public engine::Engine {
   public:
    engine::Guarantee guarantee(const faultfs::PersistenceModel& /*model*/) const override { return {}; }
    Result<std::unique_ptr<engine::Database>> open(faultfs::FileSystem& /*files*/, std::string_view /*directory*/,
                                                   const engine::Surroundings& /*surroundings*/) override {
      _exit(7);
    }
  };
  class MortalKind final : public engine::EngineKind {
   public:
    std::string_view name() const override { return "mortal"; }
    std::string_view summary() const override { return {}; }
    std::span<const engine::Tunable> tunables() const override { return {}; }
    std::span<const engine::Defect> defects() const override { return {}; }
    Result<std::unique_ptr<engine::Engine>> make(std::span<const engine::Option> /*options*/,
                                                 std::span<const std::string> /*defects*/) const override {
      return std::unique_ptr<engine::Engine>(std::make_unique<Mortal>());
    }
    Result<void> describe_log(faultfs::FileSystem& /*files*/, std::string_view /*directory*/,
                              const engine::LineSink& /*line*/) const override {
      return success();
    }
  };
  const TemporaryDirectory directory;
  const MortalKind kind;
  KillPlan plan = plan_for(kind, directory);
  const auto report = run_kill_test(plan, kNever, {});
  REQUIRE(report.has_value());
  REQUIRE(report.value().violation);
  CHECK(report.value().violation->oracle == Oracle::kAlive);
  CHECK(report.value().violation->summary == "the engine ended its process: exit status 7");
  plan.sessions = 33;
  CHECK(run_kill_test(plan, kNever, {}).error().code() == ErrorCode::kInvalidArgument);
  plan.sessions = 3;
  plan.directory += "/nowhere";
  CHECK(run_kill_test(plan, kNever, {}).error().code() == ErrorCode::kNotFound);
}

TEST_CASE("a journal cut anywhere promises no more than the user was told, and no less") {
  std::vector<byte> memory(std::size_t{64} << 20U);
  KillJournal journal(memory);
  Model told(2, 2);
  const auto replayed = [&] {
    Model model(2, 2);
    static_cast<void>(journal.replay(model));
    return model;
  };
  told.create_table(0, 0);
  told.put(0, "t000000", "", 0);
  CHECK(replayed().in_doubt().empty());
  journal.commit_called(told, 0);
  told.commit_called(0);
  CHECK(replayed().in_doubt() == std::vector<std::size_t>{0});
  CHECK(replayed().with(1).hash == told.with(1).hash);
  CHECK_FALSE(replayed().committed().tables[0].exists);
  told.acknowledged(0);
  journal.acknowledged(0);
  CHECK(replayed().committed().hash == told.committed().hash);
  told.put(0, "t000001", "", 1);
  journal.commit_called(told, 1);
  told.commit_called(1);
  told.rolled_back(1);
  journal.rolled_back(1);
  CHECK(replayed().in_doubt().empty());
  CHECK(replayed().committed().hash == told.committed().hash);
  CHECK(replayed().transaction(0) == told.transaction(0));
  CHECK(replayed().transaction(1) == told.transaction(1));
  journal.violated({Oracle::kAtomic, "half", {"a", "b"}});
  Model model(2, 2);
  const auto last = journal.replay(model);
  REQUIRE(last.violation);
  CHECK(last.violation->summary == "half");
  CHECK(last.violation->differences == std::vector<std::string>{"a", "b"});
}

}  // namespace powercut::testing
