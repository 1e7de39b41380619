// What `powercut bench` measured, and the medians over its rounds. bench_command.cpp fills it, bench_report and bench_plot show it.
#pragma once

#include "tools/measure/contender.h"
#include "tools/measure/device.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::tools {

// A workload by its name on the command line; what one operation of it is.
struct BenchWorkload {
  std::string_view name;
  std::string_view summary;
  measure::Workload workload;
};
std::span<const BenchWorkload> bench_workloads();

// Of one run, or the median of several. "An operation": of a transfer, a commit.
struct BenchFigures {
  double seconds = 0;
  double operations = 0;
  double operations_a_second = 0;
  double retries = 0;
  double p50_ns = 0;
  double p90_ns = 0;
  double p99_ns = 0;
  double p999_ns = 0;
  double max_ns = 0;
  double bytes_an_operation = 0;
  double syncs_an_operation = 0;
  double cpu_ns_an_operation = 0;
  // Of the device, whoever used it, with the warm-up; 0 where there is no device to ask.
  double device_writes_a_second = 0;
  double device_flushes_a_second = 0;
};

struct BenchField {
  std::string_view name;
  double BenchFigures::*value;
};
// All of them, in the order of JSON and CSV.
std::span<const BenchField> bench_fields();

BenchFigures figures_of(const measure::Measured& measured);

struct BenchContender {
  std::string name;
  std::string setting;
  bool is_peer = false;
};

struct BenchRun {
  std::uint32_t round = 1;
  std::size_t workload = 0;   // in Bench::workloads
  std::size_t contender = 0;  // in Bench::contenders
  std::uint32_t clients = 1;
  bool interrupted = false;  // ended by Ctrl-C
  BenchFigures figures;
};

struct BenchSummary {
  std::size_t workload = 0;
  std::size_t contender = 0;
  std::uint32_t clients = 1;
  std::uint32_t runs = 0;
  BenchFigures median;
  std::optional<double> to_device;     // operations for each durable write of 4096 bytes that the device makes by itself
  std::optional<double> to_best_peer;  // operations for each of the best peer at its best number of clients
};

struct BenchDeviceRun {
  std::uint32_t round = 1;
  measure::DeviceRate rate;
};

struct Bench {
  std::uint64_t rows = 0;
  double seconds = 0;
  double warm_up_seconds = 0;
  std::uint32_t rounds = 0;
  std::uint32_t complete_rounds = 0;
  bool interrupted = false;
  std::string directory;
  std::vector<const BenchWorkload*> workloads;
  std::vector<BenchContender> contenders;
  std::vector<BenchRun> runs;
  std::vector<BenchDeviceRun> device_runs;
  std::vector<std::string> notes;

  // Of each workload, contender and number of clients, in that order. An interrupted run counts only where there is no whole one.
  std::vector<BenchSummary> summaries() const;
  // Of each way and size the median, in the order measured.
  std::vector<measure::DeviceRate> device() const;
};

}  // namespace powercut::tools
