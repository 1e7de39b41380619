// A case: everything that a failure depends on, so that it can be run again on any machine.
#pragma once

#include "engine/engine.h"
#include "faultfs/fault.h"
#include "faultfs/persistence_model.h"
#include "properties/promises.h"
#include "properties/step.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::properties {

// The violation happened with the power on.
inline constexpr std::uint32_t kNoCrash = std::numeric_limits<std::uint32_t>::max();

// What runs on what.
struct Setting {
  const engine::EngineKind* kind = nullptr;
  std::vector<engine::Option> options;  // of the engine
  std::vector<std::string> defects;
  faultfs::PersistenceModel model;
  const Workload* workload = nullptr;
  std::uint32_t nested = 1;  // crashes that may follow the first; with a fault none does
  std::optional<faultfs::Fault> fault = std::nullopt;
  std::shared_ptr<const Workload> own_workload = nullptr;  // if it is the setting's own: that of a scenario
  std::string scenario = {};                               // the text of its file
  bool slow_io = false;  // every file operation lets other sessions go on meanwhile, as a real disk does
  JudgedBy judged_by = JudgedBy::kGuarantee;
};

// A failure of given steps.
struct Failure {
  std::vector<std::uint32_t> schedule;  // picks of who goes on; empty where one session runs alone
  std::uint32_t crash_point = kNoCrash;
  std::vector<std::uint32_t> picks;
  Violation violation;
};

struct Case {
  Setting setting;
  std::uint64_t seed = 0;  // that it was found with
  Steps steps;
  Failure failure;
  std::uint64_t trace_hash = 0;
};

}  // namespace powercut::properties
