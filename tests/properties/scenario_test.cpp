// Scenario files: each in tests/scenarios and its folders beside what it prints, the language, and that its reader is total.
#include "faultfs/random.h"
#include "tests/support/one_lock_engine.h"
#include "tests/support/scenario_files.h"

#include <algorithm>
#include <cstdlib>

namespace powercut::testing {
namespace {

using namespace properties;

// What a scenario of sessions that wait for one another prints, without the lines themselves.
std::string told_of_waiting(const std::string& lines) {
  const auto scenario = parse_scenario("table t (id key, value int)\n" + lines, "x");
  INFO((scenario.has_error() ? scenario.error().context() : ""));
  REQUIRE(scenario.has_value());
  const std::string text = to_text(run_scenario(scenario.value(), OneLockEngine(), {}).value());
  std::string told;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (text.compare(at, 4, "    ") == 0) told += text.substr(at + 4, end - at - 3);
    at = end + 1;
  }
  return told;
}

// Whether the text of some event begins so.
bool tells(const ScenarioReport& report, std::string_view text) {
  const auto is_told = [&](const std::vector<ScenarioEvent>& events) {
    return std::any_of(events.begin(), events.end(), [&](const auto& event) { return event.text.rfind(text, 0) == 0; });
  };
  return is_told(report.end) ||
         std::any_of(report.lines.begin(), report.lines.end(), [&](const auto& line) { return is_told(line.events); });
}

constexpr const char* kAccounts =
    "table accounts (id key, balance int check balance >= 0, owner text)\nrows accounts (1, 10, ann) (2, 20, null)\n";

}  // namespace

TEST_CASE("every scenario file is as expected, and prints what is written beside it") {
  const bool update = std::getenv("POWERCUT_UPDATE_GOLDEN") != nullptr;
  const auto files = scenario_files();
  CHECK(files.size() >= 120);
  for (const auto& path : files) {
    INFO(path.string());
    const ScenarioReport report = run(file_text(path));
    CHECK(report.failures == 0);
    auto golden = path;
    golden.replace_extension(".expected");
    const std::string printed = to_text(report);
    if (update) std::ofstream(golden, std::ios::binary) << printed;
    CHECK(file_text(golden) == printed);
  }
}

TEST_CASE("what is expected and not so fails the scenario") {
  const auto failures = [&](const std::string& lines) { return run(kAccounts + lines).failures; };
  CHECK(failures("expect accounts (1, 10, ann) (2, 20, null)\n") == 0);
  CHECK(failures("expect accounts (2, 20, null) (1, 10, 'ann')\n") == 0);
  CHECK(failures("expect accounts (1, 10, ann)\n") == 1);
  CHECK(failures("expect accounts (1, 11, ann) (2, 20, null) (3, 0, null)\n") == 2);
  CHECK(failures("expect accounts empty\n") == 2);
  CHECK(failures("expect no table accounts\n") == 1);
  CHECK(failures("session A read accounts 1\nexpect error not found\n") == 1);
  CHECK(failures("session A read accounts 1\nexpect waits\n") == 1);
  CHECK(failures("session A rollback\nexpect error not found\n") == 1);
  CHECK(failures("session A rollback\nexpect error invalid argument\n") == 0);
  CHECK(failures("invariant sum accounts.balance = 31\ncrash\nrecover\n") == 1);
  CHECK(failures("crash\nexpect accounts empty\n") == 1);
  CHECK(failures("crash\ncrash\n") == 1);
  CHECK(failures("recover\n") == 1);
  CHECK(failures("crash\nlose nothing_of_that_name\nrecover\n") == 1);
}

TEST_CASE("a planted bug fails a scenario that meets it") {
  const std::string lines =
      std::string(kAccounts) +
      "session A update accounts set balance = 5 where id = 1\ncrash\nrecover\nexpect accounts (1, 5, ann) (2, 20, null)\n";
  CHECK(run(lines).failures == 0);
  CHECK(run(lines, {"ack-before-sync"}).failures > 0);
}

