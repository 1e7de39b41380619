// The load of the benchmarks: how often which record is drawn, and which operations a workload is made of.
#include "tools/measure/ycsb.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {
using namespace measure;

constexpr int kDraws = 200'000;

double zeta(std::uint64_t items) {
  double sum = 0;
  for (std::uint64_t n = 1; n <= items; ++n) sum += std::pow(static_cast<double>(n), -0.99);
  return sum;
}

struct Parts {
  std::map<Access, double> of;
  std::uint64_t least_rows = ~std::uint64_t{0};
  std::uint64_t most_rows = 0;
};

Parts parts(Workload workload) {
  Mix mix(workload, 1000);
  Random random(3);
  Parts parts;
  for (int at = 0; at < kDraws; ++at) {
    const RecordOperation operation = mix.next(random);
    parts.of[operation.access] += 1.0 / kDraws;
    if (operation.access == Access::kInsert) {
      mix.inserted(operation.record);
    } else {
      REQUIRE(operation.record < mix.records());
    }
    if (operation.access != Access::kScan) continue;
    parts.least_rows = std::min<std::uint64_t>(parts.least_rows, operation.rows);
    parts.most_rows = std::max<std::uint64_t>(parts.most_rows, operation.rows);
  }
  return parts;
}

}  // namespace

TEST_CASE("zipfian: number n is drawn as often as (n + 1)^-0.99 says") {
  constexpr std::uint64_t kItems = 1000;
  const Zipfian zipfian(kItems);
  Random random(1);
  std::vector<double> often(kItems);
  for (int at = 0; at < kDraws; ++at) {
    const std::uint64_t drawn = zipfian.draw(random);
    REQUIRE(drawn < kItems);
    often[drawn] += 1.0 / kDraws;
  }
  const double all = zeta(kItems);
  CHECK(often[0] == Approx(1 / all).epsilon(0.03));
  CHECK(often[1] == Approx(std::pow(2, -0.99) / all).epsilon(0.03));
  // The formula is an approximation from the third on.
  for (const std::uint64_t first : {10U, 100U, 500U}) {
    double together = 0;
    for (std::uint64_t at = 0; at < first; ++at) together += often[at];
    INFO("the first " << first);
    CHECK(together == Approx(zeta(first) / all).epsilon(0.05));
  }
}

TEST_CASE("zipfian: one that has grown draws as one made of that size") {
  Zipfian grown(10);
  grown.grow(500);
  grown.grow(2000);
  grown.grow(100);  // it does not shrink
  const Zipfian made(2000);
  Random one(5);
  Random other(5);
  for (int at = 0; at < 1000; ++at) REQUIRE(grown.draw(one) == made.draw(other));
}

TEST_CASE("scrambled zipfian: as skewed, but not towards the first") {
  const ScrambledZipfian scrambled(1000);
  Random random(2);
  std::vector<double> often(1000);
  for (int at = 0; at < kDraws; ++at) often.at(scrambled.draw(random)) += 1.0 / kDraws;
  const auto most = static_cast<std::uint64_t>(std::max_element(often.begin(), often.end()) - often.begin());
  CHECK(most == ScrambledZipfian::fnv(0) % 1000);
  CHECK(often[most] == Approx(1 / 26.469).epsilon(0.05));
  double first_half = 0;
  for (int at = 0; at < 500; ++at) first_half += often[static_cast<std::size_t>(at)];
  CHECK(first_half > 0.4);
  CHECK(first_half < 0.6);
}

TEST_CASE("FNV-1a of a number's eight bytes") {
  CHECK(ScrambledZipfian::fnv(0) == 0xa8c7f832281a39c5ULL);
  CHECK(ScrambledZipfian::fnv(1) == 0x89cd31291d2aefa4ULL);
  CHECK(ScrambledZipfian::fnv(0x0102030405060708ULL) == 0xc6d4496e17859d5ULL);
}

TEST_CASE("each workload has the operations of YCSB's in its proportions") {
  const auto about = [](double part) { return Approx(part).margin(0.005); };
  Parts a = parts(Workload::kA);
  CHECK(a.of.size() == 2);
  CHECK(a.of[Access::kRead] == about(0.5));
  CHECK(a.of[Access::kUpdate] == about(0.5));
  Parts b = parts(Workload::kB);
  CHECK(b.of.size() == 2);
  CHECK(b.of[Access::kRead] == about(0.95));
  CHECK(b.of[Access::kUpdate] == about(0.05));
  Parts c = parts(Workload::kC);
  CHECK(c.of.size() == 1);
  CHECK(c.of[Access::kRead] == about(1));
  Parts d = parts(Workload::kD);
  CHECK(d.of.size() == 2);
  CHECK(d.of[Access::kRead] == about(0.95));
  CHECK(d.of[Access::kInsert] == about(0.05));
  Parts e = parts(Workload::kE);
  CHECK(e.of.size() == 2);
  CHECK(e.of[Access::kScan] == about(0.95));
  CHECK(e.of[Access::kInsert] == about(0.05));
  CHECK(e.least_rows == 1);
  CHECK(e.most_rows == 100);
  Parts f = parts(Workload::kF);
  CHECK(f.of.size() == 2);
  CHECK(f.of[Access::kRead] == about(0.5));
  CHECK(f.of[Access::kReadModifyWrite] == about(0.5));
  Parts scan = parts(Workload::kScan);
  CHECK(scan.of.size() == 1);
  CHECK(scan.least_rows == 100);
  CHECK(scan.most_rows == 100);
}

TEST_CASE("reads of the latest are of what was inserted last") {
  Mix mix(Workload::kD, 10000);
  Random random(4);
  int latest_hundred = 0;
  int first_thousand = 0;
  int reads = 0;
  for (int at = 0; at < kDraws; ++at) {
    const RecordOperation operation = mix.next(random);
    if (operation.access == Access::kInsert) {
      mix.inserted(operation.record);
      continue;
    }
    ++reads;
    if (operation.record + 100 >= mix.records()) ++latest_hundred;
    if (mix.records() > 15000 && operation.record < 1000) ++first_thousand;
  }
  CHECK(mix.records() > 10000 + kDraws / 25);
  CHECK(latest_hundred > reads * 2 / 5);
  CHECK(first_thousand > 100);
}

TEST_CASE("a record that is being inserted is drawn only when it and those before it are there") {
  Mix mix(Workload::kD, 100);
  Random random(6);
  std::vector<std::uint64_t> inserts;
  while (inserts.size() < 3) {
    const RecordOperation operation = mix.next(random);
    if (operation.access == Access::kInsert) inserts.push_back(operation.record);
  }
  CHECK(inserts == std::vector<std::uint64_t>{100, 101, 102});
  mix.inserted(101);
  CHECK(mix.records() == 100);
  mix.inserted(100);
  CHECK(mix.records() == 102);
  mix.inserted(102);
  CHECK(mix.records() == 103);
}

TEST_CASE("no two records have the same key") {
  std::set<std::string> keys;
  for (std::uint64_t record = 0; record < 100'000; ++record) keys.emplace(RecordKey(record).view());
  CHECK(keys.size() == 100'000);
}

}  // namespace powercut::testing
