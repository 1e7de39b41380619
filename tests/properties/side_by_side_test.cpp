// Sessions side by side: the same seed gives the same interleaving, what a crash must leave is what the changes say, and the
// bugs of concurrency that are planted are found and made simple.
#include "faultfs/random.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/exploration.h"
#include "properties/replay.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

namespace powercut::testing {
namespace {

using namespace properties;

CampaignPlan plan_for(const engine::EngineKind& kind, std::string_view workload, std::string_view defect = {}) {
  CampaignPlan plan;
  plan.kind = &kind;
  if (!defect.empty()) plan.defects = {std::string(defect)};
  plan.model = faultfs::preset("posix").value();
  plan.workloads = {find_workload(workload).value()};
  return plan;
}

Campaign campaign_for(const engine::EngineKind& kind, std::string_view workload, std::string_view defect = {}) {
  return std::move(Campaign::make(plan_for(kind, workload, defect))).value();
}

constexpr std::string_view kSideBySide[] = {"sessions", "orders", "ddl"};

// What sessions did, in the order in which they did it: the state is what the changes of those who are there make of nothing.
class NaiveModel {
 public:
  using Rows = std::map<std::string, std::string>;
  using Tables = std::map<std::uint32_t, Rows>;

  struct Did {
    std::uint64_t transaction = 0;
    std::uint32_t table = 0;
    enum { kPut, kErase, kCreate, kDrop } what = kPut;
    std::string key;
    std::string row;
  };

  std::vector<Did> all;

  void undo(std::uint64_t transaction, std::size_t kept) {
    std::size_t seen = 0;
    std::erase_if(all, [&](const Did& did) { return did.transaction == transaction && ++seen > kept; });
  }

