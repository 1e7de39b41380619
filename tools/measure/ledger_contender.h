// The ledger engine in a benchmark: clients are fibers of one scheduler in one thread, each with a session of its own.
#pragma once

#include "engine/engine.h"
#include "faultfs/uring_file_system.h"
#include "tools/measure/contender.h"

#include <memory>
#include <string>
#include <vector>

namespace powercut::measure {

enum class Backend : unsigned char {
  kUring,  // one client's I/O suspends nobody else
  kPosix,  // one client's I/O stops all
  kSim,    // memory only: what the engine itself costs
};

std::string_view to_string(Backend backend);

struct LedgerSetting {
  Backend backend = Backend::kUring;
  faultfs::UringOptions uring;          // of kUring
  std::vector<engine::Option> options;  // of the engine; those not given are kLedgerDefaults
};

// A pool that holds the rows, and a log that is not always at the end of a segment.
std::vector<engine::Option> ledger_defaults();

class LedgerContender : public Contender {
 public:
  // What the backend was asked for and could not do, a line each, known so far.
  virtual std::vector<std::string> notes() const = 0;
};

// kInvalidArgument for an unknown option of the engine. `kind` must outlive it.
Result<std::unique_ptr<LedgerContender>> make_ledger(const engine::EngineKind& kind, LedgerSetting setting);

}  // namespace powercut::measure
