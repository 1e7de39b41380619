#include "properties/isolation.h"
#include "faultfs/random.h"
#include "tests/support/property.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <set>

namespace powercut::testing {
using namespace properties;
using engine::Isolation;
using Outcome = History::Outcome;

namespace {

using Names = std::vector<std::string>;
using Row = std::optional<std::string>;

Names names(const std::vector<Anomaly>& found) {
  Names result;
  for (const Anomaly& each : found) result.emplace_back(name(each.kind));
  return result;
}

// Transactions A, B, C, … on the table "t", in the words of a session.
class Script {
 public:
  explicit Script(const std::map<std::string, std::string>& rows = {{"1", "10"}, {"2", "20"}}) {
    for (const auto& [key, row] : rows) history_.write(0, "t", key, row);
  }
  std::uint64_t begin(Isolation level = Isolation::kSerializable) {
    return history_.begin(level, std::string(1, static_cast<char>('A' + history_.transactions().size() - 1)));
  }
  void put(std::uint64_t transaction, const std::string& key, const std::string& row) {
    history_.write(transaction, "t", key, row);
  }
  void erase(std::uint64_t transaction, const std::string& key) { history_.write(transaction, "t", key, {}); }
  void get(std::uint64_t transaction, const std::string& key, const Row& row) {
    const auto version = history_.latest_with(transaction, "t", key, row);
    REQUIRE(version);
    history_.read(transaction, "t", key, *version);
  }
  void scan(std::uint64_t transaction, const std::string& from, const std::string& to,
            const std::map<std::string, std::string>& rows) {
    std::vector<std::pair<std::string, Version>> matched;
    for (const auto& [key, row] : rows) {
      const auto version = history_.latest_with(transaction, "t", key, row);
      REQUIRE(version);
      matched.emplace_back(key, *version);
    }
    history_.scan(transaction, "t", from, to, matched);
  }
  void commit(std::uint64_t transaction) { history_.end(transaction, Outcome::kCommitted); }
  void abort(std::uint64_t transaction) { history_.end(transaction, Outcome::kAborted); }

  History& history() { return history_; }
  Names anomalies() const { return names(properties::anomalies(history_)); }
  Names violations() const { return names(properties::violations(history_)); }
  std::string text() const {
    const auto found = properties::anomalies(history_);
    return found.empty() ? "" : found.front().text();
  }

