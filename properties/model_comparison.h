// Compares a recovered database, every row of it, with what its user was promised, and says which promise is broken.
//
// For whoever lets an engine recover, on a simulated disk (check.h) or on a real directory (live_run.h).
#pragma once

#include "engine/engine.h"
#include "properties/model.h"
#include "properties/step.h"
#include "properties/timeline.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace powercut::properties {

// What a recovery is held to.
struct Promised {
  const Model& model;
  const Step& interrupted;
  const Step& set_up;
  // Which of the transactions in doubt must be there; without it, any of them may.
  std::optional<Present> expected = std::nullopt;
  const IsolationJudge* judge = nullptr;  // may be null
};

class ModelComparison {
 public:
  // The workload must outlive it. Keeps memory from one comparison to the next.
  explicit ModelComparison(const Workload& workload) : workload_(workload) {}

  // Reads everything. Tells which of the transactions in doubt it found, unless `found` says so already.
  std::optional<Violation> compare(engine::Database& database, engine::Session& session, const Promised& promised,
                                   std::optional<Present>& found);

  const Workload& workload() const { return workload_; }
  // The error of the disk that kept the last comparison from reading all.
  std::optional<ErrorCode> read_error() const { return read_error_; }
  // A hash of what the last comparison that held found.
  std::uint64_t outcome() const { return outcome_; }

 private:
  Violation explain(engine::Session& session, const Promised& promised, const State& state, std::string_view why);

  const Workload& workload_;
  std::optional<ErrorCode> read_error_;
  std::uint64_t outcome_ = 0;
  Tally tally_;
  std::string key_;  // scratch
  std::string row_;  // scratch
};

// "accounts[00003]"
std::string place_text(const Workload& workload, std::uint32_t table, std::string_view key);

}  // namespace powercut::properties