TEST_CASE("the power fails at the sync that the scenario names, and the statement has no answer") {
  const std::string begins = std::string(kAccounts) + "session A begin; update accounts set balance = 5 where id = 1\n";
  const auto after = run(begins +
                         "crash after sync 1\nsession A commit; read accounts 1\nsession A read accounts 2\nrecover\nexpect "
                         "accounts (1, 5, ann) (2, 20, null)\n");
  CHECK(after.failures == 0);
  CHECK(tells(after, "the power fails after sync 1"));
  CHECK(tells(after, "A: no answer to commit"));
  CHECK(tells(after, "not run: the power is off"));
  CHECK_FALSE(tells(after, "(1, 5, 'ann')"));
  CHECK(run(begins + "crash before sync 1\nsession A commit\nrecover\nexpect accounts (1, 10, ann) (2, 20, null)\n").failures == 0);
  const std::string kept = "crash before sync 1\nsession A commit\nkeep all\nrecover\nexpect accounts (1, 5, ann) (2, 20, null)\n";
  CHECK(run(begins + kept).failures == 0);
  const auto never = run(begins + "crash after sync 9\nsession A commit\nrecover\nexpect accounts (1, 5, ann) (2, 20, null)\n");
  CHECK(never.failures == 0);
  CHECK(tells(never, "only 1 of 9 syncs came"));
  CHECK(tells(run(begins + "crash after sync 9\n"), "the power has not failed: only 0 of 9 syncs came"));
  CHECK_FALSE(tells(run(begins + "crash after sync 9\ncrash\nrecover\n"), "the power fails after"));
}

TEST_CASE("the power may fail in a recovery, and the next one finishes") {
  const auto report = run(std::string(kAccounts) +
                          "session A begin; delete accounts\ncheckpoint\ncrash\ncrash before sync 1\nrecover\nrecover\nexpect "
                          "accounts (1, 10, ann) (2, 20, null)\n");
  CHECK(report.failures == 0);
  CHECK(tells(report, "the power fails before sync 1"));
}

TEST_CASE("a session that waits goes on under the line that lets it, and is named there") {
  CHECK(told_of_waiting("session A  begin; put t (1, 5)\n"
                        "session B  begin; read t 1; commit\n"
                        "expect waits\n"
                        "session C  read t 1\n"
                        "session A  put t (1, 6); commit\n"
                        "session B  read t 1\n") ==
        "waits for the lock that a transaction has\n(1, 5)\nB goes on\nB: (1, 6)\n(1, 6)\nall as expected\n");
}

TEST_CASE("sessions that wait for the same go on in the order in which they came") {
  CHECK(told_of_waiting("session A  begin; put t (1, 1)\n"
                        "session C  begin; read t 1; put t (1, 3); commit\n"
                        "session B  begin; read t 1; commit\n"
                        "session A  rollback\n") ==
        "waits for the lock that a transaction has\nwaits for the lock that a transaction has\n"
        "C goes on\nC: (1, 1)\nB goes on\nB: (1, 3)\nall as expected\n");
}

TEST_CASE("time passes, and ends a wait, only where an answer is needed") {
  const std::string lines =
      "session A  begin\n"
      "session B  set lock limit 50 ms; begin\n"
      "expect waits\n";
  CHECK(told_of_waiting(lines + "session A  commit\nsession B  commit\n") ==
        "waits for the lock that a transaction has\nB goes on\nall as expected\n");
  CHECK(told_of_waiting(lines + "expect error timeout\nsession A  commit\n") ==
        "waits for the lock that a transaction has\nB goes on: timeout: no lock in time\nall as expected\n");
  CHECK(told_of_waiting(lines + "session B  read t 1\nexpect error timeout of B\n") ==
        "waits for the lock that a transaction has\nB goes on: timeout: no lock in time\nno row\n"
        "FAILED: expected the error 'timeout', found success\nA's transaction is rolled back\nFAILED: 1 not as expected\n");
}

