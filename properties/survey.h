// A survey: what engines in their modes promise, and what is seen of it on disks of several kinds.
//
// A cell is one mode of one engine on one model. Nothing is a violation while it is looked at: every promise that breaks is
// counted, so that one that is broken hides no other. What breaks although it was promised is then found once more, made simple,
// and kept as a case.
#pragma once

#include "engine/engine.h"
#include "faultfs/persistence_model.h"
#include "properties/case.h"
#include "properties/exploration.h"
#include "properties/promises.h"
#include "properties/workers.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// Which cells keep a case of what they break.
enum class KeepCases : unsigned char {
  kNone,
  kBroken,  // where it was promised
  kLost,    // also one of each cell that breaks only what it does not promise
};

struct SurveyPlan {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 200;          // random cases of a cell
  std::uint64_t explored = 2;         // cases of which all crash states are visited, as far as the recoveries go
  std::uint32_t explored_steps = 6;   // of each
  std::uint64_t recoveries = 20'000;  // that the exploration of a cell may take
  std::uint32_t nested = 1;
  std::uint32_t jobs = 1;
  KeepCases keep = KeepCases::kBroken;
};

// The promises of engine::Guarantee, in the order of the columns.
enum class PromiseKind : unsigned char { kDurable, kOrdered, kAtomic, kConsistent, kRecovers };
inline constexpr std::size_t kPromiseCount = 5;
std::string_view to_string(PromiseKind promise);
std::string_view describe(PromiseKind promise);

struct PromiseSeen {
  bool promised = false;
  std::uint64_t broken = 0;  // recoveries in which it was
};

struct SurveyCell {
  const engine::EngineKind* kind = nullptr;
  engine::Mode mode;
  faultfs::PersistenceModel model;
  std::string source;  // of what is promised
  std::array<PromiseSeen, kPromiseCount> promises;
  WorkFigures random;                  // of the random cases
  WorkFigures explored;                // of the exploration
  double bits = 0;                     // log2 of the crash states of the explored cases
  bool exhaustive = false;             // each of these was visited
  bool further_exhaustive = false;     // and each that a further crash may leave
  std::vector<std::string> deaths;     // how the engine ended its process, each once
  std::uint64_t wrong_powered_on = 0;  // cases in which it gave a wrong answer before any crash
  std::string example;                 // a case as JSON, of what broke
  std::string no_example;              // why there is none although something broke
  bool interrupted = false;

  // Something is broken that was promised; right answers while the power is on always are.
  bool disagrees() const;
};

// Told what is being done, a few times a second.
using SurveyProgress = std::function<void(std::string_view doing)>;

// kInvalidArgument if the engine refuses the options of its mode.
Result<SurveyCell> survey_cell(const engine::EngineKind& kind, const engine::Mode& mode, const faultfs::PersistenceModel& model,
                               const SurveyPlan& plan, const std::atomic<bool>& stop, const SurveyProgress& progress);

}  // namespace powercut::properties
