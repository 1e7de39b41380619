// Every interleaving of small programs with at most so many preemptions is visited, and each once.
#include "faultfs/bounded_choices.h"
#include "faultfs/scheduler.h"
#include "tests/faultfs/every_choice.h"
#include "tests/support/property.h"

#include <map>
#include <set>
#include <string>

namespace powercut::testing {

using namespace faultfs;

namespace {

// What each of a few fibers does, a letter a step.
using Program = std::vector<std::string>;

class Forever final : public Scheduler::Wait {
 public:
  std::string text() const override { return "somebody"; }
};

Program some_program(std::uint64_t seed) {
  Random random(seed);
  Program program(2 + random.below(2));
  for (std::string& fiber : program) {
    for (std::uint32_t left = random.below(program.size() == 2 ? 5 : 3); left > 0; --left) fiber += "yypwt"[random.below(5)];
  }
  return program;
}

// y: may be interrupted. p: waits until somebody wakes it, or its time is over. w: wakes all. t: spawns another fiber.
std::string run(const Program& program, Choices& choices) {
  Scheduler scheduler;
  std::string said;
  const Forever forever;
  const auto body = [&](std::size_t number) {
    for (const char step : program[number]) {
      said += static_cast<char>('0' + number);
      if (step == 'y') scheduler.yield("a step");
      if (step == 'p') static_cast<void>(scheduler.park(forever, 10 + number));
      if (step == 't') scheduler.spawn("child", [&said] { said += 'c'; });
      for (FiberId each = 0; step == 'w' && each < program.size(); ++each) scheduler.wake(each);
    }
    said += static_cast<char>('a' + number);
  };
  for (std::size_t number = 0; number < program.size(); ++number) scheduler.spawn("fiber", [&, number] { body(number); });
  REQUIRE(scheduler.run(choices).has_value());
  return said;
}

// Passes the picks on and counts the preemptions among them as their definition says.
class Counting final : public Choices {
 public:
  explicit Counting(Choices& inner) : inner_(inner) {}
  std::uint32_t preemptions() const { return preemptions_; }
  const std::vector<std::uint32_t>& picks() const { return picks_; }

 private:
  std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) override {
    const std::uint32_t picked = inner_.pick(n, label);
    preemptions_ += picked >= label.free_options ? 1 : 0;
    picks_.push_back(picked);
    return picked;
  }

  Choices& inner_;
  std::uint32_t preemptions_ = 0;
  std::vector<std::uint32_t> picks_;
};

}  // namespace

TEST_CASE("every schedule with so many preemptions or fewer is visited exactly once") {
  std::uint64_t schedules = 0;
  property("bounded choices", [&](std::uint64_t seed) {
    const Program program = some_program(seed);
    // By brute force: every schedule, with its preemptions and what it makes of the program.
    std::map<std::vector<std::uint32_t>, std::pair<std::uint32_t, std::string>> all;
    std::uint32_t most = 0;
    EveryChoice every;
    do {
      every.rewind();
      Counting counting(every);
      const std::string said = run(program, counting);
      all.emplace(counting.picks(), std::pair(counting.preemptions(), said));
      most = std::max(most, counting.preemptions());
      if (all.size() > 20'000) return;
    } while (every.advance());

    for (std::uint32_t bound = 0; bound <= most + 1; ++bound) {
      BoundedChoices choices;
      choices.start(bound);
      std::set<std::vector<std::uint32_t>> visited;
      while (choices.next()) {
        Counting counting(choices);
        const std::string said = run(program, counting);
        RC_ASSERT(!choices.diverged());
        RC_ASSERT(choices.preemptions() == counting.preemptions());
        RC_ASSERT(counting.preemptions() <= bound);
        RC_ASSERT(visited.insert(counting.picks()).second);
        RC_ASSERT(all.at(counting.picks()) == std::pair(counting.preemptions(), said));
      }
      std::size_t expected = 0;
      for (const auto& [picks, what] : all) expected += what.first <= bound ? 1 : 0;
      RC_ASSERT(visited.size() == expected);
      RC_ASSERT(choices.bounded() == (bound < most));
    }
    schedules += all.size();
  });
  CHECK(schedules > 1'000);  // the programs drawn are not all trivial
}

TEST_CASE("without a preemption each fiber runs until it waits or ends, in every order") {
  BoundedChoices choices;
  choices.start(0);
  std::multiset<std::string> said;
  while (choices.next()) said.insert(run({"yy", "y", "y"}, choices));
  CHECK(said == std::multiset<std::string>{"00a1b2c", "00a2c1b", "1b00a2c", "1b2c00a", "2c00a1b", "2c1b00a"});
  CHECK(choices.bounded());
}

TEST_CASE("a program that asks other questions the second time is found out") {
  BoundedChoices choices;
  choices.start(1);
  REQUIRE(choices.next());
  static_cast<void>(choices.pick(3, {"fiber"}));
  CHECK_FALSE(choices.diverged());
  REQUIRE(choices.next());
  static_cast<void>(choices.pick(2, {"fiber"}));
  CHECK(choices.diverged());
}

}  // namespace powercut::testing
