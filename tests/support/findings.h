// What was found in an engine that others wrote, kept as case files.
#pragma once

#include "engine/engine.h"
#include "properties/case_file.h"
#include "properties/replay.h"

#include <catch2/catch.hpp>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace powercut::testing {

// Replays each case of a directory, twice: it gives the violation and the trace that its file records, which another process
// wrote. How many there are.
inline std::size_t replay_findings(std::unique_ptr<engine::EngineKind> kind, const std::string& directory) {
  std::vector<std::unique_ptr<engine::EngineKind>> engines;
  engines.push_back(std::move(kind));
  std::size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    INFO(entry.path().string());
    const auto found = properties::read_case_file(entry.path().string(), engines);
    REQUIRE(found.has_value());
    for (int time = 0; time < 2; ++time) {
      const auto replayed = properties::replay(found.value(), false);
      REQUIRE(replayed.has_value());
      REQUIRE(replayed.value().violation);
      CHECK(replayed.value().violation->oracle == found.value().failure.violation.oracle);
      CHECK(replayed.value().violation->summary == found.value().failure.violation.summary);
      CHECK(replayed.value().trace_hash == found.value().trace_hash);
    }
    ++cases;
  }
  return cases;
}

}  // namespace powercut::testing
