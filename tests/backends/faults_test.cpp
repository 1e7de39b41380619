// The engine on real directories when operations fail, as in the simulator (tests/recovery/io_error_test.cpp): each answer is
// an error or right, and what the next process finds is what the user was told.
#include "faultfs/random.h"
#include "properties/model_comparison.h"
#include "properties/session_driver.h"
#include "recovery/ledger_engine.h"
#include "tests/backends/real_places.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/property.h"

#include <array>

namespace powercut::testing {
namespace {

using namespace properties;

const std::vector<engine::Option> kSmall{{"frames", "8"}, {"segment", "16384"}};

// One session's steps with a fault, and a new process where the engine refuses to go on.
class FaultyRun {
 public:
  FaultyRun(const Place& place, const Workload& workload, const Fault& fault, std::size_t most_bytes,
            const std::vector<std::string>& defects = {})
      : workload_(workload),
        engine_(std::move(kind_->make(kSmall, defects)).value()),
        ground_(place),
        faulty_(*ground_.files),
        model_(workload.tables().size()),
        driver_(workload, model_, {}) {
    faulty_.break_with(fault);
    if (most_bytes > 0) faulty_.set_most_bytes(most_bytes);
    driver_.expect_failures({[this] { return faulty_.hits() > 0; }, [this] { faulty_.mend(); }});
  }

  // Whether the fault hit.
  bool run(const Steps& steps) {
    open();
    for (const Step& step : steps) {
      do_step(step);
      if (&step == &steps.front() && !model_.committed().tables[0].exists) {
        faulty_.mend();
        do_step(step);
        RC_ASSERT(model_.committed().tables[0].exists);
      }
    }
    const bool hit = faulty_.hits() > 0;
    faulty_.mend();
    for (int time = 0; time < 2; ++time) {
      restart();
      compare(steps.front());
    }
    return hit;
  }

 private:
  void do_step(const Step& step) {
    if (step.kind == StepKind::kCheckpoint) {
      expect(database_->checkpoint());
    } else if (step.kind == StepKind::kReopen) {
      session_.reset();
      expect(database_->close());
      if (database_ != nullptr) restart();
    } else {
      holds(driver_.run(*database_, *session_, step));
      if (driver_.stopped()) restart();
    }
  }

  void expect(const Result<void>& answer) {
    if (answer.has_value()) return;
    INFO(answer.error().message());
    RC_ASSERT(faulty_.hits() > 0);
    RC_ASSERT(is_disk_failure(answer.error().code()));
    restart();
  }

  // The process ends, and another opens the database: with the fault if that still lasts, else without.
  void restart() {
    session_.reset();
    database_.reset();
    open();
    const auto present = driver_.in_doubt_is_there(*session_);
    RC_ASSERT(present.has_value());
    if (present.value()) {
      model_.acknowledged();
    } else {
      model_.rolled_back();
    }
  }

  void open() {
    auto opened = engine_->open(faulty_, "db");
    if (opened.has_error()) {
      RC_ASSERT(faulty_.hits() > 0);
      RC_ASSERT(is_disk_failure(opened.error().code()));
      faulty_.mend();
      opened = engine_->open(faulty_, "db");
      if (opened.has_error()) RC_FAIL(opened.error().message());
    }
    database_ = std::move(opened).value();
    // Recovery met the fault behind what it needed; what follows needs it all.
    if (faulty_.hits() > 0) faulty_.mend();
    session_ = std::move(database_->new_session()).value();
  }

  void compare(const Step& set_up) {
    ModelComparison comparison(workload_);
    std::optional<Present> found = 0;
    holds(comparison.compare(*database_, *session_, {model_, set_up, set_up}, found));
  }

  static void holds(const std::optional<Violation>& violation) {
    if (!violation) return;
    std::string text = std::string(to_string(violation->oracle)) + ": " + violation->summary;
    for (const std::string& difference : violation->differences) text += "\n" + difference;
    RC_FAIL(text);
  }

  const Workload& workload_;
  std::unique_ptr<engine::EngineKind> kind_ = recovery::make_ledger_kind();
  std::unique_ptr<engine::Engine> engine_;
  Ground ground_;
  FaultyFileSystem faulty_;
  Model model_;
  SessionDriver driver_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
};

Fault draw_fault(Random& random) {
  static constexpr std::array<ErrorCode, 2> kCodes{ErrorCode::kIo, ErrorCode::kNoSpace};
  static constexpr std::array<Fault::Done, 3> kDone{Fault::Done::kNothing, Fault::Done::kHalf, Fault::Done::kAll};
  Fault fault;
  fault.kind = static_cast<FaultKind>(random.below(kFaultKinds));
  fault.at = random.below(1U << random.below(8));
  fault.lasting = random.below(2) == 0;
  fault.code = fault.kind == FaultKind::kGrow ? ErrorCode::kNoSpace : kCodes[random.below(fault.kind == FaultKind::kWrite ? 2 : 1)];
  fault.done = fault.kind == FaultKind::kName ? Fault::Done::kNothing : kDone[random.below(3)];
  return fault;
}

}  // namespace

TEST_CASE("operations that fail on real directories cost no acknowledged transaction and leave no half one") {
  for (const Place& place : real_places_of_tests()) {
    std::array<std::uint64_t, kFaultKinds> hits{};
    property(
        "faults on " + place.name,
        [&](std::uint64_t seed) {
          Random random(seed);
          const Workload& workload = *workloads_alone()[random.below(3)];
          const Fault fault = draw_fault(random);
          const std::size_t most_bytes = random.below(4) == 0 ? 512 + random.below(8192) : 0;
          const Steps steps = steps_of_seed(workload, seed, {10, 40}).value();
          const bool hit = FaultyRun(place, workload, fault, most_bytes).run(steps);
          hits[static_cast<std::size_t>(fault.kind)] += hit ? 1 : 0;
        },
        0.6);
    for (const std::uint64_t times : hits) CHECK(times > 0);
  }
}

TEST_CASE("an engine that does not look at what a write answered is found out on a real directory") {
  const Place place{"POSIX", Place::Kind::kPosix, POWERCUT_BUILD_DIRECTORY};
  for (const std::string defect : {"page-write-error-ignored", "page-written-short"}) {
    INFO(defect);
    bool found = false;
    for (std::uint64_t seed = 1; seed <= 2000 && !found; ++seed) {
      Random random(seed);
      const Workload& workload = *find_workload("kv").value();
      const Fault fault{FaultKind::kWrite, random.below(64), true, ErrorCode::kIo, Fault::Done::kNothing};
      const std::size_t most_bytes = defect == "page-written-short" ? 512 : 0;
      try {
        FaultyRun(place, workload, fault, most_bytes, {defect}).run(steps_of_seed(workload, seed, {20, 60}).value());
      } catch (const rc::detail::CaseResult& failed) {
        found = failed.type == rc::detail::CaseResult::Type::Failure;
      }
    }
    CHECK(found);
  }
}

}  // namespace powercut::testing
