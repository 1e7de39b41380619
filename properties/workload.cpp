#include "properties/workload.h"

#include "engine/row.h"
#include "properties/recorded_session.h"
#include "properties/workloads.h"

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace powercut::properties {
namespace {

// Simpler operations in place of this one: smaller numbers.
std::vector<Operation> simpler(const Operation& operation) {
  std::vector<Operation> all;
  if (operation.kind == OperationKind::kStatement) return all;
  const auto with = [&](auto change) {
    Operation changed = operation;
    change(changed);
    if (changed != operation) all.push_back(changed);
  };
  with([](Operation& o) { o.a /= 2; });
  with([](Operation& o) { o.b /= 2; });
  with([](Operation& o) { o.amount /= 2; });
  return all;
}

std::vector<Step> simpler(const Step& step) {
  std::vector<Step> all;
  const auto with = [&](auto change) {
    Step changed = step;
    change(changed);
    if (changed != step) all.push_back(std::move(changed));
  };
  if (step.operations.empty() || step.operations.front().kind != OperationKind::kStatement) {
    with([](Step& s) { s.session /= 2; });
  }
  with([](Step& s) { s.count /= 2; });
  if (step.count > 0) with([](Step& s) { --s.count; });
  for (std::size_t at = 0; at < step.operations.size(); ++at) {
    with([at](Step& s) { s.operations.erase(s.operations.begin() + static_cast<std::ptrdiff_t>(at)); });
  }
  for (std::size_t at = 0; at < step.operations.size(); ++at) {
    for (const Operation& operation : simpler(step.operations[at])) {
      with([&](Step& s) { s.operations[at] = operation; });
    }
  }
  return all;
}

// Fewer steps first, then simpler ones. The set-up stays the first.
rc::Seq<Steps> simpler_steps(const Steps& steps) {
  const Step set_up = steps.front();
  auto fewer = rc::seq::map(rc::shrink::removeChunks(Steps(steps.begin() + 1, steps.end())), [set_up](Steps tail) {
    tail.insert(tail.begin(), set_up);
    return tail;
  });
  auto each = rc::shrink::eachElement(steps, [](const Step& step) { return rc::seq::fromContainer(simpler(step)); });
  return rc::seq::concat(std::move(fewer), std::move(each));
}

// What all steps of a case with several sessions have in common.
struct SideBySideCase {
  std::uint32_t sessions = 1;
  std::optional<std::uint32_t> long_one;  // the session whose transactions are long
};

SideBySideCase draw_side_by_side(Random& random, std::uint32_t most) {
  SideBySideCase drawn;
  drawn.sessions = 2 + random.below(most - 1);
  const std::uint32_t long_one = random.below(4 * drawn.sessions);
  if (long_one < drawn.sessions) drawn.long_one = long_one;
  return drawn;
}

// Gives the step a session and a level. Long transactions are several in one: 10 to 20 operations.
void place(Random& random, const SideBySideCase& drawn, const Workload& workload, std::uint32_t count, Step& step) {
  step.session = random.below(drawn.sessions);
  if (step.kind != StepKind::kTransaction) return;
  step.isolation = static_cast<engine::Isolation>(random.below(4));
  if (step.session != drawn.long_one) return;
  const std::uint32_t wanted = 10 + random.below(11);
  while (step.operations.size() < wanted) {
    const Step more = workload.draw_step(random, count);
    const std::size_t left = wanted - step.operations.size();
    const auto taken = static_cast<std::ptrdiff_t>(std::min(left, more.operations.size()));
    step.operations.insert(step.operations.end(), more.operations.begin(), more.operations.begin() + taken);
  }
}

}  // namespace

std::span<const Workload* const> workloads() {
  static const std::array<const Workload*, 6> kWorkloads{&bank(), &kv(), &savepoints(), &sessions(), &orders(), &ddl()};
  return kWorkloads;
}

std::span<const Workload* const> workloads_alone() {
  constexpr std::size_t kAlone = 3;
  return workloads().first(kAlone);
}

Result<const Workload*> find_workload(std::string_view name) {
  std::string message = "no workload is called '" + std::string(name) + "'; there are:";
  for (const Workload* workload : workloads()) {
    if (workload->name() == name) return workload;
    message.append(" ").append(workload->name());
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

void Workload::key(std::uint32_t a, std::string& out) {
  std::array<char, 16> text;
  const int length = std::snprintf(text.data(), text.size(), "%05u", a);
  out.assign(text.data(), static_cast<std::size_t>(length));
}

engine::TableSchema marker_schema() { return {"markers", {}}; }

void marker_key(std::uint64_t transaction, std::string& out) {
  std::array<char, 24> text;
  const int length = std::snprintf(text.data(), text.size(), "t%06llu", static_cast<unsigned long long>(transaction));
  out.assign(text.data(), static_cast<std::size_t>(length));
}

rc::Shrinkable<Steps> shrinkable(Steps steps) {
  return rc::shrinkable::shrinkRecur(std::move(steps), [](const Steps& from) { return simpler_steps(from); });
}

rc::Gen<Steps> steps_of(const Workload& workload, StepCount count) {
  return [&workload, count](const rc::Random& source, int /*size*/) {
    rc::Random seeded = source;
    Random random(seeded.next());
    Steps steps;
    Step set_up;
    set_up.kind = StepKind::kSetUp;
    set_up.count = workload.draw_count(random);
    steps.push_back(set_up);
    const std::uint32_t wanted = count.least + random.below(count.most - count.least + 1);
    const bool side_by_side = workload.sessions() > 1;
    const SideBySideCase drawn = side_by_side ? draw_side_by_side(random, workload.sessions()) : SideBySideCase{};
    while (steps.size() <= wanted) {
      Step step = workload.draw_step(random, set_up.count);
      if (side_by_side && step.kind != StepKind::kReopen) place(random, drawn, workload, set_up.count, step);
      if (count.isolation && step.kind == StepKind::kTransaction) step.isolation = *count.isolation;
      steps.push_back(std::move(step));
    }
    return shrinkable(std::move(steps));
  };
}

rc::Shrinkable<Steps> steps_of_seed(const Workload& workload, std::uint64_t seed, StepCount count) {
  return steps_of(workload, count)(rc::Random(seed), rc::kNominalSize);
}

Result<void> Workload::fill(RecordedSession& session, std::uint32_t count) const {
  std::string key_of_row;
  std::string row_of_row;
  for (std::uint32_t number = 0; number < count; ++number) {
    key(number, key_of_row);
    row(1, number, set_up_amount(number), row_of_row);
    POWERCUT_TRYV(session.insert(1, key_of_row, row_of_row));
  }
  return success();
}

Result<void> Workload::audit(RecordedSession& session, engine::Isolation least) const {
  Tally tally;
  for (std::uint32_t table = 1; table < tables().size(); ++table) {
    POWERCUT_TRY(const auto rows, session.scan(table, {}, {}));
    for (const auto& [key_of_row, row_of_row] : rows) tally_row(tally, table, key_of_row, row_of_row);
  }
  tally_end(tally, true, session.set_up_count());
  if (!tally.broken.empty() && session.level() >= least) session.fail(Oracle::kConsistent, "an audit: " + tally.broken);
  return success();
}

std::optional<std::uint32_t> Workload::number_of(std::string_view key) {
  std::uint32_t number = 0;
  const auto read = std::from_chars(key.data(), key.data() + key.size(), number);
  if (read.ec != std::errc() || read.ptr != key.data() + key.size()) return std::nullopt;
  return number;
}

bool Workload::only_reads(const Operation& operation) const {
  return operation.kind == OperationKind::kGet || operation.kind == OperationKind::kGetForShare ||
         operation.kind == OperationKind::kGetForUpdate || operation.kind == OperationKind::kScan ||
         operation.kind == OperationKind::kAudit;
}

// What any table and row may be asked. Not to find a row, or to find one, is an answer that the transaction goes on after.
Result<void> Workload::perform(RecordedSession& session, const Operation& operation) const {
  std::string a;
  std::string b;
  key(operation.a, a);
  key(operation.b, b);
  switch (operation.kind) {
    case OperationKind::kGet:
      return unless_expected(session.get(operation.table, a));
    case OperationKind::kGetForShare:
      return unless_expected(session.get(operation.table, a, engine::RowLock::kShare));
    case OperationKind::kGetForUpdate:
      return unless_expected(session.get(operation.table, a, engine::RowLock::kUpdate));
    case OperationKind::kScan:
      return unless_expected(session.scan(operation.table, a, b));
    case OperationKind::kErase:
      return unless_expected(session.erase(operation.table, a));
    case OperationKind::kSavepoint:
      return unless_expected(session.savepoint(operation.a));
    case OperationKind::kRollbackTo:
      return unless_expected(session.rollback_to(operation.a));
    case OperationKind::kRelease:
      return unless_expected(session.release(operation.a));
    case OperationKind::kCreateTable:
      return unless_expected(session.create_table(operation.table, tables()[operation.table]));
    case OperationKind::kDropTable:
      return unless_expected(session.drop_table(operation.table));
    case OperationKind::kCheckpoint:
      return session.checkpoint();
    default:
      return Error(ErrorCode::kInvalidArgument,
                   std::string(name()) + " has no operation " + std::string(to_string(operation.kind)));
  }
}

std::string describe(const Workload& workload, const Operation& operation) {
  const std::string& table = workload.tables()[operation.table].name;
  std::string a;
  std::string b;
  Workload::key(operation.a, a);
  Workload::key(operation.b, b);
  const auto row = [&] {
    std::string bytes;
    workload.row(operation.table, operation.a, operation.amount, bytes);
    return engine::row_text(workload.tables()[operation.table].columns, bytes);
  };
  std::string name(to_string(operation.kind));
  switch (operation.kind) {
    case OperationKind::kTransfer:
      return "transfer " + std::to_string(operation.amount) + " from " + table + "[" + a + "] to " + table + "[" + b + "]";
    case OperationKind::kInsert:
    case OperationKind::kUpdate:
    case OperationKind::kPut:
      return name + " " + table + "[" + a + "] = " + row();
    case OperationKind::kErase:
    case OperationKind::kGet:
      return name + " " + table + "[" + a + "]";
    case OperationKind::kScan:
      return name + " " + table + "[" + a + " .. " + b + ")";
    case OperationKind::kSavepoint:
    case OperationKind::kRollbackTo:
    case OperationKind::kRelease:
      return name + " s" + std::to_string(operation.a);
    case OperationKind::kCreateTable:
    case OperationKind::kDropTable:
      return name + " " + table;
    case OperationKind::kCheckpoint:
      return name;
    case OperationKind::kGetForShare:
      return "get " + table + "[" + a + "] for share";
    case OperationKind::kGetForUpdate:
      return "get " + table + "[" + a + "] for update";
    case OperationKind::kAudit:
      return "audit " + table;
    case OperationKind::kEdit:
      return "edit " + table + "[" + a + " .. " + b + ") by " + std::to_string(operation.amount);
    case OperationKind::kAlterTable:
      return "alter " + table + " to form " + std::to_string(operation.a);
    case OperationKind::kOrder:
      return "order " + a + ": " + std::to_string(operation.amount) + " of item " + b;
    case OperationKind::kStatement:
      return workload.statement_text(operation.a);
    case OperationKind::kPay:
      return a + " pays order " + b;
  }
  return name;
}

std::string describe(const Workload& workload, const Step& step) {
  switch (step.kind) {
    case StepKind::kSetUp:
      if (workload.statements() > 0) return "set up the tables and rows of the scenario; commit";
      return "set up " + workload.tables()[1].name + " with " + std::to_string(step.count) + " rows; commit";
    case StepKind::kCheckpoint:
      return "checkpoint";
    case StepKind::kReopen:
      return "close and open again";
    case StepKind::kTransaction:
      break;
  }
  std::string text = "begin; ";
  if (workload.sessions() > 1) {
    text = "session " + std::to_string(step.session) + ": begin " + std::string(to_string(step.isolation)) + "; ";
  }
  for (const Operation& operation : step.operations) text += describe(workload, operation) + "; ";
  return text + (step.commit ? "commit" : "rollback");
}

}  // namespace powercut::properties
