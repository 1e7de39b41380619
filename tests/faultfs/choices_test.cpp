#include "faultfs/choices.h"
#include "tests/support/property.h"

namespace powercut::testing {

using namespace faultfs;

TEST_CASE("the same seed picks the same, on every machine") {
  RandomChoices choices(42);
  std::vector<std::uint32_t> picked;
  for (std::uint32_t n = 2; n < 12; ++n) picked.push_back(choices.pick(n, {"test", 0, 0, true}));
  CHECK(picked == std::vector<std::uint32_t>{0, 2, 3, 4, 4, 5, 6, 6, 5, 7});
}

TEST_CASE("what was picked at random can be replayed") {
  property("replayed picks", [] {
    RandomChoices random(*rc::gen::arbitrary<std::uint64_t>());
    std::vector<std::uint32_t> options;
    std::vector<std::uint32_t> picked;
    for (const auto n : *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 9))) {
      options.push_back(static_cast<std::uint32_t>(n));
      picked.push_back(random.pick(options.back(), {"test"}));
      RC_ASSERT(picked.back() < options.back());
    }
    RecordedChoices recorded({random.picks().begin(), random.picks().end()});
    for (std::size_t at = 0; at < options.size(); ++at) RC_ASSERT(recorded.pick(options[at], {"test"}) == picked[at]);
  });
}

TEST_CASE("past its end a recorded list is benign, and any number is a legal pick") {
  RecordedChoices choices({7, 1'000'000});
  CHECK(choices.pick(3, {"test"}) == 1);
  CHECK(choices.pick(2, {"test"}) == 0);
  CHECK(choices.pick(9, {"test"}) == 0);
  CHECK(choices.pick(1, {"nothing to pick"}) == 0);
  CHECK(choices.picks().size() == 3);
}

}  // namespace powercut::testing
