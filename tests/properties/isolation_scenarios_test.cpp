// What each isolation level prevents, and how: the table of docs/ISOLATION.md is what the scenarios of tests/scenarios/hermitage
// come to, and a bug planted in a level fails scenarios of that level.
#include "tests/support/scenario_files.h"

#include <array>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string_view>

namespace powercut::testing {
namespace {

using namespace properties;

constexpr std::array<std::string_view, 4> kLevels = {"read-uncommitted", "read-committed", "repeatable-read", "serializable"};

// Whether the session is answered so.
bool told(const ScenarioReport& report, std::string_view session, std::string_view answer) {
  return std::any_of(report.lines.begin(), report.lines.end(), [&](const ScenarioReport::Line& line) {
    return std::any_of(line.events.begin(), line.events.end(),
                       [&](const ScenarioEvent& event) { return event.session == session && event.text.ends_with(answer); });
  });
}

// What is expected of the rows at the end, and was so.
std::string rows_at_the_end(const ScenarioReport& report) {
  std::string rows;
  for (const ScenarioReport::Line& line : report.lines) {
    if (line.source.starts_with("expect test ")) rows = line.source;
  }
  return rows;
}

bool both_updated(const ScenarioReport& report) {
  return told(report, "A", "rows changed: 1") && told(report, "B", "rows changed: 1");
}

bool deleted_after_another(const ScenarioReport& report) {
  return told(report, "A", "(1, 10)") && told(report, "A", "rows changed: 0");
}

struct Case {
  std::string_view name;
  bool (*happened)(const ScenarioReport& report);  // what must not
};

const std::array<Case, 16> kCases = {{
    {"g0", [](const ScenarioReport& report) { return !rows_at_the_end(report).ends_with("(1, 12) (2, 22)"); }},
    {"g1a", [](const ScenarioReport& report) { return told(report, "B", "(1, 101)"); }},
    {"g1b", [](const ScenarioReport& report) { return told(report, "B", "(1, 101)"); }},
    {"g1c", [](const ScenarioReport& report) { return told(report, "A", "(2, 22)") && told(report, "B", "(1, 11)"); }},
    {"otv", [](const ScenarioReport& report) { return told(report, "C", "(1, 12)") && told(report, "C", "(2, 19)"); }},
    {"pmp", [](const ScenarioReport& report) { return told(report, "A", "(3, 30)"); }},
    {"pmp-write", [](const ScenarioReport& report) { return told(report, "B", ", 20)"); }},
    {"pmp-write-after-look",
     [](const ScenarioReport& report) {
       return told(report, "B", "(2, 20)") && told(report, "B", "rows changed: 1") &&
              rows_at_the_end(report).ends_with("test (2, 30)");
     }},
    {"p4", both_updated},
    {"g-single", [](const ScenarioReport& report) { return told(report, "A", "(1, 10)") && told(report, "A", "(2, 18)"); }},
    {"g-single-dependencies",
     [](const ScenarioReport& report) { return told(report, "A", "(1, 10)") && told(report, "A", "(1, 12)"); }},
    {"g-single-write-1", deleted_after_another},
    {"g-single-write-2", deleted_after_another},
    {"g2-item", both_updated},
    {"g2", [](const ScenarioReport& report) { return rows_at_the_end(report).ends_with("(3, 30) (4, 42)"); }},
    {"g2-two-edges", [](const ScenarioReport& report) { return told(report, "C", "(1, 10)") && told(report, "C", "(2, 25)"); }},
}};

// How the case ends, in the words of the table.
std::string outcome(const Case& what, std::string_view level) {
  const std::string name = std::string(what.name) + "-" + std::string(level) + ".scenario";
  const ScenarioReport report = run(file_text(std::filesystem::path(POWERCUT_SCENARIOS) / "hermitage" / name));
  INFO(name << "\n" << to_text(report));
  CHECK(report.failures == 0);
  if (what.happened(report)) return "allowed";
  bool waits = false;
  for (const ScenarioReport::Line& line : report.lines) {
    for (const ScenarioEvent& event : line.events) {
      if (event.kind == ScenarioEvent::Kind::kError && event.text.find("deadlock: ") != std::string::npos) return "victim";
      waits = waits || event.kind == ScenarioEvent::Kind::kWaits;
    }
  }
  CHECK(waits);
  return "waits";
}

// The row of the case with the outcomes in its cells 2 to 5; the others are as published.
std::string with_outcomes(const std::string& row, const Case& what) {
  std::istringstream in(row.substr(1));
  std::string made = "|";
  std::string cell;
  for (std::size_t at = 0; std::getline(in, cell, '|'); ++at) {
    made += (at >= 1 && at <= kLevels.size() ? " " + outcome(what, kLevels[at - 1]) + " " : cell) + "|";
  }
  return made;
}

}  // namespace

TEST_CASE("docs/ISOLATION.md says of every Hermitage case what its scenarios come to") {
  const auto document = std::filesystem::path(POWERCUT_SCENARIOS) / "../../docs/ISOLATION.md";
  std::istringstream in(file_text(document));
  std::string made;
  std::size_t rows = 0;
  for (std::string line; std::getline(in, line);) {
    for (const Case& what : kCases) {
      if (!line.starts_with("| `" + std::string(what.name) + "` ")) continue;
      const std::string truth = with_outcomes(line, what);
      CHECK(line == truth);
      line = truth;
      ++rows;
    }
    made += line + "\n";
  }
  CHECK(rows == kCases.size());
  if (std::getenv("POWERCUT_UPDATE_GOLDEN") != nullptr) std::ofstream(document, std::ios::binary) << made;
  CHECK(scenario_files(std::filesystem::path(POWERCUT_SCENARIOS) / "hermitage").size() == kCases.size() * kLevels.size());
}

TEST_CASE("a bug planted in a level fails scenarios of that level, and of no other") {
  struct Planted {
    std::string_view defect;
    std::set<std::string_view> levels;
  };
  const std::set<std::string_view> all(kLevels.begin(), kLevels.end());
  const std::set<std::string_view> who_lock_what_they_read(kLevels.begin() + 1, kLevels.end());
  const Planted planted[] = {
      {"write-lock-short", all},
      {"committed-read-unlocked", {"read-committed"}},
      {"read-lock-short", {"repeatable-read"}},
      {"range-unlocked", {"serializable"}},
      {"deadlock-undetected", who_lock_what_they_read},
      {"victim-half-undone", who_lock_what_they_read},
  };
  for (const Planted& bug : planted) {
    std::set<std::string_view> failed;
    for (const auto& path : scenario_files()) {
      const std::string name = path.stem().string();
      const auto level = std::find_if(kLevels.begin(), kLevels.end(), [&](std::string_view of) { return name.ends_with(of); });
      if (level == kLevels.end() || failed.contains(*level)) continue;
      if (run(file_text(path), {std::string(bug.defect)}).failures > 0) failed.insert(*level);
    }
    INFO(bug.defect);
    CHECK(failed == bug.levels);
  }
}

}  // namespace powercut::testing
