// How fast are recoveries under exploration? On the workload of bench cycles, at the same crash points, with no further
// crash and with one; beside it, in the same run, the bare loop over the same bytes.
#include "properties/explore.h"
#include "bare_loop.h"
#include "properties/workloads.h"
#include "recovery/ledger_engine.h"

#include <fmt/format.h>

#include <map>
#include <memory>

namespace powercut::bench {
namespace {

constexpr int kRounds = 11;
constexpr std::uint64_t kMostAtPoint = 2000;
constexpr int kPassesPerRound[] = {40, 3};  // by further crashes

// The bare loop of each crash point that counts.
std::map<std::uint32_t, BareLoop> bare_loops(engine::Engine& engine, const Steps& steps) {
  std::map<std::uint32_t, BareLoop> loops;
  std::size_t last_step = 0;
  properties::Timeline timeline;
  properties::Setting setting;
  setting.model = faultfs::preset("posix").value();
  setting.workload = &properties::bank();
  faultfs::RecordedChoices nobody_else({});
  const auto violation = timeline.run(engine, setting, steps, nobody_else, [&](const auto& moment) {
    if (is_bench_moment(moment, last_step)) loops.emplace(moment.point, BareLoop(moment.disk));
    return true;
  });
  POWERCUT_ASSERT(!violation && !loops.empty(), "the benchmark's workload runs to its end");
  return loops;
}

int run() {
  const auto kind = recovery::make_ledger_kind();
  const auto engine = std::move(kind->make({}, {})).value();
  const Steps steps = bank_steps();
  auto loops = bare_loops(*engine, steps);
  fmt::print("bank, {} accounts, {} transfers, a checkpoint every {}; {} crash points, {} rounds\n", kAccounts, kTransfers,
             kTransfersPerCheckpoint, loops.size(), kRounds);
  for (const std::uint32_t nested : {0U, 1U}) {
    properties::Setting setting;
    setting.kind = kind.get();
    setting.model = faultfs::preset("posix").value();
    setting.workload = &properties::bank();
    setting.nested = nested;
    properties::Explorer explorer(*engine, setting);
    properties::ExplorePlan plan;
    plan.most_at_point = kMostAtPoint;
    std::vector<double> ours;
    std::vector<double> bare;
    std::vector<double> ratios;
    std::uint64_t recoveries = 0;
    std::uint64_t further = 0;
    bool failed = false;
    for (int round = 0; round < kRounds; ++round) {
      double our_time = 0;
      double bare_time = 0;
      recoveries = 0;
      further = 0;
      std::chrono::steady_clock::time_point began;
      const auto claim = [&](std::uint32_t point) {
        if (loops.count(point) == 0) return false;
        began = std::chrono::steady_clock::now();
        return true;
      };
      const auto done = [&](const properties::PointReport& report) {
        our_time += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        recoveries += report.recoveries;
        further += report.nested_trees + report.nested_seen;
        BareLoop& loop = loops.at(report.point);
        bare_time += seconds([&] {
          for (std::uint64_t cycle = 0; cycle < report.recoveries; ++cycle) failed = failed || loop.cycle() != kTotal;
        });
        return true;
      };
      for (int pass = 0; pass < kPassesPerRound[nested]; ++pass) {
        failed = failed || explorer.explore(steps, plan, claim, done, nullptr, nullptr).has_value();
      }
      ours.push_back(static_cast<double>(recoveries) / our_time);
      bare.push_back(static_cast<double>(recoveries) / bare_time);
      ratios.push_back(bare_time / our_time);
    }
    if (failed || recoveries == 0) {
      fmt::print(stderr, "bench_explore: a check failed: the figures would mean nothing\n");
      return 3;
    }
    fmt::print("\n{}: {} recoveries a round, {} further crashes met\n", nested == 0 ? "one crash" : "a crash and up to one more",
               recoveries, further);
    fmt::print("exploration                     {:>9.0f} recoveries/s\n", median(ours));
    fmt::print("bare loop over the same bytes   {:>9.0f} cycles/s\n", median(bare));
    fmt::print("ratio                           {:>9.2f}   (median of rounds; from {:.2f} to {:.2f})\n", median(ratios),
               *std::min_element(ratios.begin(), ratios.end()), *std::max_element(ratios.begin(), ratios.end()));
  }
  return 0;
}

}  // namespace
}  // namespace powercut::bench

int main() { return powercut::bench::run(); }
