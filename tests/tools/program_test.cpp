// The program as its users meet it: what it prints, and how it ends.
#include "tests/support/program.h"
#include "tests/support/property.h"

#include <nlohmann/json.hpp>

#include <sys/wait.h>

#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

namespace powercut::testing {
namespace {

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  const auto begin = text.rfind('\n', end);
  return text.substr(begin + 1, end - begin);
}

}  // namespace

TEST_CASE("run finds a planted bug, stores it, and its last line replays it") {
  const Program program;
  const Ended run = program.run("run --defect ack-before-sync --workload bank --seeds 100");
  CHECK(run.status == 1);
  CHECK(run.error.empty());  // no progress line in a pipe
  CHECK(run.out.find("VIOLATION durable: acknowledged transactions are missing") != std::string::npos);
  CHECK(run.out.find("\n  why: ") != std::string::npos);
  const std::string command = last_line(run.out);
  const std::string program_name = POWERCUT_PROGRAM " ";
  REQUIRE(command.rfind(program_name, 0) == 0);
  const Ended replay = program.run(command.substr(program_name.size()));
  CHECK(replay.status == 1);
  for (const std::string_view text :
       {"WHY", "HISTORY", "PENDING", "RECOVERY", "LOG as recovery left it", "VIOLATION durable", "the same as recorded"}) {
    INFO(text);
    CHECK(replay.out.find(text) != std::string::npos);
  }
}

TEST_CASE("a replay says why first, in less than a screen, and gives every operation its source line") {
  const Program program;
  const Ended run = program.run("explore --format json --defect control-unsynced-rename --seeds 3 --steps 4");
  REQUIRE(run.status == 1);
  const auto found = nlohmann::json::parse(run.out)["violation"];
  const auto file = found["case_file"].get<std::string>();
  const Ended told = program.run("replay " + file);
  const auto why = told.out.find("\nWHY\n");
  const auto history = told.out.find("\nHISTORY");
  REQUIRE(why != std::string::npos);
  REQUIRE(history != std::string::npos);
  CHECK(why < history);
  CHECK(std::count(told.out.begin() + static_cast<std::ptrdiff_t>(why), told.out.begin() + static_cast<std::ptrdiff_t>(history),
                   '\n') <= 20);
  CHECK(told.out.find("#1 make directory db  recovery/ledger_engine.cpp:") != std::string::npos);

  const auto blame = nlohmann::json::parse(program.run("replay --format json " + file).out)["blame"];
  CHECK(blame["kind"] == "order");
  CHECK(blame["sentence"] == found["blame"]);
  CHECK(blame["missing"].get<std::string>().find("no sync of db/control.tmp came between") == 0);
  CHECK(blame["minimal"] == true);
  REQUIRE(blame["lost"].size() == 1);
  CHECK(blame["lost"][0]["path"] == "db/control.tmp");
  CHECK(blame["lost"][0]["source"].get<std::string>().find("engine/ledger/control.cpp:") == 0);
  REQUIRE(blame["kept"].size() == 1);
  CHECK(blame["kept"][0]["kind"] == "name");
  CHECK(blame["kept"][0]["name"] == "control");
}

TEST_CASE("a seed and a case file replay to the same trace hash, whatever number of jobs found it") {
  const Program program;
  std::vector<std::string> hashes;
  for (const std::string_view jobs : {"1", "3"}) {
    const Ended run = program.run("run --format json --defect no-undo --seeds 50 --jobs " + std::string(jobs));
    REQUIRE(run.status == 1);
    const auto found = nlohmann::json::parse(run.out)["violation"];
    hashes.push_back(found["trace_hash"]);
    const Ended by_file = program.run("replay --format json " + found["case_file"].get<std::string>());
    hashes.push_back(nlohmann::json::parse(by_file.out)["trace_hash"]);
    const Ended by_seed =
        program.run("replay --format json --defect no-undo --seed " + std::to_string(found["seed"].get<std::uint64_t>()));
    hashes.push_back(nlohmann::json::parse(by_seed.out)["trace_hash"]);
  }
  for (const std::string& hash : hashes) CHECK(hash == hashes.front());
}