TEST_CASE("a session that waits for ever is reported, and cannot be given another line") {
  const std::string lines = "session A  begin\nsession B  begin; read t 1\n";
  const std::string waits = "waits for the lock that a transaction has\n";
  CHECK(told_of_waiting(lines) ==
        waits + "B still waits for the lock that a transaction has\nA's transaction is rolled back\nall as expected\n");
  CHECK(told_of_waiting(lines + "session B  commit\nsession A  commit\n") ==
        waits +
            "FAILED: session B cannot be given this: it still waits for the lock that a transaction has\n"
            "B still waits for the lock that a transaction has\nA's transaction is rolled back\nFAILED: 1 not as expected\n");
  CHECK(told_of_waiting(lines + "expect error deadlock\n").find("found that it still waits for the lock") != std::string::npos);
}

TEST_CASE("a crash ends every wait, and the sessions after it are new") {
  CHECK(told_of_waiting("session A  begin\nsession B  begin\ncrash\nrecover\nsession B  begin; commit\nexpect no table t\n") ==
        "waits for the lock that a transaction has\nthe power fails\nB: no answer to begin\npending: nothing: every change was "
        "durable\nall as expected\n");
}

TEST_CASE("what an interrupted commit has made of the tables is known after recovery, there or not") {
  const std::string lines = "table t (id key)\nsession A begin; drop table t; create table t2 (id key, a int); insert t2 (1, 5)\n";
  const std::string then = "session A commit\nrecover\n";
  const std::string there = "expect no table t\nexpect t2 (1, 5)\nsession A update t2 set a = 6; scan t2\nexpect t2 (1, 6)\n";
  CHECK(run(lines + "crash after sync 1\n" + then + there).failures == 0);
  const std::string not_there =
      "expect no table t2\nsession A put t (3)\nexpect t (3)\nsession A scan t2\nexpect error not found\n";
  CHECK(run(lines + "crash before sync 1\n" + then + not_there).failures == 0);
  CHECK(run(lines + "session A rollback\n" + not_there).failures == 0);
}

TEST_CASE("conditions, sums and values mean what they say") {
  const auto report =
      run(std::string(kAccounts) +
          "session A put accounts (3, -0, 'it''s'); scan accounts where balance <> 20; sum accounts.balance where id <= 2\n"
          "session A update accounts set owner = owner, balance = balance + 1 where id > 1 and balance >= 20; scan accounts from 2 "
          "to 3\n"
          "session A delete accounts where owner = ann; scan accounts where id < 3; read accounts 7\n"
          "session A scan accounts where id > 5 and id < 2\n"
          "expect accounts (2, 21, null) (3, 0, 'it''s')\n");
  CHECK(report.failures == 0);
  const std::string text = to_text(report);
  CHECK(text.find("    (1, 10, 'ann')\n    (3, 0, 'it''s')\n    sum: 30\n") != std::string::npos);
  CHECK(text.find("    rows changed: 1\n    (2, 21, null)\n") != std::string::npos);
  CHECK(text.find("    rows changed: 1\n    (2, 21, null)\n    no row\n") != std::string::npos);
  CHECK(text.find("    no rows\n") != std::string::npos);
}

