#include "tools/measure/threads.h"

#include <sys/resource.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

namespace powercut::measure {
namespace {

using Clock = std::chrono::steady_clock;

enum class Phase : unsigned char { kWarmUp, kCounted, kOver };

struct Client {
  std::uint64_t operations = 0;
  std::uint64_t retries = 0;
  Histogram latency;
  std::optional<Error> error;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t nanoseconds(Clock::duration time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

Result<void> repeat(const Operation& operation, const std::atomic<Phase>& phase, Client& client) {
  auto begin = Clock::now();
  bool again = false;
  for (Phase now = Phase::kWarmUp; now != Phase::kOver;) {
    POWERCUT_TRY(const Outcome outcome, operation(again));
    again = outcome == Outcome::kGaveWay;
    now = phase.load(std::memory_order_relaxed);
    if (again) {
      if (now == Phase::kCounted) ++client.retries;
      continue;
    }
    const auto end = Clock::now();
    if (now == Phase::kCounted) {
      ++client.operations;
      client.latency.add(nanoseconds(end - begin));
    }
    begin = end;
  }
  return success();
}

// Sleeps until then, unless something ends the run before.
template <class IsOver>
void sleep_until(Clock::time_point then, const IsOver& is_over) {
  constexpr auto kStep = std::chrono::milliseconds(10);
  for (auto now = Clock::now(); now < then && !is_over(); now = Clock::now()) {
    std::this_thread::sleep_for(std::min<Clock::duration>(kStep, then - now));
  }
}

Clock::duration duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

Result<Measured> run_threads(const Load& load, const MakeOperation& make) {
  std::vector<Client> clients(load.clients);
  std::atomic<Phase> phase = Phase::kWarmUp;
  std::atomic<bool> failed = false;
  std::barrier<> made(static_cast<std::ptrdiff_t>(load.clients) + 1);

  std::vector<std::thread> threads;
  for (std::uint32_t number = 0; number < load.clients; ++number) {
    threads.emplace_back([&, number] {
      Client& client = clients[number];
      const auto operation = make(number);
      made.arrive_and_wait();
      const Result<void> ended = operation.has_error() ? operation.as_failure() : repeat(operation.value(), phase, client);
      if (!ended.has_error()) return;
      client.error = ended.error();
      failed = true;
    });
  }
  made.arrive_and_wait();

  const auto is_over = [&] { return failed || (load.interrupted != nullptr && *load.interrupted); };
  const auto warm_up_end = Clock::now() + duration(load.warm_up_seconds);
  sleep_until(warm_up_end, is_over);
  Measured measured;
  const double cpu_before = cpu_seconds();
  const auto begin = Clock::now();
  phase = Phase::kCounted;
  sleep_until(begin + duration(load.seconds), is_over);
  phase = Phase::kOver;
  measured.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  measured.cpu_seconds = cpu_seconds() - cpu_before;
  for (std::thread& thread : threads) thread.join();

  for (const Client& client : clients) {
    if (client.error) return *client.error;
    measured.operations += client.operations;
    measured.retries += client.retries;
    measured.latency.add(client.latency);
  }
  return measured;
}

}  // namespace powercut::measure