TEST_CASE("run without a planted bug finds nothing and says how much it did") {
  const Program program;
  const Ended run = program.run("run --seeds 50 --format json");
  CHECK(run.status == 0);
  const auto figures = nlohmann::json::parse(run.out);
  CHECK(figures["violation"].is_null());
  CHECK(figures["cases"] == 50);
  CHECK(figures["recoveries"].get<int>() > figures["crash_states"].get<int>());
}

TEST_CASE("wrong usage is told what would be right, with exit status 2") {
  const Program program;
  const auto refused = [&](const std::string& arguments, std::string_view message) {
    const Ended ended = program.run(arguments);
    INFO(arguments << "\n" << ended.error);
    CHECK(ended.status == 2);
    CHECK(ended.out.empty());
    CHECK(ended.error.find("powercut: ") == 0);
    CHECK(ended.error.find(message) != std::string::npos);
  };
  refused("survey --engine nothing", "there are: ledger");
  refused("survey --engine ledger --mode nothing", "there are: default early-release");
  refused("survey --seeds 0", "must be from 1");
  refused("survey --cases some", "there are: none broken lost");
  refused("run --judge-by nobody", "there are: guarantee all nothing");
  refused("run --modle posix", "unrecognised option '--modle'");
  refused("run --model ntfs",
          "no persistence model is called 'ntfs'; there are: posix ext4-ordered ext4-writeback xfs btrfs prefix");
  refused("run --atom 7", "the knob atom cannot be '7'; there are: 512 4096 write");
  refused("run --defect none", "ledger has no defect 'none'; there are: ack-before-sync");
  refused("run --workload tpcc", "no workload is called 'tpcc'; there are: bank kv savepoints sessions orders ddl");
  refused("run --fault bit-rot --workload bank --workload orders", "--workload orders: faults are for workloads of one session");
  refused("run --isolation serializable --workload bank", "none of the workloads has more than one session");
  refused("run --isolation snapshot", "no isolation level is called 'snapshot'; there are: 'read-uncommitted'");
  refused("explore --schedules 0", "--schedules 0: must be from 1 to");
  refused("run --engine db2", "no engine is called 'db2'; there are: ledger");
  refused("run --set cache=1", "ledger has no option 'cache'; there are: frames segment check-log-end");
  refused("run --set frames=x", "'x' is not a number from 8");
  refused("run --set frames", "must be NAME=VALUE");
  refused("run --seeds many", "'many'");
  refused("run --seeds -5", "'-5'");
  refused("run --seeds 0", "give at least 1");
  refused("run --jobs 0", "--jobs 0: must be from 1 to 256");
  refused("run --steps 0", "must be from 1 to");
  refused("run --nested 9", "must be from 0 to 2");
  refused("run --format xml", "no format is called 'xml'; there are: text json");
  refused("run stray", "too many positional options");
  refused("replay", "Give a case file, or --seed");
  refused("list", "list what?");
  refused("list colours", "cannot list 'colours'; there are: engines");
  refused("log", "Give the directory of a database");
  refused("scenario", "Give a file");
  refused("scenario no-such-file", "no-such-file: No such file or directory");
  refused("scenario --defect none " POWERCUT_SCENARIOS "/order-out-of-stock.scenario", "ledger has no defect 'none'");
  refused("run --set rename=never", "the knob rename cannot be 'never'; there are: one-step split");
  refused("explore --seeds 0", "--seeds 0: must be from 1");
  refused("explore --time 0", "--time 0: must be more than 0 seconds");
  refused("explore --point 0", "--point 0: must be from 1");
  refused("explore --boots 3", "boots");
  refused("scenario --jobs 1 " POWERCUT_SCENARIOS "/order-out-of-stock.scenario", "--jobs says something only with --explore");
  refused("fly", "no command is called 'fly'; there are: run explore replay scenario kill survey log bench list");
  refused("kill --backend tape", "no backend is called 'tape'; there are: posix uring uring-direct");
  refused("kill --rounds 0", "--rounds 0: must be from 1 to");
  refused("kill --sessions 33", "--sessions 33: must be from 1 to 32");
  refused("kill --set rename=split", "ledger has no option 'rename'");
}

