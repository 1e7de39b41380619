// What does a durable write cost on a device, and which way of asking for it is cheapest? Rounds of all ways in turn, so that a
// slow moment of the machine hits them alike; each figure is the median of five. The ratio to a write and an fdatasync is what
// counts; rates are of this machine and this moment.
//
//   bench_device [--dir PATH] [--seconds S]    S: of a round of one way at one size
#include "tools/measure/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

namespace powercut::measure {
namespace {

constexpr int kRounds = 5;

// Of one way at one size.
struct Figures {
  DeviceRate first;
  std::vector<double> rates;
  std::vector<double> without_core;
  double flushes = 0;
  double writes = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

using Cell = std::function<std::string(const Figures& figures, const Figures& of_first_way)>;

void print_table(std::string_view title, const std::vector<Figures>& all, const Cell& cell) {
  const auto find = [&](std::string_view way, std::size_t bytes) {
    return std::find_if(all.begin(), all.end(),
                        [&](const Figures& one) { return one.first.way == way && one.first.bytes == bytes; });
  };
  fmt::print("\n{:<44}", title);
  for (const Figures& one : all) {
    if (one.first.way == kWriteAndSync) fmt::print("{:>9}", one.first.bytes);
  }
  fmt::print("\n");
  for (const std::string_view way : {kWriteAndSync, kDirect, kUringDirect, kUringLinked}) {
    fmt::print("{:<44}", way);
    for (const Figures& first : all) {
      if (first.first.way != kWriteAndSync) continue;
      const auto found = find(way, first.first.bytes);
      fmt::print("{:>9}", found == all.end() ? "refused" : cell(*found, first));
    }
    fmt::print("\n");
  }
}

int run(const DeviceLoad& load) {
  std::vector<Figures> all;
  for (int round = 0; round < kRounds; ++round) {
    const auto rates = measure_device(load);
    if (rates.has_error()) {
      fmt::print(stderr, "{}\n", rates.error().message());
      return 3;
    }
    for (std::size_t at = 0; at < rates.value().size(); ++at) {
      const DeviceRate& rate = rates.value()[at];
      if (round == 0) all.push_back({rate, {}, {}, 0, 0});
      all[at].rates.push_back(rate.writes_a_second);
      all[at].without_core.push_back(rate.without_core);
      all[at].flushes += static_cast<double>(rate.device_flushes);
      all[at].writes += rate.writes_a_second * load.seconds;
    }
  }
  print_table("durable writes, ratio to the first; bytes:", all, [](const Figures& one, const Figures& first) {
    return fmt::format("{:.2f}", median(one.rates) / median(first.rates));
  });
  print_table("a second", all, [](const Figures& one, const Figures&) { return fmt::format("{:.0f}", median(one.rates)); });
  print_table("device flushes for a write", all,
              [](const Figures& one, const Figures&) { return fmt::format("{:.2f}", one.flushes / one.writes); });
  print_table("of the time, ready but without a core", all,
              [](const Figures& one, const Figures&) { return fmt::format("{:.2f}", median(one.without_core)); });
  fmt::print(
      "\nFewer than 1.00 flush: {} is on no block device, or it has no cache that could be lost. More: the way\n"
      "needs it, or somebody else used the device meanwhile. More than 0.05 of the time without a core: the machine\n"
      "is busy, and the ratios compare how it schedules and not what the device does.\n",
      load.directory);
  return 0;
}

}  // namespace
}  // namespace powercut::measure

int main(int argc, char** argv) {
  powercut::measure::DeviceLoad load;
  load.directory = ".";
  load.seconds = 0.2;
  for (int at = 1; at < argc; ++at) {
    const std::string_view argument = argv[at];
    if (argument == "--") continue;
    if (argument == "--dir" && at + 1 < argc) {
      load.directory = argv[++at];
    } else if (argument == "--seconds" && at + 1 < argc) {
      load.seconds = std::atof(argv[++at]);
    } else {
      fmt::print(stderr, "usage: bench_device [--dir PATH] [--seconds S]\n");
      return 2;
    }
  }
  return powercut::measure::run(load);
}
