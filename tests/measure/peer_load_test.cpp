// The choices of YCSB's core workloads, as its paper has them.
#include "tools/measure/peer_load.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace powercut::measure {
namespace {

using What = Ycsb::Operation;
constexpr std::uint64_t kRows = 1000;
constexpr int kChoices = 20000;

std::vector<Ycsb::Choice> choices(Workload workload, std::uint64_t rows_by_now = kRows) {
  Ycsb ycsb(workload, kRows, 1);
  std::vector<Ycsb::Choice> made;
  for (int at = 0; at < kChoices; ++at) made.push_back(ycsb.next(rows_by_now));
  return made;
}

TEST_CASE("each workload of YCSB has its mix of operations") {
  const std::map<Workload, std::map<What, double>> mixes = {{Workload::kA, {{What::kRead, 0.5}, {What::kUpdate, 0.5}}},
                                                            {Workload::kB, {{What::kRead, 0.95}, {What::kUpdate, 0.05}}},
                                                            {Workload::kC, {{What::kRead, 1}}},
                                                            {Workload::kD, {{What::kRead, 0.95}, {What::kInsert, 0.05}}},
                                                            {Workload::kE, {{What::kScan, 0.95}, {What::kInsert, 0.05}}},
                                                            {Workload::kF, {{What::kRead, 0.5}, {What::kModify, 0.5}}},
                                                            {Workload::kScan, {{What::kScan, 1}}}};
  for (const auto& [workload, mix] : mixes) {
    std::map<What, double> seen;
    for (const auto& choice : choices(workload)) seen[choice.operation] += 1.0 / kChoices;
    CHECK(seen.size() == mix.size());
    for (const auto& [what, part] : mix) CHECK(seen[what] == Approx(part).margin(0.02));
  }
}

TEST_CASE("a few rows are chosen most of the time, and not next to one another") {
  std::map<std::uint64_t, int> seen;
  for (const auto& choice : choices(Workload::kC)) {
    REQUIRE(choice.row < kRows);
    ++seen[choice.row];
  }
  std::vector<std::pair<int, std::uint64_t>> by_count;
  for (const auto& [row, count] : seen) by_count.emplace_back(count, row);
  std::sort(by_count.rbegin(), by_count.rend());
  // Of 1000 ranks with the constant 0.99 the first has 1 part in 7.73.
  CHECK(by_count[0].first == Approx(kChoices / 7.73).epsilon(0.1));
  CHECK(by_count[1].first == Approx(kChoices / 7.73 / 1.986).epsilon(0.1));
  CHECK(by_count[0].second + 1 != by_count[1].second);
}

TEST_CASE("workload D reads the newest rows most") {
  constexpr std::uint64_t kByNow = 5000;
  int newest = 0;
  for (const auto& choice : choices(Workload::kD, kByNow)) {
    if (choice.operation != What::kRead) continue;
    REQUIRE(choice.row < kByNow);
    if (choice.row >= kByNow - 10) ++newest;
  }
  CHECK(newest > kChoices / 3);
}

TEST_CASE("scans are of 1 to 100 rows, and of 100 where there is nothing else") {
  std::uint32_t longest = 0;
  for (const auto& choice : choices(Workload::kE)) longest = std::max(longest, choice.count);
  CHECK(longest == 100);
  for (const auto& choice : choices(Workload::kScan)) REQUIRE(choice.count == 100);
}

}  // namespace
}  // namespace powercut::measure
