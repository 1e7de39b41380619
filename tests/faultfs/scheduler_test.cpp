#include "faultfs/scheduler.h"

#include "faultfs/choices.h"
#include "faultfs/random.h"

#include <catch2/catch.hpp>

#include <deque>
#include <string>
#include <vector>

namespace powercut::faultfs {
namespace {

struct For final : Scheduler::Wait {
  explicit For(std::string text_of_it) : what(std::move(text_of_it)) {}
  std::string text() const override { return what; }
  std::string what;
};

// Three fibers that each say their letter three times and yield in between.
std::string letters(Scheduler& scheduler, Choices& choices) {
  std::string said;
  for (const char letter : {'a', 'b', 'c'}) {
    scheduler.spawn(std::string(1, letter), [&scheduler, &said, letter] {
      for (int time = 0; time < 3; ++time) {
        said += letter;
        scheduler.yield("a letter");
      }
    });
  }
  REQUIRE(scheduler.run(choices).has_value());
  return said;
}

TEST_CASE("with pick 0 a fiber goes on until it ends") {
  Scheduler scheduler;
  RecordedChoices choices({});
  CHECK(letters(scheduler, choices) == "aaabbbccc");
}

TEST_CASE("a pick decides who goes on, and the same picks give the same interleaving") {
  Scheduler scheduler;
  RecordedChoices choices({0, 1, 0, 0, 1});
  const std::string said = letters(scheduler, choices);
  CHECK(said == "abbbcccaa");
  RandomChoices random(7);
  const std::string drawn = letters(scheduler, random);
  RecordedChoices again({random.picks().begin(), random.picks().end()});
  CHECK(letters(scheduler, again) == drawn);
  CHECK(std::vector(again.picks().begin(), again.picks().end()) == std::vector(random.picks().begin(), random.picks().end()));
}

TEST_CASE("a parked fiber goes on when it is woken, after those that were ready before it") {
  Scheduler scheduler;
  RecordedChoices choices({});
  std::string said;
  const For wait("b");
  scheduler.spawn("a", [&] {
    CHECK(scheduler.park(wait) == Scheduler::Woken::kWoken);
    said += 'a';
  });
  scheduler.spawn("b", [&] {
    CHECK(scheduler.is_parked(0));
    CHECK(scheduler.waits_for(0) == "b");
    scheduler.wake(0);
    scheduler.wake(0);
    CHECK_FALSE(scheduler.is_parked(0));
    said += 'b';
  });
  scheduler.spawn("c", [&] { said += 'c'; });
  REQUIRE(scheduler.run(choices).has_value());
  CHECK(said == "bca");
}

TEST_CASE("a limit ends a wait where nothing else can go on, and earlier if a pick says so") {
  for (const bool early : {false, true}) {
    Scheduler scheduler;
    RecordedChoices choices(early ? std::vector<std::uint32_t>{0, 1} : std::vector<std::uint32_t>{});
    const For wait("nobody");
    std::string said;
    scheduler.spawn("a", [&] {
      CHECK(scheduler.park(wait, 500) == Scheduler::Woken::kTimedOut);
      CHECK(scheduler.now() == 500);
      said += 'a';
    });
    scheduler.spawn("b", [&] {
      scheduler.yield("once");
      said += 'b';
    });
    REQUIRE(scheduler.run(choices).has_value());
    CHECK(said == (early ? "ab" : "ba"));
  }
}

TEST_CASE("limits end in their order, and time does not go back") {
  Scheduler scheduler;
  RecordedChoices choices({});
  const For wait("nobody");
  std::string said;
  for (const std::uint64_t limit : {300U, 100U, 200U}) {
    scheduler.spawn("fiber", [&, limit] {
      CHECK(scheduler.park(wait, limit) == Scheduler::Woken::kTimedOut);
      CHECK(scheduler.now() == limit);
      said += std::to_string(limit) + " ";
    });
  }
  REQUIRE(scheduler.run(choices).has_value());
  CHECK(said == "100 200 300 ");
}

TEST_CASE("fibers that wait for ever are stopped and named with what they wait for") {
  Scheduler scheduler;
  RecordedChoices choices({});
  const For rain("rain");
  const For sun("sun");
  int stopped = 0;
  scheduler.spawn("farmer", [&] { stopped += scheduler.park(rain) == Scheduler::Woken::kStopped; });
  scheduler.spawn("bather", [&] {
    stopped += scheduler.park(sun) == Scheduler::Woken::kStopped;
    stopped += scheduler.park(sun) == Scheduler::Woken::kStopped;
  });
  const auto ran = scheduler.run(choices);
  REQUIRE(ran.has_error());
  CHECK(ran.error().message() == "deadlock: farmer waits for ever for rain; bather waits for ever for sun");
  CHECK(stopped == 3);
}

TEST_CASE("stopping ends every wait and asks nothing more") {
  Scheduler scheduler;
  RecordedChoices choices({});
  const For wait("nobody");
  std::string said;
  scheduler.spawn("a", [&] {
    CHECK(scheduler.park(wait) == Scheduler::Woken::kStopped);
    said += 'a';
  });
  scheduler.spawn("b", [&] {
    scheduler.stop();
    const std::size_t asked = choices.picks().size();
    scheduler.yield("nothing");
    CHECK(choices.picks().size() == asked);
    said += 'b';
  });
  REQUIRE(scheduler.run(choices).has_value());
  CHECK(said == "ba");
}

TEST_CASE("fibers may spawn fibers, and a scheduler runs again") {
  Scheduler scheduler;
  for (int round = 0; round < 3; ++round) {
    RecordedChoices choices({});
    int ran = 0;
    scheduler.spawn("parent", [&] {
      for (int child = 0; child < 20; ++child) {
        scheduler.spawn("child", [&] { ++ran; });
      }
      scheduler.yield("children");
    });
    REQUIRE(scheduler.run(choices).has_value());
    CHECK(ran == 20);
  }
}

TEST_CASE("a random schedule runs thousands of switches on small stacks") {
  Scheduler scheduler(32768);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    RandomChoices choices(seed);
    std::uint64_t sum = 0;
    std::uint64_t expected = 0;
    const For wait("the next");
    for (std::uint32_t fiber = 0; fiber < 50; ++fiber) {
      expected += std::uint64_t{fiber} * 40;
      scheduler.spawn("fiber", [&, fiber] {
        Random random(combine(seed, fiber));
        for (int time = 0; time < 40; ++time) {
          sum += fiber;
          if (random.below(4) == 0) {
            static_cast<void>(scheduler.park(wait, 1 + random.below(1000)));
          } else if (random.below(2) == 0) {
            scheduler.wake(random.below(50));
          } else {
            scheduler.yield("on");
          }
        }
      });
    }
    REQUIRE(scheduler.run(choices).has_value());
    CHECK(sum == expected);
  }
}

// Requests that complete one after another, each 100 nanoseconds after the one before; waiting makes the clock go on.
class Slow final : public Completions {
 public:
  explicit Slow(Scheduler& scheduler) : scheduler_(scheduler) { scheduler.set_completions(this); }

