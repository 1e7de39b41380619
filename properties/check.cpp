#include "properties/check.h"

#include "engine/row.h"
#include "faultfs/hash.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/tracing_file_system.h"
#include "properties/losses.h"
#include "properties/session_driver.h"
#include "properties/side_by_side.h"

#include <algorithm>
#include <utility>

namespace powercut::properties {
namespace {

// What follows a recovery, as check() asks it.
enum Plan : std::uint32_t { kPlain = 0, kGoOn = 1, kRecoverAgain = 2, kCrashInRecovery = 3, kPlans = 4 };

// The sync at which the next crash comes is one of so many, the last of which stands for later ones.
constexpr std::uint32_t kSyncs = 6;
constexpr std::uint32_t kLaterSyncs = 64;

std::uint32_t pick_sync(faultfs::Choices& choices, std::string_view what, std::size_t depth) {
  const std::uint32_t sync = choices.pick(kSyncs, {what, depth, 0, true});
  return sync + 1 < kSyncs ? sync : sync + choices.pick(kLaterSyncs, {"so many syncs later", depth, 0, false});
}

void add_sync(std::vector<std::uint32_t>& picks, std::uint32_t sync) {
  picks.push_back(std::min(sync, kSyncs - 1));
  if (sync + 1 >= kSyncs) picks.push_back(sync + 1 - kSyncs);
}

void change_values(Step& step) {
  for (Operation& operation : step.operations) {
    if (operation.kind == OperationKind::kTransfer) std::swap(operation.a, operation.b);
    operation.amount += 1024;
  }
}

}  // namespace

std::string_view NextCrash::text() const {
  switch (where) {
    case Where::kInRecovery:
      return "during recovery";
    case Where::kAfterRecovery:
      return "after recovery";
    case Where::kInWork:
      return "in the work after recovery";
    case Where::kAfterWork:
      return "after a transaction that followed recovery";
  }
  return "";
}

std::optional<Violation> Checker::check(const CrashMoment& moment, faultfs::Choices& choices, CheckObserver* observer) {
  return chosen(0, moment.disk, promised_at(moment), choices, most_nested(), moment.where, observer);
}

// Asks what follows the recovery, and where the power fails again; then does it.
std::optional<Violation> Checker::chosen(std::size_t depth, const faultfs::SimDisk& crashed, const Promised& promised,
                                         faultfs::Choices& choices, std::uint32_t nested, std::string_view why,
                                         CheckObserver* observer) {
  using Where = NextCrash::Where;
  const std::uint32_t plan = nested == 0 ? kPlain : choices.pick(kPlans, {"what follows the recovery", depth, 0, true});
  Then then = Then::kNothing;
  Where where = Where::kAfterRecovery;
  std::uint32_t sync = 0;
  if (plan == kCrashInRecovery) {
    where = Where::kInRecovery;
    sync = pick_sync(choices, "the sync of recovery at which the power fails", depth);
  } else if (plan == kGoOn) {
    then = choices.pick(2, {"again the same transaction, or with other values", depth, 0, true}) == 0 ? Then::kSameWork
                                                                                                      : Then::kOtherWork;
    sync = pick_sync(choices, "the sync after recovery at which the power fails; 0: after the answer", depth);
    where = sync == 0 ? Where::kAfterWork : Where::kInWork;
    if (sync > 0) --sync;
  }
  if (plan == kPlain) return recover(depth, crashed, promised, choices, then, nullptr, why, observer);
  bool again = false;
  return recover(
      depth, crashed, promised, choices, then,
      [&](const NextCrash& next) -> std::optional<Violation> {
        if (again || next.where != where || next.sync != sync) return std::nullopt;
        again = true;
        return chosen(depth + 1, next.disk, next.promised, choices, nested - 1, next.text(), observer);
      },
      why, observer);
}

std::vector<std::uint32_t> Checker::picks_to(std::uint32_t nested, Then then, std::span<const std::uint32_t> picks) {
  std::vector<std::uint32_t> all;
  if (nested > 0) {
    if (then == Then::kNothing) {
      all = {kPlain};
    } else {
      all = {kGoOn, then == Then::kSameWork ? 0U : 1U, 0U};
    }
  }
  all.insert(all.end(), picks.begin(), picks.end());
  return all;
}

std::vector<std::uint32_t> Checker::picks_through(std::span<const std::uint32_t> picks, const NextCrash& next,
                                                  std::span<const std::uint32_t> rest) {
  std::vector<std::uint32_t> all;
  switch (next.where) {
    case NextCrash::Where::kInRecovery:
      all.push_back(kCrashInRecovery);
      add_sync(all, next.sync);
      break;
    case NextCrash::Where::kAfterRecovery:
      all.push_back(kRecoverAgain);
      break;
    case NextCrash::Where::kInWork:
    case NextCrash::Where::kAfterWork:
      all.push_back(kGoOn);
      all.push_back(next.then == Then::kSameWork ? 0 : 1);
      add_sync(all, next.where == NextCrash::Where::kAfterWork ? 0 : next.sync + 1);
      break;
  }
  all.insert(all.end(), picks.begin(), picks.end());
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

std::optional<Violation> Checker::recover(std::size_t depth, const faultfs::SimDisk& crashed, const Promised& promised,
                                          faultfs::Choices& choices, Then then, const NextCrashVisitor& visit, std::string_view why,
                                          CheckObserver* observer) {
  ++recoveries_;
  last_depth_ = depth;
  while (disks_.size() <= depth) disks_.push_back(std::make_unique<faultfs::SimDisk>());
  faultfs::SimDisk& disk = *disks_[depth];
  disk.set_crash_hook(nullptr);
  disk.set_resolution_observer(nullptr);
  disk.boot(crashed, choices);
  faultfs::SimFileSystem plain_files(disk);
  faultfs::FileSystem* files = &plain_files;
  std::optional<faultfs::FaultyFileSystem> faulty;
  if (setting_.fault) files = &faulty.emplace(plain_files, disk, std::span(&*setting_.fault, 1), true);
  std::optional<faultfs::TracingFileSystem> traced;
  std::optional<engine::Narrator> narrator;
  if (observer != nullptr) {
    observer->on_boot(depth, why);
    disk.set_resolution_observer(
        [&disk, observer](const faultfs::Resolution& resolution) { observer->on_resolution(disk, resolution); });
    files = &traced.emplace(*files, observer->trace());
    narrator = [observer](std::string_view phase, std::string_view line) { observer->on_recovery(phase, line); };
  }
  if (faulty) return recover_faulty(*faulty, *files, promised, narrator ? &*narrator : nullptr);

  const bool visits_recovery = visit && then == Then::kNothing;
  std::optional<Violation> nested_violation;
  if (visits_recovery) {
    disk.set_crash_hook([&, sync = 0U]() mutable {
      if (nested_violation) return;
      nested_violation = visit({NextCrash::Where::kInRecovery, sync++, then, disk, promised});
    });
  }
  auto opened = engine_.open(*files, kDatabaseDirectory, {narrator ? &*narrator : nullptr, nullptr});
  disk.set_crash_hook(nullptr);
  if (nested_violation) return nested_violation;
  if (opened.has_error()) return judged({Oracle::kAlive, "the database does not open: " + opened.error().message(), {}});
  const std::unique_ptr<engine::Database> database = std::move(opened).value();
  auto made = database->new_session();
  if (made.has_error()) return judged({Oracle::kAlive, "no session: " + made.error().message(), {}});
  const std::unique_ptr<engine::Session> session = std::move(made).value();

  std::optional<Present> found = promised.expected;
  std::optional<Model> left;  // if something is not there and need not be
  if (auto violation = compare(*database, *session, promised, found)) {
    if (promised.expected) {
      violation->summary = "a second recovery changed what the first had found: " + violation->summary;
      violation->oracle = Oracle::kIdempotent;
      return violation;
    }
    violation = judge_losses(*database, *session, promised, std::move(*violation), found, left);
    if (violation || !left) return violation;
  }
  const Promised kept{left ? *left : promised.model, promised.interrupted, promised.set_up};
  if (visits_recovery) {
    if (guarantee_.durable) {
      return visit({NextCrash::Where::kAfterRecovery, 0, then, disk, {kept.model, kept.interrupted, kept.set_up, found}});
    }
    const Model next = kept.model.continued(*found);
    return visit({NextCrash::Where::kAfterRecovery, 0, then, disk, {next, kept.interrupted, kept.set_up}});
  }
  if (observer != nullptr && then != Then::kNothing) observer->on_work();
  if (then != Then::kNothing) return go_on(depth, *database, *session, kept, *found, then, visit);
  return std::nullopt;
}

std::optional<Violation> Checker::judged(Violation violation) {
  if (promises(guarantee_, violation.oracle)) return violation;
  ++breaches_[static_cast<std::size_t>(violation.oracle)];
  outcome_ = combine(hash64(as_bytes(to_string(violation.oracle))), 0);
  return std::nullopt;
}

std::optional<Violation> Checker::judge_losses(engine::Database& database, engine::Session& session, const Promised& promised,
                                               Violation found_wrong, std::optional<Present>& found, std::optional<Model>& left) {
  Losses losses = look_at_losses(comparison_, database, session, promised, std::move(found_wrong), guarantee_, found);
  if (losses.violation) return std::move(losses.violation);
  for (std::size_t at = 0; at < kOracleCount; ++at) breaches_[at] += (losses.broken >> at) & 1U;
  outcome_ = losses.left ? comparison_.outcome() : combine(losses.broken, 1);
  left = std::move(losses.left);
  return std::nullopt;
}

std::optional<Violation> Checker::recover_faulty(faultfs::FaultyFileSystem& faulty, faultfs::FileSystem& files,
                                                 const Promised& promised, const engine::Narrator* narrator) {
  using faultfs::FaultClass;
  const faultfs::FaultInfo& fault = faultfs::info(setting_.fault->kind);
  for (const bool healed : {false, true}) {
    if (healed) faulty.heal();
    std::optional<Violation> violation;
    std::optional<ErrorCode> error;
    auto opened = engine_.open(files, kDatabaseDirectory, {narrator, nullptr});
    if (opened.has_error()) {
      // Not to find what was lost is honest too.
      error = opened.error().code() == ErrorCode::kNotFound ? ErrorCode::kCorrupt : opened.error().code();
      violation = Violation{Oracle::kAlive, "the database does not open: " + opened.error().message(), {}};
    } else {
      const std::unique_ptr<engine::Database> database = std::move(opened).value();
      auto session = database->new_session();
      if (session.has_error()) {
        error = session.error().code();
        violation = Violation{Oracle::kAlive, "no session: " + session.error().message(), {}};
      } else if (fault.owed == FaultClass::kSilent) {
        violation = compare_with_history(*session.value(), promised);
      } else {
        std::optional<Present> found = promised.expected;
        violation = compare(*database, *session.value(), promised, found);
        error = comparison_.read_error();
        if (violation && !error) {
          std::optional<Model> left;
          violation = judge_losses(*database, *session.value(), promised, std::move(*violation), found, left);
        }
        if (violation && !error && fault.owed == FaultClass::kMedia && faulty.fired() && !promised.model.history().empty()) {
          // Damage of what was written last looks like a write that the crash tore. No log can tell.
          const Model earlier = promised.model.without_last();
          std::optional<Present> before = 0;
          if (!compare(*database, *session.value(), {earlier, promised.interrupted, promised.set_up}, before)) return std::nullopt;
          error = comparison_.read_error();
        }
      }
    }
    eligible_ = std::max(eligible_, faulty.eligible(setting_.fault->kind));
    if (!violation) return std::nullopt;
    const bool honest = error && is_disk_failure(*error);
    if (honest && (fault.owed == FaultClass::kSilent || (fault.owed == FaultClass::kMedia && faulty.fired()))) return std::nullopt;
    if (honest && fault.owed == FaultClass::kReported && faulty.fired() && !healed) continue;
    if (!honest && fault.owed != FaultClass::kReported && fault.owed != FaultClass::kInvisible) violation->oracle = Oracle::kHonest;
    violation->summary = "under " + std::string(fault.name) + ": " + violation->summary;
    return violation;
  }
  return std::nullopt;
}

// Rows that were once written under their keys, in their tables, each key once and in order. A page whose write was lost is the
// page as it was before, and what was not committed then may be on it. An error ends it: that is honest too.
std::optional<Violation> Checker::compare_with_history(engine::Session& session, const Promised& promised) {
  const Model& model = promised.model;
  outcome_ = 0;
  std::optional<Violation> violation;
  const auto was_there = [&](std::uint32_t table, std::string_view key, std::string_view row) {
    const auto made = [&](const Change& change) {
      return change.kind == Change::Kind::kRow && change.table == table && change.key == key && change.after_exists &&
             change.after == row;
    };
    if (std::any_of(model.abandoned().begin(), model.abandoned().end(), made)) return true;
    for (std::size_t open = 0; open < model.sessions(); ++open) {
      if (std::any_of(model.changes(open).begin(), model.changes(open).end(), made)) return true;
    }
    // What a recovery found and the model began with.
    const ModelRow* const committed = model.committed().tables[table].find(key);
    if (committed != nullptr && committed->row == row) return true;
    return std::any_of(model.history().begin(), model.history().end(),
                       [&](const auto& changes) { return std::any_of(changes.begin(), changes.end(), made); });
  };
  for (std::uint32_t table = 0; table < workload_.tables().size() && !violation; ++table) {
    std::optional<std::string> before;
    const auto scanned = session.scan(workload_.tables()[table].name, {}, {}, [&](std::string_view key, std::string_view row) {
      outcome_ = combine(outcome_, combine(hash64(as_bytes(key)), hash64(as_bytes(row))));
      if (before && *before >= key) {
        violation = Violation{
            Oracle::kHonest,
            place_text(workload_, table, key) + " comes after " + place_text(workload_, table, *before) + ", out of order",
            {}};
        return false;
      }
      before = key;
      if (was_there(table, key, row)) return true;
      violation = Violation{Oracle::kHonest,
                            place_text(workload_, table, key) + " is " + engine::row_text(workload_.tables()[table].columns, row) +
                                ", which was never written there",
                            {}};
      return false;
    });
    if (scanned.has_error()) return violation;
  }
  return violation;
}

std::optional<Violation> Checker::go_on(std::size_t depth, engine::Database& database, engine::Session& session,
                                        const Promised& promised, Present found, Then then, const NextCrashVisitor& visit) {
  // What the user does: again what was interrupted, perhaps with other values, or if it is there already (or was no
  // transaction) a small new one. Records of the same length in the place of those that were lost are what it takes to
  // bring a stale tail of the log back.
  Model model = guarantee_.durable ? promised.model.recovered(found) : promised.model.continued(found);
  const bool is_set_up = !model.committed().tables[0].exists;
  const bool repeats = !is_set_up && promised.interrupted.kind == StepKind::kTransaction && found == 0;
  if (then == Then::kOtherWork && !repeats) return std::nullopt;
  Step next;
  if (is_set_up) {
    next = promised.set_up;
  } else if (repeats) {
    next = promised.interrupted;
    if (then == Then::kOtherWork) change_values(next);
  }

  faultfs::SimDisk& disk = *disks_[depth];
  const Promised kept{model, next, promised.set_up};
  std::optional<Violation> nested_violation;
  if (visit) {
    disk.set_crash_hook([&, sync = 0U]() mutable {
      if (nested_violation) return;
      nested_violation = visit({NextCrash::Where::kInWork, sync++, then, disk, kept});
    });
  }
  auto violation = workload_.sessions() > 1 ? run_alone(workload_, model, database, session, next)
                                            : SessionDriver(workload_, model, nullptr).run(database, session, next);
  disk.set_crash_hook(nullptr);
  if (nested_violation) return nested_violation;
  if (violation) {
    violation->summary = "after recovery: " + violation->summary;
    return judged(std::move(*violation));
  }
  if (visit) return visit({NextCrash::Where::kAfterWork, 0, then, disk, kept});
  return std::nullopt;
}

// Remembers what the comparison found besides.
std::optional<Violation> Checker::compare(engine::Database& database, engine::Session& session, const Promised& promised,
                                          std::optional<Present>& found) {
  auto violation = comparison_.compare(database, session, promised, found);
  if (!violation) outcome_ = comparison_.outcome();
  return violation;
}

}  // namespace powercut::properties
