// What the device's own limit is measured by.
#include "tools/measure/device.h"
#include "tests/support/temporary_directory.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace powercut::measure {
namespace {

using testing::TemporaryDirectory;

TEST_CASE("a round measures each way at each size, and removes its file") {
  const TemporaryDirectory directory;
  const auto rates = measure_device({directory.path(), 0.02});
  REQUIRE(rates.has_value());
  std::set<std::pair<std::string, std::size_t>> measured;
  for (const DeviceRate& rate : rates.value()) {
    INFO(rate.way << ", " << rate.bytes << " bytes");
    CHECK(rate.writes_a_second > 0);
    measured.emplace(rate.way, rate.bytes);
  }
  CHECK(measured.size() == rates.value().size());
  for (const std::size_t bytes : {512U, 4096U, 65536U, 524288U}) CHECK(measured.contains({std::string(kWriteAndSync), bytes}));
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a write counts when the device was flushed for it, whichever way it was asked") {
  const TemporaryDirectory directory;
  constexpr double kSeconds = 0.02;
  const auto rates = measure_device({directory.path(), kSeconds});
  REQUIRE(rates.has_value());
  const bool counts =
      std::any_of(rates.value().begin(), rates.value().end(), [](const DeviceRate& rate) { return rate.device_flushes > 0; });
  if (!counts) return;  // no block device, or one without a cache that must be flushed
  for (const DeviceRate& rate : rates.value()) {
    INFO(rate.way << ", " << rate.bytes << " bytes");
    // The last write may end late, and the next is not begun.
    CHECK(static_cast<double>(rate.device_flushes) >= rate.writes_a_second * kSeconds - 1);
  }
}

TEST_CASE("a round that is interrupted ends at once") {
  const TemporaryDirectory directory;
  const std::atomic<bool> interrupted = true;
  const auto rates = measure_device({directory.path(), 1000, &interrupted});
  REQUIRE(rates.has_value());
  CHECK(rates.value().empty());
}

TEST_CASE("a directory that is not there is an error") {
  const auto rates = measure_device({"/nowhere/at/all", 0.01});
  REQUIRE(rates.has_error());
  CHECK(rates.error().code() == ErrorCode::kNotFound);
}

}  // namespace
}  // namespace powercut::measure