 private:
  History history_;
};

// What each anomaly is called, and from which level on it is a violation of all its transactions' levels.
void check_from(Isolation least, const Names& expected, const std::function<void(Script&, Isolation)>& play) {
  for (const auto level :
       {Isolation::kReadUncommitted, Isolation::kReadCommitted, Isolation::kRepeatableRead, Isolation::kSerializable}) {
    Script script;
    play(script, level);
    CHECK(script.anomalies() == expected);
    CHECK(script.violations() == (level >= least ? expected : Names{}));
  }
}

}  // namespace

TEST_CASE("transactions one after the other show no anomaly") {
  Script script;
  const auto a = script.begin();
  script.scan(a, "", "", {{"1", "10"}, {"2", "20"}});
  script.get(a, "3", {});
  script.put(a, "1", "11");
  script.put(a, "3", "30");
  script.erase(a, "2");
  script.scan(a, "", "", {{"1", "11"}, {"3", "30"}});
  script.commit(a);
  const auto b = script.begin();
  script.put(b, "1", "12");
  script.put(b, "4", "40");
  script.abort(b);
  const auto c = script.begin();
  script.scan(c, "", "", {{"1", "11"}, {"3", "30"}});
  script.put(c, "2", "21");
  script.erase(c, "3");
  script.commit(c);
  const auto d = script.begin();
  script.scan(d, "", "", {{"1", "11"}, {"2", "21"}});
  script.get(d, "3", {});
  script.put(d, "3", "31");
  script.commit(d);
  CHECK(script.anomalies().empty());
}

TEST_CASE("G0: two transactions overwrite each other's rows in different orders") {
  check_from(Isolation::kReadUncommitted, {"dirty write (G0)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.put(a, "1", "11");
    script.put(b, "1", "12");
    script.put(b, "2", "22");
    script.commit(b);
    script.put(a, "2", "21");
    script.commit(a);
    CHECK(script.text() ==
          "dirty write (G0): A wrote t[1] before B did, and B wrote t[2] before A did: A -ww(t[1])-> B -ww(t[2])-> A");
  });
}

TEST_CASE("G1a: what was rolled back was read") {
  check_from(Isolation::kReadCommitted, {"aborted read (G1a)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.put(a, "1", "11");
    script.get(b, "1", "11");
    script.get(b, "1", "11");
    script.abort(a);
    script.commit(b);
    CHECK(script.text() == "aborted read (G1a): B read t[1] as A wrote it, and A was rolled back");
  });
  // A delete, seen by a range.
  check_from(Isolation::kReadCommitted, {"aborted read (G1a)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.erase(a, "1");
    script.scan(b, "", "", {{"2", "20"}});
    script.abort(a);
    script.commit(b);
  });
}

TEST_CASE("G1a: what was rolled back may be read by what is rolled back too") {
  Script script;
  const auto a = script.begin();
  const auto b = script.begin();
  script.put(a, "1", "11");
  script.get(b, "1", "11");
  script.abort(a);
  script.abort(b);
  CHECK(script.anomalies().empty());
}

TEST_CASE("G1b: what its writer then overwrote was read") {
  check_from(Isolation::kReadCommitted, {"intermediate read (G1b)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.put(a, "1", "101");
    script.get(b, "1", "101");
    script.put(a, "1", "11");
    script.commit(a);
    script.commit(b);
    CHECK(script.text() == "intermediate read (G1b): B read t[1] as A wrote it, before A wrote it again");
  });
}

TEST_CASE("reading what one wrote oneself depends on nobody, whatever one writes later") {
  Script script;
  const auto a = script.begin();
  const auto b = script.begin();
  script.put(a, "1", "101");
  script.get(a, "1", "101");
  script.scan(a, "", "", {{"1", "101"}, {"2", "20"}});
  script.put(a, "1", "11");
  script.get(a, "1", "11");
  script.erase(a, "1");
  script.get(a, "1", {});
  script.scan(a, "", "", {{"2", "20"}});
  script.put(b, "3", "30");
  script.get(b, "3", "30");
  script.commit(a);
  script.commit(b);
  // Only that b put a row into the range that a had read.
  CHECK(script.anomalies().empty());
}

TEST_CASE("one's own last write is what one reads") {
  const auto check = [](const std::function<void(Script&, std::uint64_t)>& play) {
    check_from(Isolation::kReadUncommitted, {"own write not seen"}, [&](Script& script, Isolation level) {
      const auto a = script.begin(level);
      play(script, a);
      script.commit(a);
      CHECK(script.text() == "own write not seen: A did not see t[1] as it had written it itself");
    });
  };
  check([](Script& script, std::uint64_t a) {
    script.put(a, "1", "11");
    script.get(a, "1", "10");
  });
  check([](Script& script, std::uint64_t a) {
    script.put(a, "1", "11");
    script.put(a, "1", "12");
    script.get(a, "1", "11");
  });
  check([](Script& script, std::uint64_t a) {
    script.erase(a, "1");
    script.scan(a, "", "", {{"1", "10"}, {"2", "20"}});
  });
}

TEST_CASE("a row of the initial state does not vanish by itself") {
  check_from(Isolation::kReadUncommitted, {"missing row"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    script.scan(a, "", "", {{"2", "20"}});
    script.commit(a);
    CHECK(script.text() == "missing row: A found no t[1], which nobody had deleted");
  });
}

TEST_CASE("of a row of which nobody knows what was seen, nothing is held against the reader") {
  const auto found_with = [](const std::vector<std::string>& unknown) {
    History history;
    history.write(0, "t", "1", "10");
    history.write(0, "t", "2", "20");
    CHECK(history.keys("t", "", "2") == std::vector<std::string>{"1"});
    CHECK(history.keys("t", "", "") == std::vector<std::string>{"1", "2"});
    CHECK(history.keys("u", "", "").empty());
    const auto a = history.begin(Isolation::kReadUncommitted, "A");
    const std::vector<std::pair<std::string, Version>> matched{{"2", {0, 1}}};
    history.scan(a, "t", "", "", matched, unknown);
    history.end(a, History::Outcome::kCommitted);
    return violations(history).size();
  };
  CHECK(found_with({}) == 1);
  CHECK(found_with({"1"}) == 0);
}

TEST_CASE("a row that nobody wrote has no version") {
  Script script;
  const auto a = script.begin();
  CHECK_FALSE(script.history().latest_with(a, "t", "1", "11"));
  CHECK_FALSE(script.history().latest_with(a, "t", "1", {}));
  CHECK_FALSE(script.history().latest_with(a, "t", "3", "30"));
  CHECK(script.history().latest_with(a, "t", "3", {}) == Version{});
  CHECK(script.history().latest_with(a, "u", "1", {}) == Version{});
  CHECK(script.history().latest_with(a, "t", "1", "10") == Version{0, 1});
}

TEST_CASE("equal bytes are of one's own write, then of the newest that was not rolled back") {
  Script script;
  const auto a = script.begin();
  const auto b = script.begin();
  const auto& history = script.history();
  script.put(a, "1", "11");
  script.put(a, "1", "11");
  CHECK(history.latest_with(b, "t", "1", "11") == Version{a, 2});
  script.put(b, "1", "11");
  CHECK(history.latest_with(a, "t", "1", "11") == Version{a, 2});
  CHECK(history.latest_with(b, "t", "1", "11") == Version{b, 1});
  script.commit(a);
  script.abort(b);
  const auto c = script.begin();
  CHECK(history.latest_with(c, "t", "1", "11") == Version{a, 2});
  const auto d = script.begin();
  script.put(d, "1", "12");
  script.abort(d);
  CHECK(history.latest_with(c, "t", "1", "12") == Version{d, 1});
}

TEST_CASE("G1c: two transactions read each other's writes") {
  check_from(Isolation::kReadCommitted, {"circular information flow (G1c)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.put(a, "1", "11");
    script.put(b, "2", "22");
    script.get(a, "2", "22");
    script.get(b, "1", "11");
    script.commit(a);
    script.commit(b);
    CHECK(script.text() ==
          "circular information flow (G1c): B read t[1] as A left it, and A read t[2] as B left it: "
          "A -wr(t[1])-> B -wr(t[2])-> A");
  });
}

TEST_CASE("lost update: two transactions read a row and then both write it") {
  check_from(Isolation::kRepeatableRead, {"lost update"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.get(a, "1", "10");
    script.get(b, "1", "10");
    script.put(b, "1", "12");
    script.commit(b);
    script.put(a, "1", "11");
    script.commit(a);
    CHECK(script.text() ==
          "lost update: A read t[1] before B wrote it, and B wrote t[1] before A did: A -rw(t[1])-> B -ww(t[1])-> A");
  });
}

TEST_CASE("lost update: with others in between, and of a row that was then deleted") {
  check_from(Isolation::kRepeatableRead, {"lost update"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    script.scan(a, "", "2", {{"1", "10"}});
    for (const char* row : {"11", "12", "13"}) {
      const auto other = script.begin(level);
      script.put(other, "1", row);
      script.commit(other);
    }
    script.erase(a, "1");
    script.commit(a);
    CHECK(script.text() ==
          "lost update: A read t[1] before B wrote it, and B wrote t[1] before A did: A -rw(t[1])-> B -ww(t[1])-> A");
  });
}

TEST_CASE("a blind write loses no update") {
  Script script;
  const auto a = script.begin();
  const auto b = script.begin();
  script.get(b, "1", "10");
  script.put(b, "1", "12");
  script.commit(b);
  script.put(a, "1", "11");
  script.get(a, "1", "11");
  script.commit(a);
  CHECK(script.anomalies().empty());
}

TEST_CASE("G-single: one row is read before, another after the same transaction wrote both") {
  check_from(Isolation::kRepeatableRead, {"read skew (G-single)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.get(a, "1", "10");
    script.put(b, "1", "12");
    script.put(b, "2", "22");
    script.commit(b);
    script.get(a, "2", "22");
    script.commit(a);
    CHECK(script.text() ==
          "read skew (G-single): A read t[1] before B wrote it, and A read t[2] as B left it: A -rw(t[1])-> B -wr(t[2])-> A");
  });
}

TEST_CASE("G-single: the same row is read twice and is not the same") {
  check_from(Isolation::kRepeatableRead, {"read skew (G-single)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.get(a, "1", "10");
    script.put(b, "1", "12");
    script.commit(b);
    script.get(a, "1", "12");
    script.commit(a);
  });
  // It is gone: what a range returned was read, so this is no phantom.
  check_from(Isolation::kRepeatableRead, {"read skew (G-single)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.scan(a, "", "", {{"1", "10"}, {"2", "20"}});
    script.erase(b, "1");
    script.commit(b);
    script.scan(a, "", "", {{"2", "20"}});
    script.commit(a);
  });
}

TEST_CASE("G2-item: each reads what the other then writes") {
  check_from(Isolation::kRepeatableRead, {"write skew (G2-item)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.get(a, "1", "10");
    script.get(a, "2", "20");
    script.scan(b, "", "", {{"1", "10"}, {"2", "20"}});
    script.put(a, "1", "11");
    script.put(b, "2", "22");
    script.commit(a);
    script.commit(b);
    CHECK(script.text() ==
          "write skew (G2-item): A read t[2] before B wrote it, and B read t[1] before A wrote it: "
          "A -rw(t[2])-> B -rw(t[1])-> A");
  });
}

TEST_CASE("G2-item: three in a ring") {
  Script script({{"1", "10"}, {"2", "20"}, {"3", "30"}});
  const std::array transactions{script.begin(), script.begin(), script.begin()};
  const std::array<std::string, 3> keys{"1", "2", "3"};
  for (std::size_t at = 0; at < 3; ++at) script.get(transactions[at], keys[at], keys[at] + "0");
  for (std::size_t at = 0; at < 3; ++at) script.put(transactions[at], keys[(at + 1) % 3], "new");
  for (const auto transaction : transactions) script.commit(transaction);
  REQUIRE(script.anomalies() == Names{"write skew (G2-item)"});
  CHECK(properties::anomalies(script.history()).front().cycle.size() == 3);
}

TEST_CASE("G2: each puts a row into the range that the other found without it") {
  check_from(Isolation::kSerializable, {"phantom (G2)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.scan(a, "3", "", {});
    script.scan(b, "3", "", {});
    script.put(a, "3", "30");
    script.put(b, "4", "40");
    script.commit(a);
    script.commit(b);
    CHECK(script.text() ==
          "phantom (G2): A found no t[4] before B put it there, and B found no t[3] before A put it there: "
          "A -predicate rw(t[4])-> B -predicate rw(t[3])-> A");
  });
}

TEST_CASE("G2: a range is read twice and has a row more") {
  check_from(Isolation::kSerializable, {"phantom (G2)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.scan(a, "", "", {{"1", "10"}, {"2", "20"}});
    script.put(b, "3", "30");
    script.commit(b);
    script.scan(a, "", "", {{"1", "10"}, {"2", "20"}, {"3", "30"}});
    script.commit(a);
  });
  // By key it is the same: repeatable read promises nothing of rows that are not there.
  check_from(Isolation::kSerializable, {"phantom (G2)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.get(a, "3", {});
    script.put(b, "3", "30");
    script.commit(b);
    script.get(a, "3", "30");
    script.commit(a);
  });
}

TEST_CASE("a row outside the range, or in another table, is no phantom") {
  Script script;
  const auto a = script.begin();
  const auto b = script.begin();
  script.scan(a, "1", "3", {{"1", "10"}, {"2", "20"}});
  script.scan(a, "9", "3", {});
  script.put(b, "3", "30");
  script.put(b, "0", "00");
  script.history().write(b, "u", "2", "20");
  script.commit(b);
  script.get(a, "3", "30");
  script.get(a, "0", "00");
  script.history().read(a, "u", "2", Version{b, 1});
  script.commit(a);
  CHECK(script.anomalies().empty());
}

TEST_CASE("a row that moves in and out again was seen before or after") {
  const auto play = [](Script& script, bool before) {
    const auto a = script.begin();
    const auto b = script.begin();
    const auto c = script.begin();
    if (before) script.scan(a, "3", "", {});
    script.put(b, "3", "30");
    script.put(b, "1", "11");
    script.commit(b);
    if (before) script.get(a, "1", "11");
    script.erase(c, "3");
    script.put(c, "2", "22");
    script.commit(c);
    if (!before) {
      script.scan(a, "3", "", {});
      script.get(a, "1", "11");
      script.get(a, "2", "22");
    }
    script.commit(a);
  };
  Script seen_after;
  play(seen_after, false);
  CHECK(seen_after.anomalies().empty());
  Script seen_before;
  play(seen_before, true);
  CHECK(seen_before.anomalies() == Names{"phantom (G2)"});
}

TEST_CASE("a delete that is seen is a flow of information") {
  check_from(Isolation::kReadCommitted, {"circular information flow (G1c)"}, [](Script& script, Isolation level) {
    const auto a = script.begin(level);
    const auto b = script.begin(level);
    script.erase(a, "1");
    script.put(b, "2", "22");
    script.scan(b, "", "2", {});
    script.get(a, "2", "22");
    script.commit(a);
    script.commit(b);
  });
}

TEST_CASE("a delete of what is not there changes nothing for who found nothing") {
  Script script;
  const auto a = script.begin();
  const auto b = script.begin();
  script.get(a, "3", {});
  script.erase(b, "3");
  script.put(b, "1", "11");
  script.commit(b);
  script.get(a, "1", "11");
  script.commit(a);
  CHECK(script.anomalies().empty());
}

TEST_CASE("an absent row is as of the reader's snapshot") {
  const auto play = [](bool snapshot) {
    Script script;
    const auto a = script.begin();
    if (snapshot) script.history().take_snapshot(a);
    const auto b = script.begin();
    script.put(b, "1", "11");
    script.put(b, "3", "30");
    script.commit(b);
    const auto c = script.begin();
    script.erase(c, "3");
    script.commit(c);
    script.get(a, "1", "10");
    script.scan(a, "3", "", {});
    script.get(a, "3", {});
    script.commit(a);
    return script.anomalies();
  };
  CHECK(play(true).empty());
  CHECK(play(false) == Names{"read skew (G-single)"});
}

TEST_CASE("what runs still is nobody's anomaly") {
  Script script;
  const auto a = script.begin();
  const auto b = script.begin();
  script.put(a, "1", "11");
  script.put(b, "1", "12");
  script.put(b, "2", "22");
  script.put(a, "2", "21");
  const auto c = script.begin();
  script.get(c, "1", "12");
  script.scan(c, "", "", {{"1", "12"}, {"2", "21"}});
  script.commit(c);
  CHECK(script.anomalies().empty());
  script.commit(a);
  CHECK(script.anomalies().empty());
  script.commit(b);
  CHECK(script.anomalies() == Names{"dirty write (G0)"});
}

TEST_CASE("each gets what its own level promises") {
  // Write skew between a reader of one level and one of another: one of the two edges is not owed.
  for (const auto other : {Isolation::kReadUncommitted, Isolation::kReadCommitted, Isolation::kRepeatableRead}) {
    Script script;
    const auto a = script.begin(Isolation::kSerializable);
    const auto b = script.begin(other);
    script.get(a, "1", "10");
    script.get(b, "2", "20");
    script.put(a, "2", "21");
    script.put(b, "1", "12");
    script.commit(a);
    script.commit(b);
    CHECK(script.anomalies() == Names{"write skew (G2-item)"});
    CHECK(script.violations() == (other == Isolation::kRepeatableRead ? script.anomalies() : Names{}));
  }
  // Who reads dirty asked for it; who writes does not matter.
  for (const auto reader : {Isolation::kReadUncommitted, Isolation::kReadCommitted}) {
    Script script;
    const auto a = script.begin(Isolation::kSerializable);
    const auto b = script.begin(reader);
    script.put(a, "1", "11");
    script.get(b, "1", "11");
    script.abort(a);
    script.commit(b);
    CHECK(script.anomalies() == Names{"aborted read (G1a)"});
    CHECK(script.violations() == (reader == Isolation::kReadCommitted ? script.anomalies() : Names{}));
  }
  // A serializable reader among writers of read uncommitted sees a cut through one of them.
  Script script;
  const auto a = script.begin(Isolation::kSerializable);
  const auto b = script.begin(Isolation::kReadUncommitted);
  script.get(a, "3", {});
  script.put(b, "3", "30");
  script.put(b, "1", "12");
  script.commit(b);
  script.get(a, "1", "12");
  script.commit(a);
  CHECK(script.violations() == Names{"phantom (G2)"});
}

TEST_CASE("independent anomalies are reported each, the most basic first, and not too many") {
  Script script;
  const auto lost = [&](const std::string& key) {
    const auto a = script.begin();
    const auto b = script.begin();
    script.get(a, key, {});
    script.put(b, key, "b" + key);
    script.commit(b);
    script.get(a, key, "b" + key);
    script.commit(a);
  };
  lost("7");
  lost("8");
  const auto a = script.begin();
  const auto b = script.begin();
  script.put(a, "1", "11");
  script.get(b, "1", "11");
  script.abort(a);
  script.commit(b);
  CHECK(script.anomalies() == Names{"aborted read (G1a)", "phantom (G2)", "phantom (G2)"});
  for (int key = 30; key < 50; ++key) lost(std::to_string(key));
  REQUIRE(script.anomalies().size() == kMostAnomalies);
  CHECK(script.anomalies().front() == "aborted read (G1a)");
}

TEST_CASE("a long cycle makes no long text") {
  Script script(std::map<std::string, std::string>{});
  std::vector<std::uint64_t> transactions;
  for (int at = 0; at < 200; ++at) transactions.push_back(script.begin());
  for (std::size_t at = 0; at < 200; ++at) script.get(transactions[at], std::to_string(at), {});
  for (std::size_t at = 0; at < 200; ++at) script.put(transactions[at], std::to_string((at + 1) % 200), "new");
  for (const auto transaction : transactions) script.commit(transaction);
  const auto found = properties::anomalies(script.history());
  REQUIRE(found.size() == 1);
  CHECK(found.front().cycle.size() == 200);
  CHECK(found.front().text().size() < 1000);
  CHECK(found.front().text().find("and 192 more back to A") != std::string::npos);
}

namespace {

// A database in memory that interleaves random transactions and records what they do. A row's value is its newest version
// that was not rolled back.
class Toy {
 public:
  enum class Control : unsigned char {
    kSerial,  // one transaction after the other
    kLocks,   // strict two-phase locking of keys, in the manner of each level; who would wait is rolled back
    kNone,    // anything goes; some reads even get any version there ever was
  };