  Tables with(const std::set<std::uint64_t>& there) const {
    Tables tables;
    for (const Did& did : all) {
      if (!there.contains(did.transaction)) continue;
      if (did.what == Did::kCreate) tables[did.table] = {};
      if (did.what == Did::kDrop) tables.erase(did.table);
      const auto table = tables.find(did.table);
      if (table == tables.end()) continue;
      if (did.what == Did::kPut) table->second[did.key] = did.row;
      if (did.what == Did::kErase) table->second.erase(did.key);
    }
    return tables;
  }
};

NaiveModel::Tables tables_of(const State& state) {
  NaiveModel::Tables tables;
  for (std::uint32_t table = 0; table < state.tables.size(); ++table) {
    if (!state.tables[table].exists) continue;
    for (const ModelRow& row : state.tables[table].rows) tables[table][row.key] = row.row;
    tables.try_emplace(table);
  }
  return tables;
}

// The hash of such contents, made the plain way.
std::uint64_t hash_of(const NaiveModel::Tables& tables, std::size_t count) {
  Model model(count);
  for (const auto& [table, rows] : tables) {
    model.create_table(table);
    for (const auto& [key, row] : rows) model.put(table, key, row);
  }
  return model.working().hash;
}

}  // namespace

TEST_CASE("a model of several sessions holds what the changes of those who are there say, in the order they were made") {
  constexpr std::uint32_t kTables = 2;
  std::uint64_t overlapping = 0;
  property("model of several sessions", [&](std::uint64_t seed) {
    Random random(seed);
    const std::size_t sessions = 2 + random.below(3);
    Model model(kTables, sessions);
    NaiveModel naive;
    std::set<std::uint64_t> acknowledged;
    std::vector<std::size_t> marks(sessions);

    // Table 0 is there from the start; as with locks, what somebody changed nobody else changes.
    model.create_table(0, 0);
    naive.all.push_back({model.transaction(0), 0, NaiveModel::Did::kCreate, {}, {}});
    const auto may_change = [&](std::size_t session, std::uint32_t table, std::optional<std::string> key) {
      for (std::size_t other = 0; other < sessions; ++other) {
        if (other == session) continue;
        // Who is in doubt may have given up its locks of rows; a table it keeps until it is acknowledged.
        const bool only_tables = model.promise(other) == Promise::kInDoubt;
        for (const Change& change : model.changes(other)) {
          if (only_tables && change.kind != Change::Kind::kTable) continue;
          if (change.table == table && (!key || change.kind == Change::Kind::kTable || change.key == *key)) return false;
        }
      }
      return true;
    };
    const auto check = [&] {
      const auto in_doubt = model.in_doubt();
      for (Present present = 0; present < 1U << in_doubt.size(); ++present) {
        std::set<std::uint64_t> there = acknowledged;
        for (std::size_t at = 0; at < in_doubt.size(); ++at) {
          if ((present >> at & 1U) != 0) there.insert(model.transaction(in_doubt[at]));
        }
        const auto expected = naive.with(there);
        RC_ASSERT(tables_of(model.with(present)) == expected);
        RC_ASSERT(model.with(present).hash == hash_of(expected, kTables));
        RC_ASSERT(tables_of(model.recovered(present).committed()) == expected);
        overlapping += in_doubt.size() > 1 ? 1 : 0;
      }
      for (std::size_t session = 0; session < sessions; ++session) {
        std::set<std::uint64_t> there = acknowledged;
        there.insert(model.transaction(session));
        for (const std::size_t other : in_doubt) there.insert(model.transaction(other));
        RC_ASSERT(tables_of(model.seen_by(session)) == naive.with(there));
      }
    };

    for (int step = 0; step < 150; ++step) {
      const std::size_t session = random.below(static_cast<std::uint32_t>(sessions));
      const std::uint64_t transaction = model.transaction(session);
      if (model.promise(session) == Promise::kInDoubt) {
        if (random.below(4) == 0) {
          naive.undo(transaction, 0);
          model.rolled_back(session);
        } else {
          acknowledged.insert(transaction);
          model.acknowledged(session);
        }
        marks[session] = 0;
        check();
        continue;
      }
      const std::uint32_t table = random.below(kTables);
      const std::string key = std::to_string(random.below(3));
      const bool exists = model.seen_by(session).tables[table].exists;
      switch (random.below(12)) {
        case 0:
          model.commit_called(session);
          break;
        case 1:
          naive.undo(transaction, 0);
          model.rolled_back(session);
          marks[session] = 0;
          break;
        case 2:
          marks[session] = model.mark(session);
          break;
        case 3:
          naive.undo(transaction, marks[session]);
          model.undo_to(marks[session], session);
          break;
        case 4:
        case 5:
          if (!may_change(session, table, std::nullopt)) break;
          if (exists) {
            model.drop_table(table, session);
          } else {
            model.create_table(table, session);
          }
          naive.all.push_back({transaction, table, exists ? NaiveModel::Did::kDrop : NaiveModel::Did::kCreate, {}, {}});
          break;
        default:
          if (!exists || !may_change(session, table, key)) break;
          const bool puts = random.below(3) != 0;
          const std::string row = std::to_string(step);
          if (puts) {
            model.put(table, key, row, session);
          } else {
            model.erase(table, key, session);
          }
          naive.all.push_back({transaction, table, puts ? NaiveModel::Did::kPut : NaiveModel::Did::kErase, key, row});
      }
      check();
    }
  });
  CHECK(overlapping > 300);
}

TEST_CASE("a row that is older than its table's end does not come back with its late acknowledgement") {
  Model model(1, 2);
  model.create_table(0, 0);
  model.commit_called(0);
  model.acknowledged(0);
  model.put(0, "key", "row", 1);
  model.commit_called(1);
  model.drop_table(0, 0);
  model.commit_called(0);
  model.acknowledged(0);
  CHECK(model.with(1).hash == Model(1).working().hash);
  model.acknowledged(1);
  CHECK(model.committed().tables[0].rows.empty());
  CHECK(model.committed().hash == Model(1).working().hash);
}

TEST_CASE("a level that is given is that of every transaction, and each session has its own steps") {
  for (const std::string_view name : kSideBySide) {
    const Workload& workload = *find_workload(name).value();
    std::set<engine::Isolation> levels;
    std::set<std::uint32_t> sessions;
    std::size_t most_operations = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      const Steps steps = steps_of_seed(workload, seed, {8, 8}).value();
      for (const Step& step : steps) {
        levels.insert(step.isolation);
        sessions.insert(step.session);
        most_operations = std::max(most_operations, step.operations.size());
      }
      for (const Step& step : steps_of_seed(workload, seed, {8, 8, engine::Isolation::kReadCommitted}).value()) {
        if (step.kind == StepKind::kTransaction) CHECK(step.isolation == engine::Isolation::kReadCommitted);
      }
    }
    CHECK(levels.size() == 4);
    CHECK(sessions.size() == workload.sessions());
    CHECK(most_operations >= 15);
  }
}

TEST_CASE("the same picks give the same interleaving, others another") {
  const auto kind = recovery::make_ledger_kind();
  for (const std::string_view name : kSideBySide) {
    const Campaign campaign = campaign_for(*kind, name);
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Case powered_on = campaign.case_of(seed);
      for (std::uint64_t schedule = 0; schedule < 3; ++schedule) {
        Random random(combine(seed, schedule));
        for (int pick = 0; pick < 300; ++pick) powered_on.failure.schedule.push_back(random.below(4));
        const auto first = replay(powered_on, false).value();
        INFO(name << " seed " << seed << (first.violation ? first.violation->summary : ""));
        CHECK_FALSE(first.violation);
        CHECK(replay(powered_on, true).value().trace_hash == first.trace_hash);
        hashes.insert(first.trace_hash);
        powered_on.failure.schedule.clear();
      }
    }
    CHECK(hashes.size() > 40);
  }
}

