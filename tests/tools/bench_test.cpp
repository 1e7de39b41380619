// powercut bench as its users meet it.
#include "tests/support/program.h"

#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace powercut::testing {
namespace {

constexpr std::string_view kShort = "bench --rows 100 --warm-up 0.02 --rounds 1 --set frames=64 --set segment=65536 ";

// What is left in the program's directory but its output.
std::vector<std::string> left_over(const Program& program) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(program.directory.path())) {
    const std::string name = entry.path().filename();
    if (name != "out.txt" && name != "error.txt") names.push_back(name);
  }
  return names;
}

std::size_t times(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("bench on each backend gives JSON that parses, its check holds, and its files are gone") {
  const Program program;
  for (const std::string& backend : {std::string("sim"), std::string("posix"), std::string("uring")}) {
    const bool is_sim = backend == "sim";
    const Ended bench = program.run(std::string(kShort) + "--format json --seconds 0.2 --backend " + backend +
                                    (is_sim ? " --workload transfer,a --clients 8,1" : " --clients 1"));
    if (backend == "uring" && bench.error.find("unsupported") != std::string::npos) {
      WARN("not tested: " << bench.error);
      continue;
    }
    INFO(backend << "\n" << bench.error);
    REQUIRE(bench.status == 0);
    CHECK(bench.error.empty());  // no progress line in a pipe
    const auto document = nlohmann::json::parse(bench.out);
    CHECK(document["command"] == "bench");
    CHECK(document["complete_rounds"] == 1);
    CHECK(document["interrupted"] == false);
    CHECK(document["contenders"][0]["name"] == "ledger (" + backend + ")");
    REQUIRE(document["runs"].size() == (is_sim ? 4 : 1));
    REQUIRE(document["summaries"].size() == document["runs"].size());
    const auto& run = document["runs"][0];
    CHECK(run["workload"] == "transfer");
    CHECK(run["clients"] == 1);
    CHECK(run["operations"] > 0);
    CHECK(run["seconds"] >= 0.2);
    CHECK(run["bytes_an_operation"] > 50);
    CHECK(run["syncs_an_operation"] >= 1);
    CHECK(run["p50_ns"] > 0);
    CHECK(run["p50_ns"] <= run["p99_ns"]);
    CHECK(run["p99_ns"] <= run["max_ns"]);
    CHECK(document["summaries"][0]["median"]["operations_a_second"] == run["operations_a_second"]);
    CHECK(document["summaries"][0]["to_device"].is_null());
    CHECK(left_over(program).empty());
  }
}

TEST_CASE("bench takes rounds in turn, and reports the median of each") {
  const Program program;
  const Ended bench = program.run(std::string(kShort) +
                                  "--rounds 3 --format json --seconds 0.02 --backend sim --workload c,transfer --clients 1,4");
  REQUIRE(bench.status == 2);
  CHECK(bench.error.find("rounds") != std::string::npos);  // twice is not allowed
  const Ended again = program.run(
      "bench --rows 100 --warm-up 0 --rounds 3 --format json --seconds 0.02 --backend sim --workload c,transfer --clients 1,4");
  REQUIRE(again.status == 0);
  const auto document = nlohmann::json::parse(again.out);
  const auto& runs = document["runs"];
  REQUIRE(runs.size() == 12);
  std::vector<double> rates;
  for (std::size_t at = 0; at < runs.size(); ++at) {
    CHECK(runs[at]["round"] == at / 4 + 1);
    CHECK(runs[at]["workload"] == (at % 4 < 2 ? "c" : "transfer"));
    CHECK(runs[at]["clients"] == (at % 2 == 0 ? 1 : 4));
    if (at % 4 == 3) rates.push_back(runs[at]["operations_a_second"]);
  }
  std::sort(rates.begin(), rates.end());
  CHECK(document["summaries"][3]["runs"] == 3);
  CHECK(document["summaries"][3]["clients"] == 4);
  CHECK(document["summaries"][3]["median"]["operations_a_second"] == rates[1]);
}

TEST_CASE("bench as text begins with the figures, as CSV has a row a run, and draws plots that need nothing else") {
  const Program program;
  const Ended text =
      program.run(std::string(kShort) + "--seconds 0.02 --backend sim,posix --clients 1,2 --svg plot.svg --html page.html");
  INFO(text.error);
  REQUIRE(text.status == 0);
  CHECK(text.out.find("\ntransfer: a durable transaction of two reads for update, two updates and an insert\n") !=
        std::string::npos);
  for (const std::string_view part : {"a second", "p99.9", "ledger (sim)", "ledger (posix)", "100 rows · medians of 1 round"}) {
    INFO(part);
    CHECK(text.out.find(part) != std::string::npos);
  }
  CHECK(text.out.find("x device") == std::string::npos);  // it was not asked for
  const std::string svg = file_text(program.directory.path() + "/plot.svg");
  const std::string html = file_text(program.directory.path() + "/page.html");
  CHECK(svg.rfind("<svg ", 0) == 0);
  CHECK(html.find(svg) != std::string::npos);
  for (const std::string& page : {svg, html}) {
    CHECK(page.find("<script") == std::string::npos);
    CHECK(page.find("href") == std::string::npos);
    CHECK(page.find("url(") == std::string::npos);
    CHECK(times(page, "http") == 1);  // the name of SVG
  }
  CHECK(times(svg, "<circle ") >= 6);  // of the simulator at least: a slow device may have done nothing in that time

  const Ended csv = program.run(std::string(kShort) + "--seconds 0.02 --backend sim --clients 1,2 --format csv");
  REQUIRE(csv.status == 0);
  CHECK(csv.out.rfind("round,workload,contender,clients,interrupted,seconds,operations,operations_a_second,", 0) == 0);
  CHECK(times(csv.out, "\n") == 3);
  const auto second = csv.out.find('\n') + 1;
  const auto commas = [](const std::string& line) { return std::count(line.begin(), line.end(), ','); };
  CHECK(commas(csv.out.substr(0, second)) == commas(csv.out.substr(second, csv.out.find('\n', second) - second)));
  CHECK(csv.out.find("\n1,transfer,ledger (sim),1,0,0.0") != std::string::npos);
}

TEST_CASE("bench leaves its files only if asked to") {
  const Program program;
  const Ended bench = program.run(std::string(kShort) + "--seconds 0.02 --backend posix --clients 1 --keep");
  REQUIRE(bench.status == 0);
  const auto left = left_over(program);
  REQUIRE(left.size() == 1);
  CHECK(left[0].rfind("powercut-", 0) == 0);
  CHECK(bench.out.find("files kept in ") != std::string::npos);
  CHECK(std::filesystem::exists(program.directory.path() + "/" + left[0] + "/1-transfer-0/ledger/control"));
}

TEST_CASE("bench says what is wrong with its options, with exit status 2") {
  const Program program;
  const auto refused = [&](const std::string& arguments, std::string_view message) {
    const Ended ended = program.run("bench --backend sim " + arguments);
    INFO(arguments << "\n" << ended.error);
    CHECK(ended.status == 2);
    CHECK(ended.out.empty());
    CHECK(ended.error.find("powercut: ") == 0);
    CHECK(ended.error.find(message) != std::string::npos);
  };
  refused("--workload g", "--workload g: there are: transfer a b c d e f scan");
  refused("--workload a,a", "comes twice");
  refused("--workload a,", "an empty name");
  refused("--clients 0", "--clients 0: each must be a number from 1 to 16384");
  refused("--clients 1,x", "each must be a number");
  refused("--clients 99999", "each must be a number");
  refused("--rows 1", "--rows 1: must be from 2");
  refused("--seconds 0", "--seconds 0: must be from 0.01");
  refused("--seconds nan", "--seconds nan: must be from");
  refused("--seconds long", "seconds");
  refused("--rounds 0", "--rounds 0: must be from 1");
  refused("--set frames", "--set frames: must be NAME=VALUE");
  refused("--set frame=3", "frame");
  refused("--set frames=1", "frames");
  refused("--peers oracle", "--peers oracle: there are: sqlite leveldb rocksdb lmdb");
  refused("--peer-clients 3", "there are none without --peers");
  refused("--direct no", "--direct: is for --backend uring");
  refused("--iopoll", "--iopoll: is for --backend uring");
  refused("--format xml", "--format xml: there are: text json csv");
  refused("--dir no/such/place", "no/such/place: there is no such directory");
  CHECK(program.run("bench --backend paper").error.find("--backend paper: there are: uring posix sim") != std::string::npos);
  CHECK(program.run("bench --direct maybe").error.find("--direct maybe: there are: yes no") != std::string::npos);
  CHECK(program.run("bench --depth 1").error.find("--depth 1: must be from 2") != std::string::npos);
  const Ended unwritable = program.run("bench --backend sim --svg no/such/place.svg");
  CHECK(unwritable.status == 3);
  CHECK(unwritable.error.find("no/such/place.svg: cannot be written") != std::string::npos);
  CHECK(left_over(program).empty());
}

TEST_CASE("a full disk ends bench with exit status 3, and its files are removed") {
  const Program program;
  // No file may be longer than 256 blocks of 512 bytes: to the program that is a disk without space. The rows fit, the markers
  // of the transfers soon do not.
  program.shell("(trap '' XFSZ; ulimit -f 256; " POWERCUT_PROGRAM
                " bench --backend posix --rows 100 --seconds 60 --rounds 1 --clients 64 --set segment=65536 --set frames=256 "
                ">out.txt 2>error.txt; echo $? >status)");
  CHECK(file_text(program.directory.path() + "/status") == "3\n");
  const std::string error = file_text(program.directory.path() + "/error.txt");
  INFO(error);
  CHECK(error.find("powercut: no space left: transfer: ledger (posix): ") == 0);
  CHECK(left_over(program) == std::vector<std::string>{"status"});
}

TEST_CASE("Ctrl-C ends bench within a second with the figures so far, and its files are removed") {
  const Program program;
  const std::string out = program.directory.path() + "/out.txt";
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen(out.c_str(), "w", stdout) == nullptr) _exit(9);
    if (chdir(program.directory.path().c_str()) != 0) _exit(9);
    execl(POWERCUT_PROGRAM, POWERCUT_PROGRAM, "bench", "--backend", "posix", "--rows", "100", "--seconds", "600", "--warm-up",
          "0.05", nullptr);
    _exit(9);
  }
  // Until the first run has had some time.
  const auto prepared = [&] {
    const auto left = left_over(program);
    return !left.empty() && std::filesystem::exists(program.directory.path() + "/" + left[0] + "/1-transfer-0/ledger/control");
  };
  for (int tries = 0; tries < 1000 && !prepared(); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  const auto began = std::chrono::steady_clock::now();
  kill(child, SIGINT);
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() - began > std::chrono::seconds(5)) kill(child, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  const std::string text = file_text(out);
  CHECK(text.find("interrupted; the figures so far:") != std::string::npos);
  CHECK(text.find("ledger (posix)") != std::string::npos);
  CHECK(left_over(program).empty());
}

}  // namespace powercut::testing
