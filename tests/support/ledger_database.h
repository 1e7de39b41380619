// A ledger database on a simulated disk, for tests that need one with the power on.
#pragma once

#include "engine/engine.h"
#include "engine/row.h"
#include "faultfs/sim_file_system.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <memory>
#include <vector>

namespace powercut::testing {

struct LedgerOnDisk {
  explicit LedgerOnDisk(const std::vector<engine::Option>& options = {}, const std::vector<std::string>& defects = {})
      : files(disk), kind(recovery::make_ledger_kind()), engine(std::move(kind->make(options, defects)).value()) {}

  std::unique_ptr<engine::Database> open() { return std::move(engine->open(files, "db")).value(); }

  faultfs::SimDisk disk;
  faultfs::SimFileSystem files;
  std::unique_ptr<engine::EngineKind> kind;
  std::unique_ptr<engine::Engine> engine;
};

inline std::string number_row(std::int64_t value) {
  std::string row;
  engine::encode_row({value}, row);
  return row;
}

}  // namespace powercut::testing