  struct Written {
    std::uint64_t transaction = 0;
    std::size_t key = 0;
    bool dead = false;
    Version version;
  };
  struct Event {
    std::uint64_t transaction = 0;
    bool write = false;
    std::size_t key = 0;
    std::size_t version = 0;  // number in `written`; 0: absent before all
  };

  static constexpr std::size_t kKeys = 5;

  Toy(std::uint64_t seed, Control control, std::uint32_t transactions, bool all_serializable)
      : random_(seed), control_(control), left_(transactions), all_serializable_(all_serializable) {
    for (std::size_t key = 0; key < kKeys; ++key) {
      if (random_.below(2) == 0) add(0, key, false);
    }
    const std::size_t most_open = control == Control::kSerial ? 1 : 4;
    while (left_ > 0 || !open_.empty()) {
      if (left_ > 0 && open_.size() < most_open && (open_.empty() || random_.below(3) == 0)) {
        --left_;
        const auto level = all_serializable_ ? Isolation::kSerializable : static_cast<Isolation>(random_.below(4));
        open_.push_back(history_.begin(level, "T" + std::to_string(history_.transactions().size())));
        continue;
      }
      step(open_[random_.below(static_cast<std::uint32_t>(open_.size()))]);
    }
  }

  const History& history() const { return history_; }
  const std::vector<Written>& written() const { return written_; }
  const std::vector<Event>& events() const { return events_; }
  std::vector<std::uint64_t> committed() const {
    std::vector<std::uint64_t> result;
    for (std::uint64_t number = 1; number < history_.transactions().size(); ++number) {
      if (history_.transactions()[number].outcome == Outcome::kCommitted) result.push_back(number);
    }
    return result;
  }