TEST_CASE("a scenario is told line by line, and its exit status says whether all was as expected") {
  const Program program;
  const std::string file = POWERCUT_SCENARIOS "/check-fails-and-rolls-back.scenario";
  const Ended told = program.run("scenario " + file);
  CHECK(told.status == 0);
  CHECK(told.out == file_text(POWERCUT_SCENARIOS "/check-fails-and-rolls-back.expected"));
  const Ended json = program.run("scenario --format json " + file);
  CHECK(json.status == 0);
  const auto document = nlohmann::json::parse(json.out);
  CHECK(document["command"] == "scenario");
  CHECK(document["failures"] == 0);
  CHECK(document["lines"][5]["events"][0] == nlohmann::json({{"kind", "answer"}, {"session", "ann"}, {"text", "rows changed: 1"}}));

  CHECK(program.run("scenario --defect ack-before-sync " + file).status == 1);
  program.shell("printf 'table t (id key)\\nexpect t (1)\\n' > wrong.scenario && printf 'table t\\n' > broken.scenario");
  const Ended wrong = program.run("scenario wrong.scenario");
  CHECK(wrong.status == 1);
  CHECK(wrong.out.find("expect t (1)\n    FAILED: expected (1), found no such row\n") != std::string::npos);
  const Ended broken = program.run("scenario broken.scenario");
  CHECK(broken.status == 2);
  CHECK(broken.error == "powercut: broken.scenario:1:8: expected '(', found the end of the line\n");
}

TEST_CASE("what powercut cannot do is told with exit status 3, and nothing is written") {
  const Program program;
  const auto fails = [&](const std::string& arguments, std::string_view message) {
    const Ended ended = program.run(arguments);
    INFO(arguments << "\n" << ended.error);
    CHECK(ended.status == 3);
    CHECK(ended.error.find(message) != std::string::npos);
  };
  REQUIRE(program.run("run --defect no-undo --seeds 20 --workload bank --output .").status == 1);
  program.shell(
      "mv powercut-ledger-*.json case.json && head -c 300 case.json > short.json && sed 's/\"seed\": /\"seed\": 1/' case.json > "
      "changed.json "
      "&& sed 's/\"version\": 3/\"version\": 99/' case.json > future.json && : > empty.json");
  fails("replay short.json", "short.json: not a case file: the JSON is broken or cut short");
  fails("replay changed.json", "it was changed after it was written");
  fails("replay future.json", "case format version 99; this powercut reads versions 2 to 3");
  fails("replay empty.json", "the JSON is broken or cut short");
  fails("replay none.json", "No such file or directory");
  fails("run --defect no-undo --output /no/such/place", "--output /no/such/place: there is no such directory");
  fails("run --defect no-undo --output case.json", "there is no such directory");
  fails("log /no/such/place", "No such file or directory");
  fails("log .", "no database here");
  fails("survey --engine ledger --html /no/such/place.html", "--html /no/such/place.html: cannot be written");
  fails("survey --engine ledger --output /no/such/place", "there is no such directory");
  fails("kill --dir /no/such/place", "No such file or directory");
}

TEST_CASE("survey says of each cell what is promised and what was seen, as text, JSON and a page") {
  const Program program;
  const auto ended = program.run(
      "survey --engine ledger --mode default --model posix --model prefix --seeds 12 --explored 1 --steps 2 --recoveries 500 "
      "--html page.html --json cells.json");
  CHECK(ended.status == 0);
  CHECK(ended.out.find("2 of 2 cells; in 0 what is documented and what was seen differ") != std::string::npos);
  CHECK(ended.error.empty());
  const auto document = nlohmann::json::parse(file_text(program.directory.path() + "/cells.json"));
  REQUIRE(document["cells"].size() == 2);
  for (const auto& cell : document["cells"]) {
    CHECK(cell["engine"] == "ledger");
    CHECK(cell["recoveries"].get<std::uint64_t>() > 100);
    CHECK(cell["disagrees_with_documentation"] == false);
    REQUIRE(cell["promises"].size() == 5);
    for (const auto& promise : cell["promises"]) {
      CHECK(promise["promised"] == true);
      CHECK(promise["broken_in_recoveries"] == 0);
      CHECK(promise["verdict"] == "yes");
    }
  }
  const std::string page = file_text(program.directory.path() + "/page.html");
  CHECK(page.find("<td class=yes>yes") != std::string::npos);
  CHECK(page.find("BROKEN</td>") == std::string::npos);
  // The command of a cell gives the cell again.
  const std::string command = document["cells"][1]["command"];
  const auto again = program.run(command.substr(command.find(" survey ") + 1) + " --format json");
  REQUIRE(again.status == 0);
  CHECK(nlohmann::json::parse(again.out)["cells"][0]["promises"] == document["cells"][1]["promises"]);
}