TEST_CASE("any number of jobs finds the same of sessions side by side") {
  const auto kind = recovery::make_ledger_kind();
  const std::atomic<bool> stop{false};
  for (const std::string_view name : kSideBySide) {
    INFO(name);
    auto failing = campaign_for(*kind, name, "ack-before-sync");
    auto correct = campaign_for(*kind, name);
    std::set<std::vector<std::uint64_t>> found;
    for (const std::uint32_t jobs : {1U, 2U, 3U}) {
      const auto failed = run_campaign(failing, {1, 500, jobs}, stop, nullptr).value();
      const auto held = run_campaign(correct, {1, 40, jobs}, stop, nullptr).value();
      REQUIRE(failed.failing_item);
      CHECK_FALSE(held.failing_item);
      found.insert({*failed.failing_item, held.figures.items, held.figures.count.states, held.figures.count.recoveries,
                    held.figures.distinct_outcomes});
    }
    CHECK(found.size() == 1);
  }
}

TEST_CASE("exploring interleavings finds the same with any number of jobs, and says how many there were") {
  const auto kind = recovery::make_ledger_kind();
  const std::atomic<bool> stop{false};
  for (const std::string_view name : kSideBySide) {
    CampaignPlan few = plan_for(*kind, name);
    few.steps = {2, 2};
    set_for_exploration(few);
    const Campaign campaign = std::move(Campaign::make(few)).value();
    std::uint64_t all_there_are = 0;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      std::vector<CaseReport> reports;
      for (const std::uint32_t jobs : {1U, 3U}) {
        ExplorationPlan plan;
        plan.jobs = jobs;
        plan.limits.most_schedules = 60;
        plan.limits.most_at_point = 500;
        const auto report = explore_cases({campaign.case_of(seed)}, plan, stop, nullptr).value();
        INFO(name << " seed " << seed);
        REQUIRE(report.ended == ExplorationReport::Ended::kDone);
        reports.push_back(report.cases.front());
      }
      CHECK(reports[0].points == reports[1].points);
      CHECK(reports[0].points_done == reports[0].points);
      CHECK(reports[0].states == reports[1].states);
      CHECK(reports[0].figures.distinct_outcomes == reports[1].figures.distinct_outcomes);
      const ScheduleCoverage& schedules = reports[0].schedules;
      CHECK(schedules.schedules == reports[1].schedules.schedules);
      CHECK(schedules.schedules <= 60);
      CHECK((schedules.exhaustive || schedules.preemptions == 2 || schedules.schedules == 60));
      all_there_are += schedules.exhaustive ? 1 : 0;
    }
    CHECK(all_there_are > 0);
  }
}

TEST_CASE("a failure of sessions side by side is simple when it was made simple, and still fails") {
  struct Planted {
    std::string_view workload;
    std::string_view defect;
  };
  static constexpr Planted kPlanted[] = {
      {"sessions", "ack-before-sync"}, {"orders", "no-undo"}, {"ddl", "ack-before-sync"}, {"sessions", "write-lock-short"}};
  const auto kind = recovery::make_ledger_kind();
  std::vector<std::unique_ptr<engine::EngineKind>> engines;
  engines.push_back(recovery::make_ledger_kind());
  for (const auto& [workload, defect] : kPlanted) {
    INFO(defect << " in " << workload);
    auto campaign = campaign_for(*kind, workload, defect);
    SearchCount count;
    std::uint64_t seed = 1;
    std::optional<Failure> failure;
    while (!failure && seed <= 2000) failure = campaign.run(seed++, nullptr, count);
    REQUIRE(failure);
    const auto simplest = campaign.simplest_case(seed - 1);
    REQUIRE(simplest);
    CHECK(simplest->failure.violation.oracle == failure->violation.oracle);
    CHECK(simplest->steps.size() <= 4);
    CHECK(simplest->steps.size() <= campaign.case_of(seed - 1).steps.size());
    const auto taken_turns = [](const Failure& of) {
      return of.schedule.size() - static_cast<std::size_t>(std::count(of.schedule.begin(), of.schedule.end(), 0U));
    };
    CHECK(taken_turns(simplest->failure) <= taken_turns(*failure));
    const Case read = case_from_json(to_json(*simplest), engines).value();
    const auto again = replay(read, false).value();
    REQUIRE(again.violation);
    CHECK(again.violation->summary == simplest->failure.violation.summary);
    CHECK(again.trace_hash == simplest->trace_hash);
  }
}

}  // namespace powercut::testing
