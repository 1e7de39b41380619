#include "properties/scenario_runner.h"

#include "properties/scenario_run.h"
#include "properties/timeline.h"

#include <algorithm>

namespace powercut::properties {

using EventKind = ScenarioEvent::Kind;
using Kind = ScenarioLineKind;
using Moment = faultfs::PoweredFileSystem::Moment;

void ScenarioRun::tell(EventKind kind, std::string text, std::string session) {
  if (quiet_) return;
  auto& events = source_ ? report_.lines[*source_].events : report_.end;
  events.push_back({kind, std::move(session), std::move(text)});
}

void ScenarioRun::failed(std::string text) {
  ++report_.failures;
  tell(EventKind::kFailed, std::move(text));
}

ScenarioReport ScenarioRun::all() {
  while (!over_) {
    auto disk = std::make_unique<faultfs::SimDisk>();
    if (disks_.empty()) {
      disk->format(scenario_.model);
    } else {
      choices_.push_back(std::make_unique<SurvivalChoices>(*disks_.back(), std::exchange(survival_, {})));
      disk->boot(*disks_.back(), *choices_.back());
    }
    disks_.push_back(std::move(disk));
    ScenarioLife life(*disks_.back(), disks_.size() - 1);
    scheduler_.spawn("the director", [&] {
      live(life);
      scheduler_.stop();
    });
    const auto ended = scheduler_.run(life.turns);
    if (ended.has_error()) failed(ended.error().message());
    if (life.files.has_failed()) power_failed(life);
    if (!over_) in_the_dark();
  }
  return std::move(report_);
}

// As the director. Ends at the end of the file, or after the line in which the power fails.
void ScenarioRun::live(ScenarioLife& life) {
  if (armed_) life.files.fail_at(armed_->moment, armed_->sync);
  if (!open(life)) return;
  for (; next_ < scenario_.lines.size() && !over_; ++next_) {
    const ScenarioLine& line = scenario_.lines[next_];
    source_ = line.place.line - 1;
    execute(life, line);
    if (!life.files.has_failed()) continue;
    if (line.kind != Kind::kRecover) ++next_;
    return;
  }
  end(life);
}

// Recovers, if there is something. False if the power failed or the database does not open.
bool ScenarioRun::open(ScenarioLife& life) {
  const bool recovers = life.number > 0;
  std::vector<std::string> log;
  std::vector<std::string> recovery;
  ChangeText survived(scenario_.model.atom_bytes);
  ChangeText lost(scenario_.model.atom_bytes);
  if (recovers) {
    life.disk.set_resolution_observer([&](const faultfs::Resolution& resolution) {
      if (resolution.options == 1) return;  // whatever was kept reads the same
      const bool kept = !resolution.garbage && resolution.survivor == resolution.newest && resolution.survivor != 0;
      (kept ? survived : lost).add(life.disk.path_of(resolution.inode), resolution.kind, resolution.index, resolution.name);
    });
    const auto told =
        kind_.describe_log(life.disk_files, kDatabaseDirectory, [&](std::string_view text) { log.emplace_back(text); });
    if (told.has_error() && told.error().code() != ErrorCode::kUnsupported) log.push_back(told.error().message());
  }
  const engine::Narrator narrator = [&](std::string_view phase, std::string_view text) {
    recovery.push_back(std::string(phase) + ": " + std::string(text));
  };
  auto opened = engine_.open(life.files, kDatabaseDirectory, {recovers ? &narrator : nullptr, &scheduler_});
  life.disk.set_resolution_observer(nullptr);
  for (auto& text : survived.lines()) tell(EventKind::kSurvived, std::move(text));
  for (auto& text : lost.lines()) tell(EventKind::kLost, std::move(text));
  for (auto& text : log) tell(EventKind::kLog, std::move(text));
  for (auto& text : recovery) tell(EventKind::kRecovery, std::move(text));
  if (life.files.has_failed()) return false;
  if (opened.has_error()) {
    failed("the database does not open: " + opened.error().message());
    over_ = true;
    return false;
  }
  life.database = std::move(opened).value();
  life.sessions.emplace(scheduler_, life.turns, *life.database, [this, &life](const std::string& name, const std::string& what) {
    if (life.files.has_failed() || name.empty()) return;
    const bool own = next_ < scenario_.lines.size() && scenario_.lines[next_].session == name;
    tell(EventKind::kWaits, (own ? "" : name + " ") + ("waits for " + what), name);
  });
  if (!recovers) return true;
  const auto tables = life.database->tables();
  if (tables.has_error()) {
    failed("cannot list the tables: " + tables.error().message());
  } else {
    book_.recovered(tables.value());
  }
  judge_invariants(life);
  return !life.files.has_failed();
}

void ScenarioRun::arm(const ScenarioLine& line) {
  armed_ = ArmedCrash{line.kind == Kind::kCrashAfterSync ? Moment::kAfterSync : Moment::kBeforeSync, line.number};
}

bool ScenarioRun::is_survival(const ScenarioLine& line) {
  if (line.kind == Kind::kLoseAll) survival_ = {};
  if (line.kind == Kind::kKeepAll) survival_ = {false, {}};
  if (line.kind == Kind::kLose) {
    survival_.all_lost = false;
    survival_.lost.push_back(line.name);
  }
  return line.kind == Kind::kLoseAll || line.kind == Kind::kKeepAll || line.kind == Kind::kLose;
}

// Until the line that recovers.
void ScenarioRun::in_the_dark() {
  for (; next_ < scenario_.lines.size(); ++next_) {
    const ScenarioLine& line = scenario_.lines[next_];
    source_ = line.place.line - 1;
    if (is_survival(line)) continue;
    if (line.kind == Kind::kRecover) {
      ++next_;
      const std::string unknown = unknown_lost(*disks_.back(), survival_);
      if (!unknown.empty()) failed(unknown);
      return;
    }
    if (line.kind == Kind::kCrashAfterSync || line.kind == Kind::kCrashBeforeSync) {
      arm(line);
    } else if (line.kind == Kind::kSession || line.kind == Kind::kSetUp || line.kind == Kind::kCheckpoint) {
      tell(EventKind::kNote, "not run: the power is off");
    } else {
      failed("the power is off");
    }
  }
  source_.reset();
  tell(EventKind::kNote, "the power is off");
  over_ = true;
}

void ScenarioRun::execute(ScenarioLife& life, const ScenarioLine& line) {
  switch (line.kind) {
    case Kind::kSetUp:
      return set_up(life, line);
    case Kind::kSession:
      return give(life, line);
    case Kind::kCheckpoint: {
      const auto error = std::make_shared<std::optional<Error>>();
      const auto wait = by_nobody(life, [&life, error](engine::Session& /*session*/) {
        if (const auto made = life.database->checkpoint(); made.has_error()) *error = made.error();
      });
      if (wait && !life.files.has_failed()) failed("the checkpoint waits for " + *wait);
      if (*error && !life.files.has_failed()) tell(EventKind::kError, (*error)->message());
      return;
    }
    case Kind::kCrash:
      armed_.reset();
      return life.files.fail_now();
    case Kind::kCrashAfterSync:
    case Kind::kCrashBeforeSync:
      arm(line);
      return life.files.fail_at(armed_->moment, armed_->sync);
    case Kind::kLoseAll:
    case Kind::kKeepAll:
    case Kind::kLose:
      is_survival(line);
      return;
    case Kind::kRecover:
      return recover(life);
    case Kind::kExpectRows:
      return expect_rows(life, line);
    case Kind::kExpectNoTable:
      return expect_no_table(life, line);
    case Kind::kExpectError:
      return expect_error(life, line);
    case Kind::kExpectWaits:
      return expect_waits(life, line);
  }
}

std::string ScenarioRun::syncs_that_came(const ScenarioLife& life) const {
  return "only " + std::to_string(life.files.syncs()) + " of " + std::to_string(armed_->sync) + " syncs came";
}

// With the power on: what was to fail at a sync that did not come fails now, and the line comes again in the dark.
void ScenarioRun::recover(ScenarioLife& life) {
  if (!armed_) return failed("the power has not failed");
  tell(EventKind::kPower, syncs_that_came(life));
  armed_.reset();
  life.files.fail_now();
}

std::optional<std::string> ScenarioRun::by_nobody(ScenarioLife& life, SessionFibers::Work work) {
  const auto added = life.sessions->add("");
  if (added.has_error()) return "a session: " + added.error().message();
  life.sessions->give(added.value(), std::move(work));
  if (life.sessions->finish(added.value())) return std::nullopt;
  return life.sessions->waits_for(added.value());
}

void ScenarioRun::set_up(ScenarioLife& life, const ScenarioLine& line) {
  const auto error = std::make_shared<std::optional<Error>>();
  const auto wait = by_nobody(life, [this, error, &line](engine::Session& session) {
    StatementRunner statements(book_);
    const bool together = line.statements.size() > 1;
    Statement bracket;
    bracket.kind = StatementKind::kBegin;
    if (together) *error = statements.run(session, bracket).error;
    for (const Statement& statement : line.statements) {
      if (!*error) *error = statements.run(session, statement).error;
    }
    bracket.kind = StatementKind::kCommit;
    if (together && !*error) *error = statements.run(session, bracket).error;
  });
  if (life.files.has_failed()) return;
  if (wait) failed("waits for " + *wait);
  if (*error) failed((*error)->message());
}

NamedSession* ScenarioRun::find(ScenarioLife& life, std::string_view name) {
  const auto found = std::find_if(life.named.begin(), life.named.end(), [&](const auto& named) { return named->name == name; });
  return found == life.named.end() ? nullptr : found->get();
}

void ScenarioRun::give(ScenarioLife& life, const ScenarioLine& line) {
  NamedSession* named = find(life, line.session);
  if (named == nullptr) {
    const auto added = life.sessions->add(line.session);
    if (added.has_error()) return failed("no session: " + added.error().message());
    life.named.push_back(
        std::make_unique<NamedSession>(NamedSession{line.session, added.value(), StatementRunner(book_), 0, {}, {}}));
    named = life.named.back().get();
  }
  if (!life.sessions->finish(named->seat)) {
    failed("session " + named->name + " cannot be given this: it still waits for " + life.sessions->waits_for(named->seat));
    over_ = true;
    return;
  }
  named->line = *source_;
  life.sessions->give(named->seat, [this, &life, named, &line](engine::Session& session) {
    run_statements(life, *named, session, line.statements);
  });
  life.sessions->settle();
}

void ScenarioRun::run_statements(ScenarioLife& life, NamedSession& named, engine::Session& session,
                                 const std::vector<Statement>& statements) {
  for (const Statement& statement : statements) {
    if (scheduler_.stopped() || life.files.has_failed()) return;
    Answer answer = named.statements.run(session, statement);
    if (life.files.has_failed() && answer.error) named.unanswered = statement.text;
    if (scheduler_.stopped() || life.files.has_failed()) return;
    answered(life, named, answer);
    named.last_error = std::move(answer.error);
  }
}

void ScenarioRun::answered(ScenarioLife& life, NamedSession& named, const Answer& answer) {
  const bool waited = life.sessions->take_told(named.seat);
  const bool own = source_ == named.line && !waited;
  const std::string who = own ? "" : named.name + (waited ? " goes on" : "");
  const EventKind kind = waited ? EventKind::kGoesOn : EventKind::kAnswer;
  const auto say = [&](EventKind what, const std::string& text) {
    tell(what, who.empty() || text.empty() ? who + text : who + ": " + text, named.name);
  };
  if (answer.error) return say(EventKind::kError, answer.error->message());
  for (const std::string& line : answer.lines) say(kind, line);
  if (answer.lines.empty() && waited) say(kind, "");
}

// Once nothing runs any more.
void ScenarioRun::power_failed(ScenarioLife& life) {
  std::string text = "the power fails";
  if (armed_) {
    text += armed_->moment == Moment::kAfterSync ? " after sync " : " before sync ";
    text += std::to_string(armed_->sync);
  }
  armed_.reset();
  tell(EventKind::kPower, std::move(text));
  for (const auto& named : life.named) {
    if (!named->unanswered.empty()) tell(EventKind::kPower, named->name + ": no answer to " + named->unanswered, named->name);
  }
  auto pending = pending_text(life.disk);
  if (pending.empty()) pending.emplace_back("nothing: every change was durable");
  for (auto& line : pending) tell(EventKind::kPending, std::move(line));
}

void ScenarioRun::end(ScenarioLife& life) {
  source_.reset();
  if (!over_) life.sessions->finish_all();
  if (life.files.has_failed()) return;
  if (armed_) tell(EventKind::kPower, "the power has not failed: " + syncs_that_came(life));
  for (const auto& named : life.named) {
    if (life.sessions->is_busy(named->seat)) {
      tell(EventKind::kWaits, named->name + " still waits for " + life.sessions->waits_for(named->seat), named->name);
    }
  }
  for (const auto& named : life.named) {
    if (named->statements.in_transaction()) tell(EventKind::kNote, named->name + "'s transaction is rolled back", named->name);
  }
  over_ = true;
  quiet_ = true;
  life.files.fail_at(Moment::kAfterSync, 0);
  life.sessions->leave();
  quiet_ = false;
}

Result<ScenarioReport> run_scenario(const Scenario& scenario, const engine::EngineKind& kind,
                                    std::span<const std::string> defects) {
  std::vector<engine::Option> options;
  for (const ScenarioOption& option : scenario.options) {
    if (const auto made = kind.make(std::span(&option.option, 1), {}); made.has_error()) {
      return Error(ErrorCode::kInvalidArgument, scenario.name + ":" + std::to_string(option.place.line) + ":" +
                                                    std::to_string(option.place.column) + ": " + made.error().context());
    }
    options.push_back(option.option);
  }
  POWERCUT_TRY(const auto engine, kind.make(options, defects));
  return ScenarioRun(scenario, kind, *engine).all();
}

}  // namespace powercut::properties