TEST_CASE("every command explains itself") {
  const Program program;
  for (const std::string_view command : {"run", "explore", "replay", "scenario", "survey", "kill", "log", "bench", "list"}) {
    const Ended help = program.run(std::string(command) + " --help");
    CHECK(help.status == 0);
    CHECK(help.out.find("usage: powercut " + std::string(command)) == 0);
    CHECK(help.out.find("example:") != std::string::npos);
  }
  CHECK(program.run("--help").status == 0);
  CHECK(program.run("").status == 2);
  for (const std::string_view what : {"engines", "workloads", "models", "defects", "options", "modes"}) {
    const auto listed = nlohmann::json::parse(program.run("list --format json " + std::string(what)).out);
    REQUIRE(listed.is_array());
    for (const auto& entry : listed) CHECK(entry["summary"].get<std::string>().size() > 10);
  }
}

TEST_CASE("kill says what it killed, and keeps the database of a planted bug, whose log can be read") {
  const Program program;
  const Ended sound = program.run("kill --rounds 10 --sessions 1 --workload sessions");
  CHECK(sound.status == 0);
  CHECK(sound.out.find("11 kills: ") != std::string::npos);
  CHECK(sound.out.find("no violation\n") != std::string::npos);
  const Ended told = program.run("kill --defect ack-before-sync --rounds 300");
  CHECK(told.status == 1);
  CHECK(told.out.find("VIOLATION durable: acknowledged transactions are missing: ") != std::string::npos);
  CHECK(told.out.find("\nthe kill before  ") != std::string::npos);
  const Ended json = program.run("kill --format json --defect ack-before-sync --rounds 300");
  CHECK(json.status == 1);
  const auto document = nlohmann::json::parse(json.out);
  CHECK(document["command"] == "kill");
  CHECK(document["interrupted"] == false);
  CHECK(document["violation"]["oracle"] == "durable");
  const auto database = document["violation"]["database"].get<std::string>();
  CHECK(program.run("log " + database + "/db").status == 0);
}

TEST_CASE("Ctrl-C ends a run within a second, with the figures so far") {
  const std::string command = GENERATE("run --seeds 1000000000 --jobs 2", "kill --rounds 1000000");
  const Program program;
  const std::string out = program.directory.path() + "/out.txt";
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen(out.c_str(), "w", stdout) == nullptr) _exit(9);
    const std::string line = "cd " + program.directory.path() + " && exec " POWERCUT_PROGRAM " " + command;
    execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    _exit(9);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  const auto began = std::chrono::steady_clock::now();
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(file_text(out).find("interrupted; the figures so far:") != std::string::npos);
  CHECK(file_text(out).find("no violation") != std::string::npos);
}

TEST_CASE("bench recovery measures each size in each round, leaves nothing behind, and says it in three formats") {
  const Program program;
  const std::string options = "bench recovery --log-bytes 1M,2M --rows 100 --rounds 2 ";
  const Ended json = program.run(options + "--format json --cache warm");
  REQUIRE(json.status == 0);
  const auto document = nlohmann::json::parse(json.out);
  REQUIRE(document["sizes"].size() == 2);
  for (const auto& size : document["sizes"]) {
    CHECK(size["ratio"]["median"] > 0);
    CHECK(size["ratio"]["least"] <= size["ratio"]["most"]);
    CHECK(size["records"] > 10000);
  }
  CHECK(document["sizes"][0]["log_bytes"] >= 1U << 20U);
  CHECK(document["sizes"][1]["log_bytes"] >= 2U << 20U);
  const Ended csv = program.run(options + "--format csv");
  CHECK(std::count(csv.out.begin(), csv.out.end(), '\n') == 5);
  CHECK(program.run(options).out.find("ratio") != std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(program.directory.path())) {
    CHECK(entry.path().filename().string().find("powercut-bench") == std::string::npos);
  }
  for (const std::string wrong :
       {"--log-bytes 0", "--log-bytes 1X", "--cache hot", "--backend tape", "--rounds 0", "--format xml"}) {
    INFO(wrong);
    CHECK(program.run("bench recovery " + wrong).status == 2);
  }
}

}  // namespace powercut::testing
