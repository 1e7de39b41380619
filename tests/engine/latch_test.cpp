// Turns in the engine: who is inside, and what stopping the scheduler does to those who wait.
#include "engine/ledger/latch.h"

#include "faultfs/random.h"
#include "tests/support/property.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using faultfs::RandomChoices;
using faultfs::RecordedChoices;
using faultfs::Scheduler;
using ledger::Latch;

struct ForNothing final : Scheduler::Wait {
  std::string text() const override { return "nothing"; }
};

// Fibers that enter, enter again, open and close the latch as they like. What they asked and when they were let in is noted.
class Crowd {
 public:
  explicit Crowd(std::uint64_t seed) : random_(seed) {}

  void run(bool is_stopped) {
    const std::uint32_t fibers = 2 + random_.below(4);
    for (std::uint32_t fiber = 0; fiber < fibers; ++fiber) {
      scheduler_.spawn("one of the crowd", [&] {
        for (std::uint32_t visits = 1 + random_.below(3); visits > 0; --visits) visit();
      });
    }
    if (is_stopped) {
      scheduler_.spawn("who stops all", [&] {
        for (std::uint32_t left = random_.below(8); left > 0; --left) scheduler_.yield("before the stop");
        scheduler_.stop();
      });
    }
    RandomChoices choices(random_.next());
    RC_ASSERT(scheduler_.run(choices).has_value());
    RC_ASSERT(all_holds_);
    let_all_in(fibers + 1);
  }

  const std::vector<std::uint32_t>& asked() const { return asked_; }
  const std::vector<std::uint32_t>& entered() const { return entered_; }
  std::uint32_t refused() const { return refused_; }

 private:
  void visit() {
    scheduler_.yield("before a turn");
    ask();
    const auto turn = latch_.enter();
    if (!is_in(turn)) return;
    for (std::uint32_t things = random_.below(4); things > 0; --things) {
      const auto again = latch_.enter();
      expect(again.has_value());
      if (random_.below(3) == 0) {
        if (!step_out()) return;
      } else if (random_.below(3) == 0) {
        const Latch::Closed closed(latch_);
        expect(!latch_.may_open());
        expect(latch_.opened([&] { return work(); }).has_value());
      } else {
        expect(work().has_value());
      }
    }
    inside_.reset();
  }

  // Others may be inside until this one asks to come back.
  bool step_out() {
    expect(latch_.may_open());
    return is_in(latch_.opened([&]() -> Result<void> {
      inside_.reset();
      scheduler_.yield("outside");
      ask();
      return success();
    }));
  }

  Result<void> work() {
    scheduler_.yield("inside");
    expect(inside_ == scheduler_.current());
    return success();
  }

  // Nobody who was stopped has kept it.
  void let_all_in(std::uint32_t fibers) {
    std::uint32_t entered = 0;
    for (std::uint32_t fiber = 0; fiber < fibers; ++fiber) {
      scheduler_.spawn("one who comes later", [&] { entered += latch_.enter().has_value() ? 1 : 0; });
    }
    RecordedChoices none({});
    RC_ASSERT(scheduler_.run(none).has_value());
    RC_ASSERT(entered == fibers);
  }

  void ask() { asked_.push_back(scheduler_.current()); }

  // What throws in a fiber ends the process, so it is told afterwards.
  void expect(bool holds) { all_holds_ = all_holds_ && holds; }

  template <class Entered>
  bool is_in(const Entered& result) {
    if (result.has_error()) {
      expect(result.error().code() == ErrorCode::kStopped);
      expect(scheduler_.stopped());
      ++refused_;
      return false;
    }
    expect(!inside_);
    inside_ = scheduler_.current();
    entered_.push_back(scheduler_.current());
    return true;
  }

  Random random_;
  Scheduler scheduler_;
  Latch latch_{&scheduler_};
  std::optional<std::uint32_t> inside_;
  std::vector<std::uint32_t> asked_;
  std::vector<std::uint32_t> entered_;
  std::uint32_t refused_ = 0;
  bool all_holds_ = true;
};

std::vector<std::uint32_t> sorted(std::vector<std::uint32_t> fibers) {
  std::sort(fibers.begin(), fibers.end());
  return fibers;
}

}  // namespace

TEST_CASE("one fiber at a time is inside, and all who ask get in") {
  property("turns", [](std::uint64_t seed) {
    Crowd crowd(seed);
    crowd.run(false);
    RC_ASSERT(crowd.refused() == 0U);
    RC_ASSERT(sorted(crowd.entered()) == sorted(crowd.asked()));
  });
}

