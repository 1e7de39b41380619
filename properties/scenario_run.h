// A scenario while it runs: what scenario_runner.cpp and scenario_expectations.cpp share.
#pragma once

#include "faultfs/powered_file_system.h"
#include "faultfs/sim_file_system.h"
#include "properties/scenario_runner.h"
#include "properties/scenario_sessions.h"
#include "properties/scenario_statement.h"
#include "properties/scenario_survival.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::properties {

// A crash that is to come.
struct ArmedCrash {
  faultfs::PoweredFileSystem::Moment moment = faultfs::PoweredFileSystem::Moment::kAfterSync;
  std::uint64_t sync = 0;
};

// A session by its name. It ends when the power fails.
struct NamedSession {
  std::string name;
  std::size_t seat = 0;
  StatementRunner statements;
  std::size_t line = 0;             // of the file, that it was given last
  std::optional<Error> last_error;  // of its last statement
  std::string unanswered;           // the statement that the power failure interrupted
};

// From when the power comes on to when it fails, or to the end of the file.
struct ScenarioLife {
  ScenarioLife(faultfs::SimDisk& booted, std::size_t stack) : disk(booted), disk_files(booted), files(disk_files), number(stack) {}

  faultfs::SimDisk& disk;
  faultfs::SimFileSystem disk_files;
  faultfs::PoweredFileSystem files;
  std::size_t number;
  Turns turns;
  std::unique_ptr<engine::Database> database;
  std::optional<SessionFibers> sessions;
  std::vector<std::unique_ptr<NamedSession>> named;
};

class ScenarioRun {
 public:
  ScenarioRun(const Scenario& scenario, const engine::EngineKind& kind, engine::Engine& engine)
      : scenario_(scenario), kind_(kind), engine_(engine) {
    for (const auto& source : scenario.source) report_.lines.push_back({source, {}});
  }

  ScenarioReport all();

 private:
  void live(ScenarioLife& life);
  bool open(ScenarioLife& life);
  void in_the_dark();
  void execute(ScenarioLife& life, const ScenarioLine& line);
  void set_up(ScenarioLife& life, const ScenarioLine& line);
  void give(ScenarioLife& life, const ScenarioLine& line);
  void run_statements(ScenarioLife& life, NamedSession& named, engine::Session& session, const std::vector<Statement>& statements);
  void answered(ScenarioLife& life, NamedSession& named, const Answer& answer);
  void recover(ScenarioLife& life);
  void judge_invariants(ScenarioLife& life);
  void expect_rows(ScenarioLife& life, const ScenarioLine& line);
  void expect_no_table(ScenarioLife& life, const ScenarioLine& line);
  void expect_error(ScenarioLife& life, const ScenarioLine& line);
  void expect_waits(ScenarioLife& life, const ScenarioLine& line);
  std::string syncs_that_came(const ScenarioLife& life) const;
  void power_failed(ScenarioLife& life);
  void end(ScenarioLife& life);

  // Runs to its end, in a session of its own, what must not wait for ever; what it waits for if it does.
  std::optional<std::string> by_nobody(ScenarioLife& life, SessionFibers::Work work);
  static NamedSession* find(ScenarioLife& life, std::string_view name);
  bool is_survival(const ScenarioLine& line);
  void arm(const ScenarioLine& line);

  void tell(ScenarioEvent::Kind kind, std::string text, std::string session = {});
  void failed(std::string text);

  const Scenario& scenario_;
  const engine::EngineKind& kind_;
  engine::Engine& engine_;
  faultfs::Scheduler scheduler_;
  std::vector<std::unique_ptr<faultfs::SimDisk>> disks_;  // each booted from the one before
  std::vector<std::unique_ptr<SurvivalChoices>> choices_;
  TableBook book_;
  Survival survival_;
  std::optional<ArmedCrash> armed_;
  ScenarioReport report_;
  std::size_t next_ = 0;                   // of the scenario's lines
  std::optional<std::size_t> source_ = 0;  // the line of the file that is told of; none: the end
  bool quiet_ = false;
  bool over_ = false;
};

}  // namespace powercut::properties