 private:
  struct Lock {
    std::set<std::uint64_t> readers;
    std::uint64_t writer = 0;
  };

  // Two tables, so that a range of one has nothing to do with the other.
  static std::string table(std::size_t key) { return key < 3 ? "t" : "u"; }
  static std::string text(std::size_t key) { return std::string(1, static_cast<char>('a' + key)); }

  void add(std::uint64_t transaction, std::size_t key, bool dead) {
    const std::string row = std::to_string(written_.size());
    const Version version =
        history_.write(transaction, table(key), text(key), dead ? std::nullopt : std::optional<std::string_view>(row));
    values_[key].push_back(written_.size());
    events_.push_back({transaction, true, key, written_.size()});
    written_.push_back({transaction, key, dead, version});
  }

  bool alive(std::size_t key) const { return !values_[key].empty() && !written_[values_[key].back()].dead; }

  // The version that a reader of this key sees, noted for the brute force.
  std::size_t see(std::uint64_t transaction, std::size_t key) {
    const std::string row = alive(key) ? std::to_string(values_[key].back()) : "";
    const auto version =
        history_.latest_with(transaction, table(key), text(key), alive(key) ? std::optional<std::string_view>(row) : std::nullopt);
    RC_ASSERT(version);
    std::size_t number = 0;
    for (std::size_t at = 1; at < written_.size(); ++at) {
      if (written_[at].key == key && written_[at].version == *version) number = at;
    }
    RC_ASSERT((alive(key) ? number == values_[key].back() : written_[number].dead));
    events_.push_back({transaction, false, key, number});
    return number;
  }

