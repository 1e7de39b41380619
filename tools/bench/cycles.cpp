// How fast is a cycle of crash, recovery and verification? Beside it, in the same run, the bare loop over the same bytes:
// copy the touched pages, scan the log with CRC-32C, apply it, sum the balances.
#include "bare_loop.h"
#include "properties/check.h"
#include "properties/workloads.h"
#include "recovery/ledger_engine.h"

#include <fmt/format.h>

namespace powercut::bench {
namespace {

constexpr int kRounds = 11;
constexpr int kCyclesPerRound = 400;

int run() {
  const auto kind = recovery::make_ledger_kind();
  const auto engine = std::move(kind->make({}, {})).value();
  const auto& workload = properties::bank();
  const Steps steps = bank_steps();
  std::vector<double> ours(kRounds, 0);
  std::vector<double> bare(kRounds, 0);
  std::uint64_t cycles = 0;
  bool failed = false;

  properties::Setting setting;
  setting.kind = kind.get();
  setting.model = faultfs::preset("posix").value();
  setting.workload = &workload;
  setting.nested = 0;
  properties::Checker checker(*engine, setting);
  faultfs::RandomChoices choices(0);
  std::size_t last_step = 0;
  properties::Timeline timeline;
  const auto at_moment = [&](const CrashMoment& moment) {
    if (!is_bench_moment(moment, last_step)) return true;
    BareLoop loop(moment.disk);
    for (int round = 0; round < kRounds; ++round) {
      ours[static_cast<std::size_t>(round)] += seconds([&] {
        for (int cycle = 0; cycle < kCyclesPerRound; ++cycle) {
          choices.reset(static_cast<std::uint64_t>(cycle));
          failed = failed || checker.check(moment, choices).has_value();
        }
      });
      bare[static_cast<std::size_t>(round)] += seconds([&] {
        for (int cycle = 0; cycle < kCyclesPerRound; ++cycle) failed = failed || loop.cycle() != kTotal;
      });
    }
    cycles += kCyclesPerRound;
    return true;
  };
  faultfs::RecordedChoices nobody_else({});
  const auto violation = timeline.run(*engine, setting, steps, nobody_else, at_moment);
  if (failed || violation || cycles == 0) {
    fmt::print(stderr, "bench_cycles: a check failed: the figures would mean nothing\n");
    return 3;
  }
  std::vector<double> ratios;
  for (std::size_t round = 0; round < ours.size(); ++round) ratios.push_back(bare[round] / ours[round]);
  const auto per_second = [&](double time) { return static_cast<double>(cycles) / time; };
  fmt::print("bank, {} accounts, {} transfers, a checkpoint every {}; {} crash moments, {} rounds of {} cycles each\n", kAccounts,
             kTransfers, kTransfersPerCheckpoint, cycles / kCyclesPerRound, kRounds, kCyclesPerRound);
  fmt::print("crash, recovery, verification   {:>9.0f} cycles/s\n", per_second(median(ours)));
  fmt::print("bare loop over the same bytes   {:>9.0f} cycles/s\n", per_second(median(bare)));
  fmt::print("ratio                           {:>9.2f}   (median of rounds; from {:.2f} to {:.2f})\n", median(ratios),
             *std::min_element(ratios.begin(), ratios.end()), *std::max_element(ratios.begin(), ratios.end()));
  return 0;
}

}  // namespace
}  // namespace powercut::bench

int main() { return powercut::bench::run(); }
