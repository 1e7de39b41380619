#include "faultfs/exhaustive_choices.h"
#include "tests/support/property.h"

#include <algorithm>
#include <map>
#include <set>

namespace powercut::testing {

using namespace faultfs;
using Picks = std::vector<std::uint32_t>;

namespace {

// A system whose questions depend on the answers: what is asked, and how often, hangs on a hash of what was answered.
void run(Choices& choices, std::uint64_t seed, std::uint32_t most) {
  std::uint64_t state = seed;
  for (std::uint32_t question = 0; question < most; ++question) {
    if (mix64(state) % 8 == 0) return;
    state = combine(state, choices.pick(1 + static_cast<std::uint32_t>(mix64(state) / 8 % 4), {"test"}));
  }
}

// Every list, by plain depth-first search.
std::set<Picks> all_lists(std::uint64_t seed, std::uint32_t most) {
  std::set<Picks> all;
  struct Search final : Choices {
    Picks prefix;
    Picks taken;
    Picks options;
    std::uint32_t choose(std::uint32_t n, const ChoiceLabel& /*label*/) override {
      taken.push_back(taken.size() < prefix.size() ? prefix[taken.size()] : 0);
      options.push_back(n);
      return taken.back();
    }
  } search;
  for (;;) {
    search.taken.clear();
    search.options.clear();
    run(search, seed, most);
    all.insert(search.taken);
    search.prefix = search.taken;
    while (!search.prefix.empty() && search.prefix.back() + 1 == search.options[search.prefix.size() - 1]) search.prefix.pop_back();
    if (search.prefix.empty()) return all;
    ++search.prefix.back();
  }
}

}  // namespace

TEST_CASE("every list of picks is visited exactly once, fewer deviations first") {
  property("exhaustive choices", [] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const auto expected = all_lists(seed, 7);
    for (const auto base : {ExhaustiveChoices::Base::kFirst, ExhaustiveChoices::Base::kLast}) {
      ExhaustiveChoices choices;
      choices.start(base);
      std::set<Picks> visited;
      std::uint32_t deviations = 0;
      while (choices.next()) {
        RC_ASSERT(choices.deviations() >= deviations);
        deviations = choices.deviations();
        run(choices, seed, 7);
        RC_ASSERT(!choices.diverged());
        RC_ASSERT(visited.insert({choices.picks().begin(), choices.picks().end()}).second);
      }
      RC_ASSERT(visited == expected);
      RC_ASSERT(choices.exhausted());
      RC_ASSERT(choices.complete_to() == static_cast<int>(deviations));
    }
  });
}

TEST_CASE("what happens after the last deviation is fresh, and nothing fresh happens twice") {
  property("fresh", [] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    ExhaustiveChoices choices;
    choices.start(ExhaustiveChoices::Base::kFirst);
    std::map<Picks, int> seen;
    struct Watched final : Choices {
      ExhaustiveChoices& inner;
      std::map<Picks, int>& seen;
      Watched(ExhaustiveChoices& choices_to_watch, std::map<Picks, int>& where) : inner(choices_to_watch), seen(where) {}
      std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) override {
        if (inner.fresh()) ++seen[{inner.picks().begin(), inner.picks().end()}];
        return inner.pick(n, label);
      }
    } watched(choices, seen);
    std::set<Picks> prefixes;
    while (choices.next()) {
      run(watched, seed, 6);
      for (std::size_t length = 0; length < choices.picks().size(); ++length) {
        prefixes.insert({choices.picks().begin(), choices.picks().begin() + static_cast<std::ptrdiff_t>(length)});
      }
    }
    RC_ASSERT(seen.size() == prefixes.size());
    for (const auto& [prefix, times] : seen) RC_ASSERT(times == 1);
  });
}

TEST_CASE("runs that are cut short are told: complete up to so many deviations") {
  const auto flat = [](Choices& choices) {
    for (int question = 0; question < 10; ++question) static_cast<void>(choices.pick(2, {"test"}));
  };
  ExhaustiveChoices choices;
  choices.start(ExhaustiveChoices::Base::kFirst);
  const auto made = [&](int runs) {
    for (int run = 0; run < runs && choices.next(); ++run) flat(choices);
  };
  made(1);
  CHECK(choices.complete_to() == 0);
  made(9);
  CHECK(choices.complete_to() == 0);
  made(1);
  CHECK(choices.complete_to() == 1);
  made(45);
  CHECK(choices.complete_to() == 2);
  CHECK_FALSE(choices.exhausted());
  made(2000);
  CHECK(choices.exhausted());
  CHECK(choices.known_runs() == 1024);

  // Room for the losses of one, not of two.
  choices.start(ExhaustiveChoices::Base::kFirst, 16);
  made(2000);
  CHECK_FALSE(choices.exhausted());
  CHECK(choices.complete_to() == 1);
}

TEST_CASE("a system that asks other questions the second time is found out") {
  ExhaustiveChoices choices;
  choices.start(ExhaustiveChoices::Base::kFirst);
  REQUIRE(choices.next());
  static_cast<void>(choices.pick(3, {"test"}));
  CHECK_FALSE(choices.diverged());
  REQUIRE(choices.next());
  CHECK(choices.diverged());
}

}  // namespace powercut::testing
