#include "bench_figures.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace powercut::tools {
namespace {

using measure::DeviceRate;
using measure::Workload;

constexpr std::size_t kLogBytes = 4096;  // of the device's writes that commits are held against

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

BenchFigures median_of(const std::vector<const BenchRun*>& runs) {
  BenchFigures all;
  for (const BenchField& field : bench_fields()) {
    std::vector<double> values;
    for (const BenchRun* const run : runs) values.push_back(run->figures.*field.value);
    all.*field.value = median(std::move(values));
  }
  return all;
}

}  // namespace

std::span<const BenchWorkload> bench_workloads() {
  static constexpr std::array<BenchWorkload, 8> kAll{{
      {"transfer", "a durable transaction of two reads for update, two updates and an insert", Workload::kTransfer},
      {"a", "YCSB A: 50 % reads, 50 % updates", Workload::kA},
      {"b", "YCSB B: 95 % reads, 5 % updates", Workload::kB},
      {"c", "YCSB C: reads", Workload::kC},
      {"d", "YCSB D: 95 % reads of the latest, 5 % inserts", Workload::kD},
      {"e", "YCSB E: 95 % scans of 1 to 100 rows, 5 % inserts", Workload::kE},
      {"f", "YCSB F: 50 % reads, 50 % reads and then an update", Workload::kF},
      {"scan", "100 rows in order", Workload::kScan},
  }};
  return kAll;
}

std::span<const BenchField> bench_fields() {
  static constexpr std::array<BenchField, 14> kAll{{
      {"seconds", &BenchFigures::seconds},
      {"operations", &BenchFigures::operations},
      {"operations_a_second", &BenchFigures::operations_a_second},
      {"retries", &BenchFigures::retries},
      {"p50_ns", &BenchFigures::p50_ns},
      {"p90_ns", &BenchFigures::p90_ns},
      {"p99_ns", &BenchFigures::p99_ns},
      {"p999_ns", &BenchFigures::p999_ns},
      {"max_ns", &BenchFigures::max_ns},
      {"bytes_an_operation", &BenchFigures::bytes_an_operation},
      {"syncs_an_operation", &BenchFigures::syncs_an_operation},
      {"cpu_ns_an_operation", &BenchFigures::cpu_ns_an_operation},
      {"device_writes_a_second", &BenchFigures::device_writes_a_second},
      {"device_flushes_a_second", &BenchFigures::device_flushes_a_second},
  }};
  return kAll;
}

BenchFigures figures_of(const measure::Measured& measured) {
  const auto at = [&](double part) { return static_cast<double>(measured.latency.percentile(part)); };
  BenchFigures figures;
  figures.seconds = measured.seconds;
  figures.operations = static_cast<double>(measured.operations);
  figures.retries = static_cast<double>(measured.retries);
  figures.p50_ns = at(0.5);
  figures.p90_ns = at(0.9);
  figures.p99_ns = at(0.99);
  figures.p999_ns = at(0.999);
  figures.max_ns = static_cast<double>(measured.latency.most());
  if (measured.seconds > 0) figures.operations_a_second = figures.operations / measured.seconds;
  if (measured.operations == 0) return figures;
  figures.bytes_an_operation = static_cast<double>(measured.bytes_written) / figures.operations;
  figures.syncs_an_operation = static_cast<double>(measured.syncs) / figures.operations;
  figures.cpu_ns_an_operation = measured.cpu_seconds * 1e9 / figures.operations;
  return figures;
}

std::vector<BenchSummary> Bench::summaries() const {
  using Key = std::tuple<std::size_t, std::size_t, std::uint32_t>;
  std::map<Key, std::vector<const BenchRun*>> whole;
  for (const bool interrupted_ones : {false, true}) {
    for (const BenchRun& run : runs) {
      const Key key{run.workload, run.contender, run.clients};
      if (run.interrupted == interrupted_ones && (!interrupted_ones || !whole.contains(key))) whole[key].push_back(&run);
    }
  }
  double device_rate = 0;
  for (const DeviceRate& rate : device()) {
    if (rate.bytes == kLogBytes) device_rate = std::max(device_rate, rate.writes_a_second);
  }
  std::vector<BenchSummary> all;
  std::map<std::size_t, double> best_peer;  // by workload
  for (const auto& [key, of_key] : whole) {
    BenchSummary summary;
    std::tie(summary.workload, summary.contender, summary.clients) = key;
    summary.runs = static_cast<std::uint32_t>(of_key.size());
    summary.median = median_of(of_key);
    if (device_rate > 0) summary.to_device = summary.median.operations_a_second / device_rate;
    if (contenders[summary.contender].is_peer) {
      double& best = best_peer[summary.workload];
      best = std::max(best, summary.median.operations_a_second);
    }
    all.push_back(summary);
  }
  for (BenchSummary& summary : all) {
    const double best = best_peer[summary.workload];
    if (best > 0) summary.to_best_peer = summary.median.operations_a_second / best;
  }
  return all;
}

std::vector<DeviceRate> Bench::device() const {
  std::vector<DeviceRate> medians;
  for (const BenchDeviceRun& first : device_runs) {
    const auto same = [&](const DeviceRate& other) { return other.way == first.rate.way && other.bytes == first.rate.bytes; };
    if (std::any_of(medians.begin(), medians.end(), same)) continue;
    DeviceRate all = first.rate;
    std::vector<double> rates;
    all.device_flushes = 0;
    for (const BenchDeviceRun& run : device_runs) {
      if (!same(run.rate)) continue;
      rates.push_back(run.rate.writes_a_second);
      all.device_flushes += run.rate.device_flushes;
    }
    all.writes_a_second = median(std::move(rates));
    medians.push_back(std::move(all));
  }
  return medians;
}

}  // namespace powercut::tools
