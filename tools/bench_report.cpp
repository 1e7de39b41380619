#include "bench_report.h"

#include "terminal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

namespace powercut::tools {
namespace {

using Json = nlohmann::ordered_json;
using measure::DeviceRate;

std::string number_text(double value) { return grouped(static_cast<std::uint64_t>(std::llround(value))); }
std::string ratio_text(const std::optional<double>& ratio) { return ratio ? fmt::format("{:.2f}", *ratio) : ""; }
std::string few(double value) { return value >= 100 ? number_text(value) : fmt::format("{:.2f}", value); }

// A column; one that is empty in every row is left out.
struct Column {
  std::string title;
  std::function<std::string(const BenchSummary&)> cell;
};

std::vector<Column> columns(const Bench& bench) {
  const auto latency = [](double BenchFigures::*value) {
    return [value](const BenchSummary& of) { return duration_text(of.median.*value); };
  };
  return {
      {"contender", [&bench](const BenchSummary& of) { return bench.contenders[of.contender].name; }},
      {"clients", [](const BenchSummary& of) { return grouped(of.clients); }},
      {"x device", [](const BenchSummary& of) { return ratio_text(of.to_device); }},
      {"x best peer", [](const BenchSummary& of) { return ratio_text(of.to_best_peer); }},
      {"a second", [](const BenchSummary& of) { return number_text(of.median.operations_a_second); }},
      {"p50", latency(&BenchFigures::p50_ns)},
      {"p90", latency(&BenchFigures::p90_ns)},
      {"p99", latency(&BenchFigures::p99_ns)},
      {"p99.9", latency(&BenchFigures::p999_ns)},
      {"max", latency(&BenchFigures::max_ns)},
      {"bytes/op",
       [](const BenchSummary& of) { return of.median.bytes_an_operation > 0 ? few(of.median.bytes_an_operation) : ""; }},
      {"syncs/op",
       [](const BenchSummary& of) {
         return of.median.syncs_an_operation > 0 ? fmt::format("{:.4f}", of.median.syncs_an_operation) : "";
       }},
      {"cpu/op", latency(&BenchFigures::cpu_ns_an_operation)},
      {"flushes/op",
       [](const BenchSummary& of) {
         const BenchFigures& figures = of.median;
         if (figures.device_flushes_a_second == 0 || figures.operations_a_second == 0) return std::string();
         return fmt::format("{:.4f}", figures.device_flushes_a_second / figures.operations_a_second);
       }},
  };
}

void append_table(std::string& text, const std::vector<std::vector<std::string>>& rows) {
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t at = 0; at < row.size(); ++at) {
      std::size_t width = 0;
      for (const auto& other : rows) width = std::max(width, other[at].size());
      if (at > 0 && width == rows[0][at].size() &&
          std::all_of(rows.begin() + 1, rows.end(), [at](const auto& other) { return other[at].empty(); })) {
        continue;
      }
      line += at == 0 ? fmt::format("  {:<{}}", row[at], width) : fmt::format("   {:>{}}", row[at], width);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
}

void append_device(std::string& text, const std::vector<DeviceRate>& rates) {
  if (rates.empty()) return;
  text += "\ndevice: durable writes, one after another\n";
  std::vector<std::vector<std::string>> rows{{"way", "bytes", "a second"}};
  for (const DeviceRate& rate : rates) rows.push_back({rate.way, grouped(rate.bytes), number_text(rate.writes_a_second)});
  append_table(text, rows);
}

Json figures_json(const BenchFigures& figures) {
  Json document;
  for (const BenchField& field : bench_fields()) document[std::string(field.name)] = figures.*field.value;
  return document;
}

Json ratio_json(const std::optional<double>& ratio) { return ratio ? Json(*ratio) : Json(nullptr); }

}  // namespace

std::string duration_text(double nanoseconds) {
  if (nanoseconds <= 0) return "";
  static constexpr std::string_view kUnits[] = {"ns", "us", "ms", "s"};
  std::size_t unit = 0;
  for (; nanoseconds >= 999.5 && unit < 3; ++unit) nanoseconds /= 1000;
  const int decimals = unit == 0 || nanoseconds >= 99.95 ? 0 : nanoseconds >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", nanoseconds, decimals, kUnits[unit]);
}

std::string bench_text(const Bench& bench) {
  std::string text;
  if (bench.interrupted) text += "interrupted; the figures so far:\n";
  const auto summaries = bench.summaries();
  const auto all_columns = columns(bench);
  for (std::size_t workload = 0; workload < bench.workloads.size(); ++workload) {
    std::vector<std::vector<std::string>> rows(1);
    for (const Column& column : all_columns) rows[0].push_back(column.title);
    for (const BenchSummary& summary : summaries) {
      if (summary.workload != workload) continue;
      rows.emplace_back();
      for (const Column& column : all_columns) rows.back().push_back(column.cell(summary));
    }
    if (rows.size() == 1) continue;
    text += fmt::format("\n{}: {}\n", bench.workloads[workload]->name, bench.workloads[workload]->summary);
    append_table(text, rows);
  }
  append_device(text, bench.device());
  text += "\n";
  for (std::size_t at = 0; at < bench.contenders.size(); ++at) {
    const bool ran = std::any_of(bench.runs.begin(), bench.runs.end(), [at](const BenchRun& run) { return run.contender == at; });
    if (ran) text += fmt::format("{}: {}\n", bench.contenders[at].name, bench.contenders[at].setting);
  }
  for (const std::string& note : bench.notes) text += "note: " + note + "\n";
  return text;
}

std::string bench_json(const Bench& bench) {
  Json document;
  document["command"] = "bench";
  document["rows"] = bench.rows;
  document["seconds"] = bench.seconds;
  document["warm_up_seconds"] = bench.warm_up_seconds;
  document["rounds"] = bench.rounds;
  document["complete_rounds"] = bench.complete_rounds;
  document["interrupted"] = bench.interrupted;
  document["directory"] = bench.directory;
  document["contenders"] = Json::array();
  for (const BenchContender& contender : bench.contenders) {
    document["contenders"].push_back({{"name", contender.name}, {"setting", contender.setting}, {"peer", contender.is_peer}});
  }
  document["summaries"] = Json::array();
  for (const BenchSummary& summary : bench.summaries()) {
    Json one;
    one["workload"] = bench.workloads[summary.workload]->name;
    one["contender"] = bench.contenders[summary.contender].name;
    one["clients"] = summary.clients;
    one["runs"] = summary.runs;
    one["to_device"] = ratio_json(summary.to_device);
    one["to_best_peer"] = ratio_json(summary.to_best_peer);
    one["median"] = figures_json(summary.median);
    document["summaries"].push_back(std::move(one));
  }
  document["runs"] = Json::array();
  for (const BenchRun& run : bench.runs) {
    Json one;
    one["round"] = run.round;
    one["workload"] = bench.workloads[run.workload]->name;
    one["contender"] = bench.contenders[run.contender].name;
    one["clients"] = run.clients;
    one["interrupted"] = run.interrupted;
    one.update(figures_json(run.figures));
    document["runs"].push_back(std::move(one));
  }
  document["device"] = Json::array();
  for (const BenchDeviceRun& run : bench.device_runs) {
    document["device"].push_back({{"round", run.round},
                                  {"way", run.rate.way},
                                  {"bytes", run.rate.bytes},
                                  {"writes_a_second", run.rate.writes_a_second},
                                  {"device_flushes", run.rate.device_flushes}});
  }
  document["notes"] = bench.notes;
  return document.dump(2) + "\n";
}

std::string bench_csv(const Bench& bench) {
  std::string text = "round,workload,contender,clients,interrupted";
  for (const BenchField& field : bench_fields()) text.append(",").append(field.name);
  text += "\n";
  for (const BenchRun& run : bench.runs) {
    text += fmt::format("{},{},{},{},{}", run.round, bench.workloads[run.workload]->name, bench.contenders[run.contender].name,
                        run.clients, run.interrupted ? 1 : 0);
    for (const BenchField& field : bench_fields()) text += fmt::format(",{}", run.figures.*field.value);
    text += "\n";
  }
  return text;
}

}  // namespace powercut::tools
