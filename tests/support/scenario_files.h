// The scenario files of tests/scenarios, and running one on ledger.
#pragma once

#include "properties/scenario_runner.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace powercut::testing {

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Sorted, those in folders of the folder too.
inline std::vector<std::filesystem::path> scenario_files(const std::filesystem::path& folder = POWERCUT_SCENARIOS) {
  std::vector<std::filesystem::path> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".scenario") all.push_back(entry.path());
  }
  std::sort(all.begin(), all.end());
  return all;
}

inline properties::ScenarioReport run(const std::string& text, const std::vector<std::string>& defects = {}) {
  const auto scenario = properties::parse_scenario(text, "x");
  INFO(text << (scenario.has_error() ? scenario.error().context() : ""));
  REQUIRE(scenario.has_value());
  const auto report = properties::run_scenario(scenario.value(), *recovery::make_ledger_kind(), defects);
  INFO((report.has_error() ? report.error().message() : ""));
  REQUIRE(report.has_value());
  return report.value();
}

}  // namespace powercut::testing