TEST_CASE("a mistake in a file is told with its place, what was expected, and what was found") {
  const auto refused = [&](const std::string& lines, const std::string& message) {
    const auto parsed = parse_scenario(kAccounts + lines, "f");
    INFO(lines);
    REQUIRE(parsed.has_error());
    CHECK(parsed.error().code() == ErrorCode::kInvalidArgument);
    CHECK(parsed.error().context().rfind("f:3:" + message, 0) == 0);
  };
  refused("sesion A begin", "1: expected option, model, table, ");
  refused("session A read acounts 1", "16: expected a table, found 'acounts'");
  refused("session A beg", "11: expected a statement: begin, ");
  refused("session A begin snapshot",
          "17: expected read uncommitted, read committed, repeatable read or serializable, found 'snapshot'");
  refused("session A update accounts set blance = 1", "31: expected a column other than the key, found 'blance'");
  refused("session A update accounts set id = 1", "31: expected a column other than the key, found 'id'");
  refused("session A update accounts set balance = ann", "41: expected a number or null, found 'ann'");
  refused("session A delete accounts where id", "35: expected =, <>, <, <=, > or >=, found the end of the line");
  refused("session A delete accounts where owner = null", "41: expected a value: nothing compares with null, found 'null'");
  refused("session A put accounts (1, 2)", "29: expected ',', found ')'");
  refused("session A put accounts (1, 2, x, 4)", "32: expected ')', found ','");
  refused("session A put accounts (100000, 2, x)", "25: expected a key from 0 to 99999, found '100000'");
  refused("session A put accounts (1, 2, 'x)", "31: expected a quote that ends the text, found ''x)'");
  refused("session A put accounts (1, 2000000000000, x)", "28: expected a number up to 1000000000000, found '2000000000000'");
  refused("session A begin commit", "17: expected read uncommitted");
  refused("session A commit commit", "18: expected ';' or the end of the line, found 'commit'");
  refused("expect waits", "1: expected a session line above, found none");
  refused("crash after sync 0", "18: expected a number of syncs from 1 to 1000000, found '0'");
  refused("option frames 16", "8: expected option lines above the first line that does something");
  refused("model ntfs", "7: expected the model above the first line");
  refused("lose", "5: expected 'all' or the name of a file, found the end of the line");
  refused("invariant sum accounts.owner = 1", "24: expected a column of numbers of accounts, found 'owner'");
  refused("\x80", "1: expected option");
  const auto unknown = parse_scenario("session A begin\nexpect error bad", "f");
  REQUIRE(unknown.has_error());
  CHECK(unknown.error().context().rfind("f:2:14: expected an error: not found, already exists, ", 0) == 0);
  CHECK(parse_scenario(std::string(kMostScenarioBytes + 1, '#'), "f").has_error());
  CHECK(parse_scenario("", "f").has_value());
  std::string crashes;
  for (std::uint32_t time = 0; time < kMostScenarioRecoveries; ++time) crashes += "crash\nrecover\n";
  CHECK(parse_scenario(crashes, "f").has_value());
  CHECK(parse_scenario(crashes + "crash\nrecover\n", "f").has_error());
  const auto option = parse_scenario("\noption cache 1\n", "f");
  REQUIRE(option.has_value());
  const auto ran = run_scenario(option.value(), *recovery::make_ledger_kind(), {});
  REQUIRE(ran.has_error());
  CHECK(ran.error().context().rfind("f:2:8: ledger has no option 'cache'", 0) == 0);
}

TEST_CASE("the reader of scenario files is total, and what it takes runs") {
  const auto kind = recovery::make_ledger_kind();
  std::vector<std::string> texts;
  for (const auto& path : scenario_files()) texts.push_back(file_text(path));
  property(
      "damaged scenario files",
      [&](std::uint64_t seed) {
        Random random(seed);
        std::string text = texts[random.below(static_cast<std::uint32_t>(texts.size()))];
        const auto place = [&] { return random.below(static_cast<std::uint32_t>(text.size())); };
        for (std::uint32_t left = 1 + random.below(6); left > 0 && !text.empty(); --left) {
          static constexpr std::string_view kBytes = "'();,.=<>+- \n#019az\0\xff";
          const std::uint32_t at = place();
          const std::uint32_t what = random.below(4);
          if (what == 0) text.erase(at, 1 + random.below(20));
          if (what == 1) text.insert(at, 1, kBytes[random.below(static_cast<std::uint32_t>(kBytes.size()))]);
          if (what == 2) text[at] = static_cast<char>(random.below(256));
          if (what == 3) text.insert(at, text.substr(place(), random.below(40)));
        }
        const auto parsed = parse_scenario(text, "f");
        const auto ran = parsed.has_value() ? run_scenario(parsed.value(), *kind, {}) : Result<ScenarioReport>(parsed.error());
        if (ran.has_value()) {
          RC_ASSERT(to_text(ran.value()).find("the end\n") != std::string::npos);
        } else {
          RC_ASSERT(ran.error().code() == ErrorCode::kInvalidArgument);
          RC_ASSERT(ran.error().context().rfind("f:", 0) == 0);
        }
      },
      10);
}

}  // namespace powercut::testing
