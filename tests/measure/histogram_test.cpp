// Percentiles of counted values against those of the sorted values themselves.
#include "tools/measure/histogram.h"

#include "faultfs/random.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace powercut::testing {
namespace {
using measure::Histogram;

// The least value that at least `thousandths` of all do not exceed.
std::uint64_t exact(std::vector<std::uint64_t> values, std::uint64_t thousandths) {
  std::sort(values.begin(), values.end());
  const std::uint64_t wanted = std::max<std::uint64_t>(1, (values.size() * thousandths + 999) / 1000);
  return values[wanted - 1];
}

}  // namespace

TEST_CASE("a percentile is at most 1 % above the exact one, and never below it") {
  Random random(1);
  for (const unsigned most_bits : {6U, 8U, 20U, 40U, 64U}) {
    for (const std::size_t count : {1U, 2U, 10U, 999U, 1000U, 30000U}) {
      std::vector<std::uint64_t> values;
      Histogram histogram;
      for (std::size_t at = 0; at < count; ++at) {
        values.push_back(random.next() >> (64 - most_bits) >> random.below(most_bits));
        histogram.add(values.back());
      }
      for (const std::uint64_t thousandths : {1U, 70U, 500U, 900U, 990U, 999U, 1000U}) {
        INFO(most_bits << " bits, " << count << " values, " << thousandths << " thousandths");
        const std::uint64_t expected = exact(values, thousandths);
        const std::uint64_t got = histogram.percentile(static_cast<double>(thousandths) / 1000);
        CHECK(got >= expected);
        CHECK(got - expected <= expected / 100);
      }
      CHECK(histogram.percentile(1) == *std::max_element(values.begin(), values.end()));
    }
  }
}

TEST_CASE("values below 128 are kept as they are") {
  for (std::uint64_t value = 0; value < 256; ++value) {
    Histogram histogram;
    histogram.add(value);
    histogram.add(1000);
    const std::uint64_t got = histogram.percentile(0.5);
    CHECK(got >= value);
    CHECK(got - value <= (value < 128 ? 0 : 1));
  }
}

TEST_CASE("a part that is exact is not rounded up to the next value") {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.add(value);
  for (std::uint64_t hundredths = 1; hundredths <= 100; ++hundredths) {
    CHECK(histogram.percentile(static_cast<double>(hundredths) / 100) == hundredths);
  }
}

TEST_CASE("a histogram of none, of one, and of the greatest value") {
  Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.percentile(0.99) == 0);
  CHECK(histogram.mean() == 0);
  histogram.add(std::numeric_limits<std::uint64_t>::max());
  CHECK(histogram.percentile(0) == std::numeric_limits<std::uint64_t>::max());
  CHECK(histogram.most() == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("histograms that are added together are as one that saw all the values") {
  Random random(2);
  Histogram one;
  Histogram other;
  Histogram both;
  for (int at = 0; at < 5000; ++at) {
    const std::uint64_t value = random.below(1'000'000);
    (at % 3 == 0 ? one : other).add(value);
    both.add(value);
  }
  one.add(other);
  CHECK(one.count() == both.count());
  CHECK(one.mean() == both.mean());
  CHECK(one.most() == both.most());
  for (const double part : {0.01, 0.5, 0.9, 0.999}) CHECK(one.percentile(part) == both.percentile(part));
}

}  // namespace powercut::testing
