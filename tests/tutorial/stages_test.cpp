// The store of docs/TESTING_YOUR_ENGINE.md in its three stages, judged as its page does and as the page says.
#include "properties/testing.h"
#include "tests/support/temporary_directory.h"

// Each stage is compiled with a namespace of its own (tests/CMakeLists.txt).
namespace stage1 {
std::unique_ptr<powercut::engine::EngineKind> kind();
}
namespace stage2 {
std::unique_ptr<powercut::engine::EngineKind> kind();
}
namespace stage3 {
std::unique_ptr<powercut::engine::EngineKind> kind();
}

namespace powercut::testing {
namespace {

using namespace properties;

constexpr StatesPlan kStates{.seeds = 12, .steps = 12};

struct Place {
  TemporaryDirectory directory;
  TestSetting setting(std::vector<std::string> workloads = {}) const {
    return {.workloads = std::move(workloads), .case_directory = directory.path()};
  }
};

}  // namespace

TEST_CASE("stage 1 of the tutorial's store loses the name of its log, and random crashes show it") {
  const Place place;
  const auto kind = stage1::kind();
  const Verdict verdict = check_seeds(*kind, {}, place.setting());
  INFO(verdict.report);
  CHECK(!verdict.holds);
  REQUIRE(verdict.violation);
  CHECK(verdict.violation->oracle == Oracle::kDurable);
  CHECK(verdict.report.find("the name 'log' in db was lost") != std::string::npos);
  CHECK(verdict.report.find(verdict.case_file) != std::string::npos);
  CHECK(verdict.report.find(verdict.trace_hash) != std::string::npos);

  SECTION("its case file fails with the engine that it came from, and not with the next") {
    const Verdict again = replay_case(*kind, verdict.case_file);
    INFO(again.report);
    CHECK(!again.holds);
    CHECK(again.trace_hash == verdict.trace_hash);
    const Verdict fixed = replay_case(*stage2::kind(), verdict.case_file);
    INFO(fixed.report);
    CHECK(fixed.holds);
  }
  SECTION("what is found does not depend on the number of jobs") {
    TestSetting setting = place.setting();
    setting.jobs = 5;
    CHECK(check_seeds(*kind, {}, setting).report == verdict.report);
  }
}

TEST_CASE("stage 2 of the tutorial's store survives random crashes, and every crash state shows what is wrong with it") {
  const Place place;
  const auto kind = stage2::kind();
  const Verdict random = check_seeds(*kind, {}, place.setting());
  INFO(random.report);
  CHECK(random.holds);
  CHECK(random.cases == 1000);

  const Verdict all = check_all_crash_states(*kind, kStates, place.setting({"bank"}));
  INFO(all.report);
  CHECK(!all.holds);
  CHECK(!all.exhaustive);
  REQUIRE(all.violation);
  CHECK(all.violation->oracle == Oracle::kAtomic);
  CHECK(all.report.find("was torn") != std::string::npos);
  CHECK(!replay_case(*kind, all.case_file).holds);
  CHECK(replay_case(*stage3::kind(), all.case_file).holds);
}

TEST_CASE("stage 3 of the tutorial's store holds in every crash state") {
  const Place place;
  const auto kind = stage3::kind();
  CHECK(check_seeds(*kind, {}, place.setting()).holds);
  const Verdict verdict = check_all_crash_states(*kind, kStates, place.setting({"bank"}));
  INFO(verdict.report);
  CHECK(verdict.holds);
  CHECK(verdict.exhaustive);
  CHECK(verdict.cases == 12);
  CHECK(verdict.crash_points > 100);
  CHECK(verdict.log2_crash_states > 10);
  CHECK(verdict.report.find("every one of the 2^") != std::string::npos);
  CHECK(verdict.case_file.empty());
}

TEST_CASE("a verdict that did not see all says so") {
  const Place place;
  const Verdict verdict =
      check_all_crash_states(*stage3::kind(), {.seeds = 6, .steps = 12, .most_at_point = 20}, place.setting({"kv"}));
  INFO(verdict.report);
  CHECK(verdict.holds);
  CHECK(!verdict.exhaustive);
  CHECK(verdict.report.find("then sampled") != std::string::npos);
}

TEST_CASE("a store is held to what the disk may do to it") {
  const Place place;
  TestSetting setting = place.setting();
  setting.faults = {faultfs::FaultKind::kBitRot};
  const Verdict verdict = check_seeds(*stage3::kind(), {}, setting);
  INFO(verdict.report);
  REQUIRE(verdict.violation);
  CHECK(verdict.violation->oracle == Oracle::kHonest);
}

TEST_CASE("what cannot be judged does not hold, and the report says why") {
  const Place place;
  const auto kind = stage3::kind();
  const Verdict no_workload = check_seeds(*kind, {}, place.setting({"banc"}));
  CHECK(!no_workload.holds);
  CHECK(!no_workload.violation);
  CHECK(no_workload.report.find("no workload is called 'banc'") != std::string::npos);
  CHECK(check_all_crash_states(*kind, {}, place.setting({"sessions"})).report.find("one at a time") != std::string::npos);
  CHECK(replay_case(*kind, place.directory.path() + "/none.json").report.find("not found") != std::string::npos);
  TestSetting no_place = place.setting();
  no_place.case_directory += "/none";
  const Verdict unwritten = check_seeds(*stage1::kind(), {}, no_place);
  CHECK(unwritten.violation);
  CHECK(unwritten.case_file.empty());
  CHECK(unwritten.report.find("the case file could not be written") != std::string::npos);
}

}  // namespace powercut::testing
