// What do fibers and locks cost beside the least that a switch can? Six loops, each the median of 11 rounds, the rounds of
// all in turn so that a slow moment of the machine hits them alike. The ratio to the bare switch is what counts;
// nanoseconds are of this machine and this moment.
#include "bare_loop.h"
#include "engine/ledger/lock_manager.h"
#include "faultfs/choices.h"
#include "faultfs/scheduler.h"

#include <fmt/format.h>
#include <boost/context/fiber.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut {
namespace {

using faultfs::Scheduler;
using ledger::PageId;
using ledger::RowMode;

constexpr std::uint32_t kRounds = 11;
constexpr std::uint32_t kTimes = 200'000;  // a round
constexpr std::uint32_t kRows = 10'000;
constexpr PageId kTree{5};
constexpr std::uint64_t kTable = 77;
constexpr std::uint32_t kWaiters = 5'000;

// There and back.
void bare_switch() {
  using boost::context::fiber;
  fiber other([](fiber&& back) {
    for (;;) back = std::move(back).resume();
    return std::move(back);
  });
  for (std::uint32_t time = 0; time < kTimes; ++time) other = std::move(other).resume();
}

class OtherOne final : public faultfs::Choices {
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& /*label*/) override { return n - 1; }
};

void run_two(Scheduler& scheduler, const std::function<void(faultfs::FiberId other)>& body) {
  OtherOne choices;
  for (const faultfs::FiberId other : {1U, 0U}) scheduler.spawn("fiber", [&body, other] { body(other); });
  POWERCUT_ASSERT(scheduler.run(choices).has_value(), "the fibers end");
}

void yields(Scheduler& scheduler) {
  run_two(scheduler, [&](faultfs::FiberId /*other*/) {
    for (std::uint32_t time = 0; time < kTimes; ++time) scheduler.yield("a turn");
  });
}

void parks(Scheduler& scheduler) {
  struct ForTheOther final : Scheduler::Wait {
    std::string text() const override { return "the other"; }
  } wait;
  run_two(scheduler, [&](faultfs::FiberId other) {
    for (std::uint32_t time = 0; time < kTimes; ++time) {
      scheduler.wake(other);
      scheduler.park(wait);
    }
    scheduler.wake(other);
  });
}

struct Rows {
  Rows() {
    for (std::uint32_t row = 0; row < kRows; ++row) keys.push_back(fmt::format("{:05}", row));
  }
  std::string_view any() { return keys[random.below(kRows)]; }

  std::vector<std::string> keys;
  Random random{1};
};

void one_row(ledger::LockManager& locks, Rows& rows) {
  ledger::LockOwner owner(locks, ledger::TxnId{1});
  for (std::uint32_t time = 0; time < kTimes; ++time) {
    const bool locked = locks.lock_row(owner, kTree, rows.any(), RowMode::kExclusive).has_value();
    POWERCUT_ASSERT(locked, "nobody else holds it");
    locks.release_all(owner);
  }
}

void transfer(ledger::LockManager& locks, Rows& rows) {
  for (std::uint32_t time = 0; time < kTimes; ++time) {
    ledger::LockOwner owner(locks, ledger::TxnId{time});
    bool locked = locks.lock_table(owner, kTable, "accounts", ledger::TableLock::kIntentExclusive).has_value();
    for (int account = 0; account < 2; ++account) {
      locked = locks.lock_row(owner, kTree, rows.any(), RowMode::kExclusive).has_value() && locked;
    }
    POWERCUT_ASSERT(locked, "nobody else holds them");
    locks.release_all(owner);
  }
}

// As many fibers wait as there are rows that somebody else holds; seconds of the loop alone.
double beside_waiters(Scheduler& scheduler, ledger::LockManager& locks, Rows& rows) {
  ledger::LockOwner holder(locks, ledger::TxnId{1});
  const auto held_key = [](std::uint32_t row) { return fmt::format("held {:05}", row); };
  for (std::uint32_t row = 0; row < kWaiters; ++row) {
    POWERCUT_ASSERT(locks.lock_row(holder, kTree, held_key(row), RowMode::kExclusive).has_value(), "nobody else holds it");
    scheduler.spawn("waiter", [&, row] {
      ledger::LockOwner owner(locks, ledger::TxnId{row + 2});
      const std::string key = held_key(row);
      POWERCUT_ASSERT(locks.lock_row(owner, kTree, key, RowMode::kExclusive).has_value(), "its holder gives it back");
    });
  }
  double seconds = 0;
  scheduler.spawn("runner", [&] {
    seconds = bench::seconds([&] { one_row(locks, rows); });
    locks.release_all(holder);
  });
  faultfs::RecordedChoices first_come({});
  POWERCUT_ASSERT(scheduler.run(first_come).has_value(), "the fibers end");
  return seconds;
}

int run() {
  Scheduler scheduler;
  ledger::LockManager locks(&scheduler);
  Rows rows;
  struct Loop {
    std::string_view name;
    std::function<double()> seconds;
    std::vector<double> nanoseconds = {};
  };
  std::vector<Loop> loops = {
      {"bare fiber switch, there and back", [] { return bench::seconds(bare_switch); }},
      {"yield, there and back", [&] { return bench::seconds([&] { yields(scheduler); }); }},
      {"wake and park, there and back", [&] { return bench::seconds([&] { parks(scheduler); }); }},
      {"lock one of 10,000 rows, release", [&] { return bench::seconds([&] { one_row(locks, rows); }); }},
      {"the same beside 5,000 waiters", [&] { return beside_waiters(scheduler, locks, rows); }},
      {"lock table and two rows, release", [&] { return bench::seconds([&] { transfer(locks, rows); }); }},
  };
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    for (Loop& loop : loops) loop.nanoseconds.push_back(loop.seconds() * 1e9 / kTimes);
  }
  const double bare = bench::median(loops.front().nanoseconds);
  fmt::print("{:<36} {:>6} {:>6}\n", "", "ns", "ratio");
  for (const Loop& loop : loops) {
    const double median = bench::median(loop.nanoseconds);
    fmt::print("{:<36} {:>6.1f} {:>6.1f}\n", loop.name, median, median / bare);
  }
  return 0;
}

}  // namespace
}  // namespace powercut

int main() { return powercut::run(); }
