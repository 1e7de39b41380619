#include "properties/model.h"
#include "faultfs/random.h"
#include "tests/support/property.h"

#include <map>

namespace powercut::testing {
using namespace properties;

TEST_CASE("the model keeps what was acknowledged, and forgets what was rolled back") {
  property("model against maps", [](std::uint64_t seed) {
    Random random(seed);
    Model model(2);
    std::map<std::string, std::string> committed;
    for (int round = 0; round < 20; ++round) {
      auto working = committed;
      std::size_t mark = 0;
      auto marked = working;
      for (std::uint32_t left = random.below(8); left > 0; --left) {
        const std::string key = std::to_string(random.below(6));
        const std::string row = std::to_string(random.below(100));
        switch (random.below(4)) {
          case 0:
            model.erase(1, key);
            working.erase(key);
            break;
          case 1:
            mark = model.mark();
            marked = working;
            break;
          case 2:
            model.undo_to(mark);
            working = marked;
            break;
          default:
            model.put(1, key, row);
            working[key] = row;
        }
      }
      const auto same = [](const State& state, const auto& expected) {
        const auto& rows = state.tables[1].rows;
        return std::equal(rows.begin(), rows.end(), expected.begin(), expected.end(),
                          [](const ModelRow& a, const auto& b) { return a.key == b.first && a.row == b.second; });
      };
      RC_ASSERT(same(model.working(), working));
      RC_ASSERT(same(model.committed(), committed));
      if (random.below(3) == 0) {
        model.rolled_back();
      } else {
        model.commit_called();
        RC_ASSERT(model.promise() == Promise::kInDoubt);
        model.acknowledged();
        committed = working;
      }
      RC_ASSERT(same(model.committed(), committed));
      RC_ASSERT(model.working().hash == model.committed().hash);
    }
    // The hash depends on the contents only.
    Model other(2);
    for (const auto& [key, row] : committed) other.put(1, key, row);
    RC_ASSERT(other.working().hash == model.committed().hash);
  });
}

TEST_CASE("a model without some of what was acknowledged holds the rest") {
  Model model(2);
  model.create_table(0);
  model.create_table(1);
  for (const auto& [key, row] : {std::pair("a", "1"), std::pair("b", "1"), std::pair("a", "2")}) {
    model.put(1, key, row);
    model.commit_called();
    model.acknowledged();
  }
  model.put(1, "a", "3");
  model.commit_called();

  const Model no_first = model.with_only({false, true, true});
  CHECK(!no_first.committed().tables[0].exists);
  REQUIRE(no_first.committed().tables[1].rows.size() == 2);
  CHECK(no_first.committed().tables[1].find("a")->row == "2");
  CHECK(no_first.history().size() == 2);
  CHECK(!no_first.history()[1][0].before_exists);
  CHECK(no_first.with(1).tables[1].find("a")->row == "3");

  const Model prefix = model.with_only({true, true, false});
  CHECK(prefix.committed().tables[1].find("a")->row == "1");
  CHECK(prefix.committed().hash == model.without_last().committed().hash);
  CHECK(model.with_only({true, true, true}).committed().hash == model.committed().hash);

  const Model there = model.continued(1);
  CHECK(there.committed().tables[1].find("a")->row == "3");
  CHECK(there.history().size() == 4);
  CHECK(there.in_doubt().empty());
  const Model gone = model.continued(0);
  CHECK(gone.committed().tables[1].find("a")->row == "2");
  CHECK(gone.history().size() == 3);
  CHECK(gone.transaction() == model.transaction());
  CHECK(there.transaction() == model.transaction() + 1);
}

}  // namespace powercut::testing