  // As the level asks for; what is not kept is only looked at.
  bool may_read(std::uint64_t transaction, std::size_t key) {
    const Isolation level = history_.transactions()[transaction].level;
    if (control_ != Control::kLocks || level == Isolation::kReadUncommitted) return true;
    Lock& lock = locks_[key];
    if (lock.writer != 0 && lock.writer != transaction) return false;
    if (level == Isolation::kSerializable || (level == Isolation::kRepeatableRead && alive(key))) lock.readers.insert(transaction);
    return true;
  }
  bool may_write(std::uint64_t transaction, std::size_t key) {
    if (control_ != Control::kLocks) return true;
    Lock& lock = locks_[key];
    if (lock.writer != 0 && lock.writer != transaction) return false;
    if (lock.readers.size() > lock.readers.count(transaction)) return false;
    lock.writer = transaction;
    return true;
  }

  void step(std::uint64_t transaction) {
    const std::size_t key = random_.below(kKeys);
    switch (random_.below(8)) {
      case 0:
      case 1:
        end(transaction, random_.below(5) == 0 ? Outcome::kAborted : Outcome::kCommitted);
        return;
      case 2:
      case 3:
        if (!may_write(transaction, key)) return end(transaction, Outcome::kAborted);
        add(transaction, key, random_.below(3) == 0);
        return;
      case 4:
        return scan(transaction, key, key + random_.below(3));
      default:
        return get(transaction, key);
    }
  }