  void run() {
    requests_.push_back(scheduler_.current());
    CHECK(scheduler_.park(For("a request")) == Scheduler::Woken::kWoken);
  }

  bool pending() const override { return !requests_.empty(); }
  void poll() override {
    ++polls;
    if (!requests_.empty()) complete();
  }
  void wait(std::uint64_t nanoseconds) override {
    REQUIRE((pending() || nanoseconds != Scheduler::kNoLimit));
    if (!pending() || nanoseconds < 100) {
      time += nanoseconds;
    } else if (early) {
      early = false;
    } else {
      complete();
    }
  }
  std::uint64_t clock() const override { return time; }

  int polls = 0;
  bool early = true;  // the first wait returns for no reason
  std::uint64_t time = 1000;

 private:
  void complete() {
    time += 100;
    scheduler_.wake(requests_.front());
    requests_.pop_front();
  }

  Scheduler& scheduler_;
  std::deque<FiberId> requests_;
};

TEST_CASE("where every fiber waits for completions, the scheduler waits for them too") {
  Scheduler scheduler;
  Slow slow(scheduler);
  FirstChoice choices;
  std::string said;
  for (const char letter : {'a', 'b', 'c'}) {
    scheduler.spawn(std::string(1, letter), [&, letter] {
      slow.run();
      said += letter;
      slow.run();
      said += letter;
    });
  }
  REQUIRE(scheduler.run(choices).has_value());
  CHECK(said == "abcabc");
  CHECK(scheduler.now() == 600);
}

TEST_CASE("with completions a limit ends by their clock, and no pick ends it early") {
  Scheduler scheduler;
  Slow slow(scheduler);
  RandomChoices choices(3);
  const For nobody("nobody");
  std::uint64_t ended = 0;
  scheduler.spawn("requests", [&] {
    for (int time = 0; time < 10; ++time) slow.run();
    const std::uint64_t begin = scheduler.now();
    CHECK(scheduler.park(nobody, 5000) == Scheduler::Woken::kTimedOut);
    CHECK(scheduler.now() == begin + 5000);
  });
  scheduler.spawn("limited", [&] {
    CHECK(scheduler.park(nobody, 450) == Scheduler::Woken::kTimedOut);
    ended = scheduler.now();
  });
  REQUIRE(scheduler.run(choices).has_value());
  CHECK(ended == 450);
}

TEST_CASE("a fiber that only yields starves neither completions nor limits nor other fibers") {
  Scheduler scheduler;
  Slow slow(scheduler);
  FirstChoice choices;
  const For nobody("nobody");
  bool completed = false;
  bool limited = false;
  bool ran = false;
  scheduler.spawn("busy", [&] {
    for (int turn = 0; turn < 100'000 && !(completed && limited && ran); ++turn) {
      ++slow.time;
      scheduler.yield("busy");
    }
    CHECK((completed && limited && ran));
  });
  scheduler.spawn("request", [&] {
    slow.run();
    completed = true;
  });
  scheduler.spawn("limited", [&] { limited = scheduler.park(nobody, 50) == Scheduler::Woken::kTimedOut; });
  scheduler.spawn("ready", [&] { ran = true; });
  REQUIRE(scheduler.run(choices).has_value());
  CHECK(slow.polls > 0);
}

TEST_CASE("with completions too, fibers that nothing can wake are named") {
  Scheduler scheduler;
  Slow slow(scheduler);
  FirstChoice choices;
  const For rain("rain");
  scheduler.spawn("requests", [&] { slow.run(); });
  scheduler.spawn("farmer", [&] { CHECK(scheduler.park(rain) == Scheduler::Woken::kStopped); });
  const auto ran = scheduler.run(choices);
  REQUIRE(ran.has_error());
  CHECK(ran.error().message() == "deadlock: farmer waits for ever for rain");
}

}  // namespace
}  // namespace powercut::faultfs