TEST_CASE("when everything ends, who asks is let in or refused, and never two at once") {
  std::uint32_t refused = 0;
  property("turns at the end", [&](std::uint64_t seed) {
    Crowd crowd(seed);
    crowd.run(true);
    RC_ASSERT(crowd.entered().size() + crowd.refused() == crowd.asked().size());
    refused += crowd.refused();
  });
  CHECK(refused > 10);
}

TEST_CASE("who waits for a turn when everything ends is told so, and is not let in later") {
  Scheduler scheduler;
  Latch latch(&scheduler);
  std::string said;
  scheduler.spawn("waiter", [&] {
    const auto turn = latch.enter();
    REQUIRE(turn.has_error());
    CHECK(turn.error().code() == ErrorCode::kStopped);
    said += "refused ";
  });
  scheduler.spawn("who stops all", [&] {
    CHECK(scheduler.waits_for(0) == "its turn in the engine");
    scheduler.stop();
  });
  scheduler.spawn("holder", [&] {
    const auto turn = latch.enter();
    REQUIRE(turn.has_value());
    const ForNothing wait;
    CHECK(scheduler.park(wait) == Scheduler::Woken::kStopped);
    said += "left";
  });
  RecordedChoices holder_first({2});
  REQUIRE(scheduler.run(holder_first).has_value());
  CHECK(said == "refused left");
  // Handed to nobody: the next one enters at once, and it is not the waiter.
  scheduler.spawn("nobody", [] {});
  scheduler.spawn("next", [&] { CHECK(latch.enter().has_value()); });
  REQUIRE(scheduler.run(holder_first).has_value());
}

TEST_CASE("who is refused on the way back has nothing more to leave") {
  Scheduler scheduler;
  Latch latch(&scheduler);
  bool holder_is_inside = false;
  scheduler.spawn("who stepped out", [&] {
    const auto turn = latch.enter();
    const auto back = latch.opened([&]() -> Result<void> {
      scheduler.yield("outside");
      return success();
    });
    REQUIRE(back.has_error());
    CHECK(back.error().code() == ErrorCode::kStopped);
    CHECK(holder_is_inside);
    CHECK_FALSE(latch.may_open());
  });
  scheduler.spawn("who stops all", [&] { scheduler.stop(); });
  scheduler.spawn("holder", [&] {
    const auto turn = latch.enter();
    holder_is_inside = true;
    const ForNothing wait;
    CHECK(scheduler.park(wait) == Scheduler::Woken::kStopped);
    CHECK(latch.may_open());
    holder_is_inside = false;
  });
  // It steps out, the holder enters, it asks to come back, all ends.
  RecordedChoices choices({0, 2, 1});
  REQUIRE(scheduler.run(choices).has_value());
}

TEST_CASE("opened in a turn within turns, the latch is left at once and comes back at the same depth") {
  Scheduler scheduler;
  Latch latch(&scheduler);
  std::string said;
  scheduler.spawn("a", [&] {
    const auto outer = latch.enter();
    {
      const auto middle = latch.enter();
      const auto inner = latch.enter();
      CHECK(latch
                .opened([&]() -> Result<int> {
                  scheduler.yield("outside");
                  return 7;
                })
                .value() == 7);
      said += "a back, ";
    }
    scheduler.yield("still inside");
    said += "a leaves, ";
  });
  scheduler.spawn("b", [&] {
    {
      const auto turn = latch.enter();
      said += "b inside, ";
      scheduler.yield("inside");
      said += "b leaves, ";
    }
    const auto turn = latch.enter();
    said += "b again, ";
  });
  // Each yield gives the turn to the other.
  RecordedChoices choices({0, 1, 1, 1, 1, 1, 1});
  REQUIRE(scheduler.run(choices).has_value());
  // Who waits does not keep out who is there already.
  CHECK(said == "b inside, b leaves, b again, a back, a leaves, ");
}

TEST_CASE("outside of fibers nobody waits, and nobody is kept out") {
  Scheduler scheduler;
  Latch of_nobody(nullptr);
  Latch of_fibers(&scheduler);
  for (Latch* const latch : {&of_nobody, &of_fibers}) {
    const auto one = latch->enter();
    const auto two = latch->enter();
    CHECK(one.has_value());
    CHECK(two.has_value());
    CHECK_FALSE(latch->may_open());
    CHECK(latch->opened([]() -> Result<int> { return 7; }).value() == 7);
  }
  const auto outside = of_fibers.enter();
  scheduler.spawn("fiber", [&] {
    const auto turn = of_fibers.enter();
    CHECK(turn.has_value());
    CHECK(of_fibers.may_open());
  });
  RecordedChoices none({});
  CHECK(scheduler.run(none).has_value());
  CHECK(none.picks().empty());
}

}  // namespace powercut::testing
