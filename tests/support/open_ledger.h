// A ledger database whose sessions and what lies below them are both at hand.
#pragma once

#include "engine/ledger/database.h"
#include "recovery/checkpoint.h"
#include "recovery/redo.h"
#include "recovery/undo.h"
#include "tests/support/ledger_database.h"

#include <memory>
#include <optional>
#include <utility>

namespace powercut::testing {

struct OpenLedger {
  // Makes a database on the disk, and opens it through these files.
  OpenLedger(LedgerOnDisk& on_disk, faultfs::FileSystem& files, const ledger::Options& options = {},
             faultfs::Scheduler* scheduler = nullptr) {
    static_cast<void>(on_disk.open());
    auto opened = std::make_unique<ledger::Core>(files, "db", options, memory, scheduler);
    core = opened.get();
    REQUIRE(core->control.read().value());
    const auto redone = recovery::analyse_and_redo(*core, nullptr);
    REQUIRE(redone.has_value());
    REQUIRE(recovery::undo_losers(*core, redone.value().losers, nullptr).has_value());
    database.emplace(std::move(opened), recovery::checkpoint);
  }

  std::unique_ptr<engine::Session> new_session() { return std::move(database->new_session()).value(); }

  ledger::Memory memory;
  ledger::Core* core = nullptr;
  std::optional<ledger::LedgerDatabase> database;
};

}  // namespace powercut::testing