  void get(std::uint64_t transaction, std::size_t key) {
    if (control_ == Control::kNone && random_.below(8) == 0) {
      const std::size_t any = random_.below(static_cast<std::uint32_t>(written_.size()));
      if (any == 0 || written_[any].key != key) return;
      events_.push_back({transaction, false, key, any});
      return history_.read(transaction, table(key), text(key), written_[any].version);
    }
    if (!may_read(transaction, key)) return end(transaction, Outcome::kAborted);
    history_.read(transaction, table(key), text(key), written_[see(transaction, key)].version);
  }

  void scan(std::uint64_t transaction, std::size_t from, std::size_t to) {
    std::vector<std::pair<std::string, Version>> matched;
    std::vector<std::size_t> keys;
    for (std::size_t key = from; key < to && key < kKeys; ++key) {
      if (table(key) == table(from)) keys.push_back(key);
    }
    for (const std::size_t key : keys) {
      if (!may_read(transaction, key)) return end(transaction, Outcome::kAborted);
    }
    for (const std::size_t key : keys) {
      const std::size_t seen = see(transaction, key);
      if (!written_[seen].dead) matched.emplace_back(text(key), written_[seen].version);
    }
    if (from < to) history_.scan(transaction, table(from), text(from), to >= kKeys ? "" : text(to), matched);
  }

