// Medians and ratios of benchmark runs, and what becomes of them as text, JSON, CSV and a picture.
#include "tools/bench_figures.h"

#include "tools/bench_plot.h"
#include "tools/bench_report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace powercut::testing {
namespace {
using namespace tools;

BenchRun run(std::uint32_t round, std::size_t contender, std::uint32_t clients, double rate) {
  BenchRun run;
  run.round = round;
  run.contender = contender;
  run.clients = clients;
  run.figures.operations_a_second = rate;
  run.figures.p50_ns = 1e9 / rate;
  run.figures.p99_ns = 3e9 / rate;
  return run;
}

// Two rounds of ledger and of a peer, and the device.
Bench sample() {
  Bench bench;
  bench.rounds = bench.complete_rounds = 2;
  bench.workloads = {&bench_workloads().front()};
  bench.contenders = {{"ledger (uring)", "durable", false}, {"peer <one>", "fsync & all", true}};
  bench.runs = {run(1, 0, 1, 1000), run(1, 0, 64, 9000), run(1, 1, 1, 500), run(1, 1, 4, 2000),
                run(2, 0, 1, 2000), run(2, 0, 64, 7000), run(2, 1, 1, 500), run(2, 1, 4, 3000)};
  bench.device_runs = {{1, {"fdatasync", 512, 9999, 0}},
                       {1, {"fdatasync", 4096, 900, 5}},
                       {1, {"one write", 4096, 1900, 5}},
                       {2, {"fdatasync", 4096, 1100, 7}},
                       {2, {"one write", 4096, 2100, 7}}};
  return bench;
}

}  // namespace

TEST_CASE("of several rounds the median is reported, and ratios are to the device's best way and the best peer") {
  const Bench bench = sample();
  const auto summaries = bench.summaries();
  REQUIRE(summaries.size() == 4);
  CHECK(summaries[0].clients == 1);
  CHECK(summaries[0].runs == 2);
  CHECK(summaries[0].median.operations_a_second == 1500);
  CHECK(summaries[1].clients == 64);
  CHECK(summaries[1].median.operations_a_second == 8000);
  CHECK(summaries[1].to_device == 4.0);     // one write of 4096 bytes: 2,000
  CHECK(summaries[1].to_best_peer == 3.2);  // with 4 clients: 2,500
  CHECK(summaries[2].to_best_peer == 0.2);
  CHECK(summaries[3].to_best_peer == 1.0);

  const auto device = bench.device();
  REQUIRE(device.size() == 3);
  CHECK(device[1].way == "fdatasync");
  CHECK(device[1].bytes == 4096);
  CHECK(device[1].writes_a_second == 1000);
  CHECK(device[1].device_flushes == 12);
}

TEST_CASE("a run that was interrupted counts only where there is no whole one") {
  Bench bench = sample();
  bench.runs.push_back(run(3, 0, 1, 1));
  bench.runs.back().interrupted = true;
  bench.runs.push_back(run(3, 0, 1024, 5));
  bench.runs.back().interrupted = true;
  const auto summaries = bench.summaries();
  REQUIRE(summaries.size() == 5);
  CHECK(summaries[0].median.operations_a_second == 1500);
  CHECK(summaries[2].clients == 1024);
  CHECK(summaries[2].median.operations_a_second == 5);
}

TEST_CASE("without a device and peers there are no ratios") {
  Bench bench = sample();
  bench.device_runs.clear();
  bench.runs = {run(1, 0, 1, 1000)};
  const auto summaries = bench.summaries();
  REQUIRE(summaries.size() == 1);
  CHECK(!summaries[0].to_device);
  CHECK(!summaries[0].to_best_peer);
  CHECK(bench_text(bench).find("x device") == std::string::npos);
  CHECK(bench_text(bench).find("x best peer") == std::string::npos);
}

TEST_CASE("the text has the ratios before the rates, and says how each contender was set") {
  const std::string text = bench_text(sample());
  CHECK(text.find("x device   x best peer   a second") != std::string::npos);
  CHECK(text.find("  ledger (uring)        64       4.00          3.20      8,000    127 us") != std::string::npos);
  CHECK(text.find("\npeer <one>: fsync & all\n") != std::string::npos);
  CHECK(text.find("bytes/op") == std::string::npos);  // nobody counted
}

TEST_CASE("JSON and CSV have the same figures by the same names") {
  const Bench bench = sample();
  const auto document = nlohmann::json::parse(bench_json(bench));
  const std::string csv = bench_csv(bench);
  REQUIRE(document["runs"].size() == 8);
  CHECK(document["summaries"][1]["to_device"] == 4.0);
  CHECK(document["summaries"][1]["median"]["p50_ns"].get<double>() == Approx(126984).margin(1));
  CHECK(document["device"][2]["way"] == "one write");
  const std::string heading = csv.substr(0, csv.find('\n'));
  for (const BenchField& field : bench_fields()) {
    INFO(field.name);
    CHECK(document["runs"][0].contains(std::string(field.name)));
    CHECK(heading.find("," + std::string(field.name)) != std::string::npos);
  }
  CHECK(csv.find("\n2,transfer,peer <one>,4,0,0,0,3000,") != std::string::npos);
}

TEST_CASE("a page with plots has a line for each figure of each contender, and no markup of its contents") {
  for (const std::string& page : {bench_svg(sample()), bench_html(sample())}) {
    CHECK(page.find("<one>") == std::string::npos);
    CHECK(page.find("peer &lt;one&gt;") != std::string::npos);
    CHECK(page.find("nan") == std::string::npos);
    CHECK(page.find("inf") == std::string::npos);
  }
  // Of each of two contenders the rate, p50 and p99, each a line with two points.
  const std::string svg = bench_svg(sample());
  const auto times = [&](std::string_view what) {
    std::size_t count = 0;
    for (auto at = svg.find(what); at != std::string::npos; at = svg.find(what, at + 1)) ++count;
    return count;
  };
  CHECK(times("fill=\"none\" stroke-width=\"2\"") == 6);
  CHECK(times("<circle ") == 12);
  Bench one = sample();
  one.runs = {run(1, 0, 5, 1000)};
  CHECK(bench_svg(one).find("nan") == std::string::npos);
  CHECK(bench_svg(Bench()).find("nothing was measured") != std::string::npos);
}

TEST_CASE("durations have three digits and a unit") {
  CHECK(duration_text(0).empty());
  CHECK(duration_text(7) == "7 ns");
  CHECK(duration_text(999) == "999 ns");
  CHECK(duration_text(999.6) == "1.00 us");
  CHECK(duration_text(81'234) == "81.2 us");
  CHECK(duration_text(4'314'000) == "4.31 ms");
  CHECK(duration_text(99'970'000) == "100 ms");
  CHECK(duration_text(75e9) == "75.0 s");
}

}  // namespace powercut::testing
