// Clients that are threads: what counts, and what ends them.
#include "tools/measure/threads.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

namespace powercut::measure {
namespace {

Load load_of(std::uint32_t clients, double warm_up, double seconds) {
  Load load;
  load.clients = clients;
  load.warm_up_seconds = warm_up;
  load.seconds = seconds;
  return load;
}

void sleep_a_millisecond() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

TEST_CASE("what is done in the warm-up is not counted") {
  std::atomic<std::uint64_t> done = 0;
  const auto measured = run_threads(load_of(2, 0.1, 0.1), [&](std::uint32_t) {
    return Result<Operation>([&](bool) -> Result<Outcome> {
      sleep_a_millisecond();
      ++done;
      return Outcome::kDone;
    });
  });
  REQUIRE(measured.has_value());
  CHECK(measured.value().operations > 0);
  CHECK(measured.value().operations < done * 3 / 4);
  CHECK(measured.value().latency.count() == measured.value().operations);
  CHECK(measured.value().latency.percentile(0.01) >= 990000);
}

TEST_CASE("who gave way is asked again for the same, and takes from the first time on") {
  std::atomic<bool> wrong = false;
  const auto measured = run_threads(load_of(1, 0, 0.1), [&](std::uint32_t) {
    return Result<Operation>([&wrong, times = 0](bool again) mutable -> Result<Outcome> {
      sleep_a_millisecond();
      if (again != (times % 3 != 0)) wrong = true;
      return ++times % 3 == 0 ? Outcome::kDone : Outcome::kGaveWay;
    });
  });
  REQUIRE(measured.has_value());
  CHECK_FALSE(wrong);
  CHECK(measured.value().retries >= 2 * (measured.value().operations - 1));
  CHECK(measured.value().retries <= 2 * (measured.value().operations + 1));
  CHECK(measured.value().latency.percentile(0.01) >= 2970000);
}

TEST_CASE("the first error of a client ends all of them") {
  std::atomic<int> made = 0;
  const auto measured = run_threads(load_of(4, 0, 1000), [&](std::uint32_t client) {
    ++made;
    return Result<Operation>([client](bool) -> Result<Outcome> {
      sleep_a_millisecond();
      if (client == 2) return Error(ErrorCode::kIo, "of client 2");
      return Outcome::kDone;
    });
  });
  REQUIRE(measured.has_error());
  CHECK(measured.error().context() == "of client 2");
  CHECK(made == 4);
}

TEST_CASE("a client that cannot be made is an error of the run") {
  const auto measured = run_threads(load_of(2, 0, 1000), [&](std::uint32_t client) -> Result<Operation> {
    if (client == 1) return Error(ErrorCode::kStopped, "no room");
    return Operation([](bool) -> Result<Outcome> {
      sleep_a_millisecond();
      return Outcome::kDone;
    });
  });
  REQUIRE(measured.has_error());
  CHECK(measured.error().code() == ErrorCode::kStopped);
}

}  // namespace
}  // namespace powercut::measure