  void end(std::uint64_t transaction, Outcome outcome) {
    history_.end(transaction, outcome);
    std::erase(open_, transaction);
    for (std::size_t key = 0; key < kKeys; ++key) {
      locks_[key].readers.erase(transaction);
      if (locks_[key].writer == transaction) locks_[key].writer = 0;
      if (outcome != Outcome::kAborted) continue;
      std::erase_if(values_[key], [&](std::size_t version) { return written_[version].transaction == transaction; });
    }
  }

  Random random_;
  Control control_;
  std::uint32_t left_;
  bool all_serializable_;
  History history_;
  std::vector<Written> written_{{.dead = true, .version = {}}};
  std::vector<Event> events_;
  std::vector<std::uint64_t> open_;
  std::array<std::vector<std::size_t>, kKeys> values_;
  std::array<Lock, kKeys> locks_;
};

// Whether the committed transactions, one after the other in some order, would read what they read and leave each row's
// versions in the order in which they were written. By trying all orders.
bool serializable(const Toy& toy) {
  const auto& written = toy.written();
  std::vector<std::uint64_t> order = toy.committed();
  const std::set<std::uint64_t> committed(order.begin(), order.end());

  // What each left of each row, in the order of the writes. Absence after absence is the same to a reader.
  std::array<std::vector<std::size_t>, Toy::kKeys> left;
  std::map<std::size_t, std::size_t> same_as{{0, 0}};
  for (std::size_t key = 0; key < Toy::kKeys; ++key) {
    std::size_t before = 0;
    for (std::size_t at = 1; at < written.size(); ++at) {
      const auto overwritten = [&](const Toy::Written& later) {
        return later.key == key && later.transaction == written[at].transaction;
      };
      if (written[at].key != key || (written[at].transaction != 0 && !committed.contains(written[at].transaction))) continue;
      if (std::any_of(written.begin() + static_cast<std::ptrdiff_t>(at) + 1, written.end(), overwritten)) continue;
      left[key].push_back(at);
      same_as[at] = written[at].dead && written[before].dead ? same_as[before] : at;
      before = at;
    }
  }

  const auto explains = [&](const std::vector<std::uint64_t>& serial) {
    std::array<std::vector<std::size_t>, Toy::kKeys> rows;
    for (std::size_t key = 0; key < Toy::kKeys; ++key) {
      if (!left[key].empty() && written[left[key].front()].transaction == 0) rows[key] = {left[key].front()};
    }
    for (const std::uint64_t transaction : serial) {
      std::map<std::size_t, std::size_t> own;
      for (const Toy::Event& event : toy.events()) {
        if (event.transaction != transaction) continue;
        if (event.write) {
          own[event.key] = event.version;
        } else if (own.contains(event.key)) {
          if (own[event.key] != event.version) return false;
        } else {
          const std::size_t there = rows[event.key].empty() ? 0 : rows[event.key].back();
          const auto seen = same_as.find(event.version);
          if (seen == same_as.end() || seen->second != same_as[there]) return false;
        }
      }
      for (const auto& [key, version] : own) rows[key].push_back(version);
    }
    return rows == left;
  };
  do {
    if (explains(order)) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

// Whether a cycle is one, and is what its name says.
bool well_formed(const Anomaly& anomaly) {
  std::array<std::size_t, 4> count{};
  for (std::size_t at = 0; at < anomaly.cycle.size(); ++at) {
    const Dependency& edge = anomaly.cycle[at];
    ++count[static_cast<std::size_t>(edge.kind)];
    if (anomaly.kind >= AnomalyKind::kCircularFlow && edge.to != anomaly.cycle[(at + 1) % anomaly.cycle.size()].from) return false;
  }
  const auto [ww, wr, rw, predicate] = count;
  switch (anomaly.kind) {
    case AnomalyKind::kMissingRow:
    case AnomalyKind::kOwnWrite:
    case AnomalyKind::kAbortedRead:
    case AnomalyKind::kIntermediateRead:
      return anomaly.cycle.size() == 1 && wr == 1;
    case AnomalyKind::kDirtyWrite:
      return ww >= 2 && wr + rw + predicate == 0;
    case AnomalyKind::kCircularFlow:
      return wr >= 1 && rw + predicate == 0;
    case AnomalyKind::kLostUpdate:
      return rw == 1 && ww == 1 && anomaly.cycle.size() == 2 && anomaly.cycle[0].object == anomaly.cycle[1].object;
    case AnomalyKind::kReadSkew:
      return rw == 1 && predicate == 0;
    case AnomalyKind::kWriteSkew:
      return rw >= 2 && predicate == 0;
    case AnomalyKind::kPhantom:
      return predicate >= 1;
  }
  return false;
}

std::string told(const std::vector<Anomaly>& found) {
  std::string text;
  for (const Anomaly& each : found) text += each.text() + "\n";
  return text;
}

// How often each kind is found in a thousand histories.
std::map<AnomalyKind, int> kinds_met(Toy::Control control, std::uint32_t transactions, bool all_serializable) {
  std::map<AnomalyKind, int> met;
  for (int kind = 0; kind <= static_cast<int>(AnomalyKind::kPhantom); ++kind) met[static_cast<AnomalyKind>(kind)] = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Toy toy(seed, control, transactions, all_serializable);
    for (const Anomaly& anomaly : anomalies(toy.history())) ++met[anomaly.kind];
  }
  return met;
}

}  // namespace

TEST_CASE("random transactions one after the other show no anomaly") {
  property("serial histories", [](std::uint64_t seed) {
    const Toy toy(seed, Toy::Control::kSerial, 12, false);
    RC_ASSERT(told(anomalies(toy.history())).empty());
  });
}

TEST_CASE("strict two-phase locking shows no anomaly") {
  property("locked histories", [](std::uint64_t seed) {
    const Toy toy(seed, Toy::Control::kLocks, 30, true);
    RC_ASSERT(told(anomalies(toy.history())).empty());
  });
}

TEST_CASE("locks as each level asks for them show no more than the level allows") {
  property(
      "histories of locks of mixed levels",
      [](std::uint64_t seed) {
        const Toy toy(seed, Toy::Control::kLocks, 30, false);
        RC_ASSERT(told(violations(toy.history())).empty());
      },
      5);
  // There is something to allow, but what no level does.
  for (const auto& [kind, times] : kinds_met(Toy::Control::kLocks, 30, false)) {
    INFO(name(kind));
    CHECK((times > 0) == (least_level_that_forbids(kind) != Isolation::kReadUncommitted));
  }
}

TEST_CASE("there is no anomaly if and only if some serial order explains the history") {
  property(
      "histories against all orders",
      [](std::uint64_t seed) {
        const Toy toy(seed, Toy::Control::kNone, 2 + static_cast<std::uint32_t>(seed % 4), true);
        const auto found = anomalies(toy.history());
        RC_ASSERT(found.empty() == serializable(toy));
        RC_ASSERT(told(found) == told(violations(toy.history())));
        for (const Anomaly& anomaly : found) RC_ASSERT(well_formed(anomaly));
      },
      30);
  // Each kind is met, but one that this database cannot show.
  for (const auto& [kind, times] : kinds_met(Toy::Control::kNone, 5, true)) {
    INFO(name(kind));
    CHECK((times > 0) == (kind != AnomalyKind::kMissingRow));
  }
}

TEST_CASE("what levels forbid is there whatever the levels") {
  property("violations are anomalies", [](std::uint64_t seed) {
    const Toy toy(seed, Toy::Control::kNone, 12, false);
    const auto forbidden = violations(toy.history());
    RC_ASSERT(forbidden.empty() || !anomalies(toy.history()).empty());
    for (const Anomaly& anomaly : forbidden) RC_ASSERT(well_formed(anomaly));
  });
}

}  // namespace powercut::testing
