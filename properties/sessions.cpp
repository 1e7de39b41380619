// sessions: bank for several users at once, at every isolation level. Money moves between accounts; spare accounts, always
// empty, are opened and closed, so that ranges gain and lose rows. What a level does not keep from harm the transactions do
// themselves: below repeatable read they read for update what they compute with, or change a row only where it still holds
// what was read.
#include "engine/row.h"
#include "properties/recorded_session.h"
#include "properties/workloads.h"

namespace powercut::properties {
namespace {

constexpr std::int64_t kOpeningBalance = 100;
constexpr std::uint32_t kSpare = 3;  // accounts that come and go

std::int64_t balance_of(std::string_view row) { return engine::integer_column(row, 0).value_or(0); }

class Sessions final : public Workload {
 public:
  Sessions()
      : Workload({marker_schema(),
                  {"accounts",
                   {{"balance", engine::ColumnType::kInteger, true, false, 0}, {"writer", engine::ColumnType::kInteger, true}}}}) {}

  std::string_view name() const override { return "sessions"; }
  std::string_view summary() const override {
    return "2 to 4 sessions side by side, at every isolation level: transfers, audits, accounts that come and go";
  }
  std::uint32_t sessions() const override { return 4; }
  bool made_at_set_up(std::uint32_t /*table*/) const override { return true; }
  std::int64_t set_up_amount(std::uint32_t /*row*/) const override { return kOpeningBalance; }
  std::uint32_t draw_count(Random& random) const override { return 2 + random.below(random.below(4) == 0 ? 24 : 4); }

  void row(std::uint32_t table, std::uint32_t /*a*/, std::int64_t amount, std::string& out) const override {
    if (table == 0) {
      engine::encode_row({}, out);
    } else {
      engine::encode_row({amount, std::int64_t{0}}, out);
    }
  }

  Result<void> fill(RecordedSession& session, std::uint32_t count) const override {
    for (std::uint32_t number = 0; number < count; ++number) POWERCUT_TRYV(open_account(session, number, kOpeningBalance));
    return success();
  }

  Step draw_step(Random& random, std::uint32_t count) const override {
    if (auto other = draw_other_step(random)) return *other;
    Step step;
    step.commit = random.below(8) != 0;
    const std::uint32_t operations = 1 + random.below(5);
    while (step.operations.size() < operations) step.operations.push_back(draw_operation(random, count));
    return step;
  }

  Result<void> perform(RecordedSession& session, const Operation& operation) const override {
    switch (operation.kind) {
      case OperationKind::kTransfer:
        return transfer(session, operation);
      case OperationKind::kUpdate:
        return optimistic(session, operation);
      case OperationKind::kAudit:
        // Spare accounts hold nothing: what a repeatable read may miss or find does not count.
        return audit(session, engine::Isolation::kRepeatableRead);
      case OperationKind::kInsert:
        return unless_expected(open_account(session, operation.a, 0));
      case OperationKind::kErase:
        if (operation.a < session.set_up_count()) return success();
        return Workload::perform(session, operation);
      case OperationKind::kEdit:
        return edit(session, operation);
      default:
        return Workload::perform(session, operation);
    }
  }

  void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const override {
    if (table != 1) return;
    const auto balance = engine::integer_column(row, 0);
    if (!balance || *balance < 0) {
      tally.broken = "accounts[" + std::string(key) + "] holds " + (balance ? std::to_string(*balance) : std::string("no balance"));
      return;
    }
    tally.total += *balance;
    ++tally.rows;
  }

  void tally_end(Tally& tally, bool set_up, std::uint32_t count) const override {
    const std::int64_t expected = set_up ? kOpeningBalance * count : 0;
    if (!tally.broken.empty() || tally.total == expected) return;
    tally.broken = "the total balance is " + std::to_string(tally.total) + " in " + std::to_string(tally.rows) +
                   " accounts, it was " + std::to_string(expected);
  }

 private:
  static Operation draw_operation(Random& random, std::uint32_t count) {
    using Kind = OperationKind;
    static constexpr Kind kKinds[] = {Kind::kTransfer,     Kind::kTransfer,  Kind::kTransfer,    Kind::kTransfer,   Kind::kTransfer,
                                      Kind::kTransfer,     Kind::kUpdate,    Kind::kUpdate,      Kind::kAudit,      Kind::kAudit,
                                      Kind::kInsert,       Kind::kInsert,    Kind::kErase,       Kind::kEdit,       Kind::kEdit,
                                      Kind::kGet,          Kind::kScan,      Kind::kGetForShare, Kind::kScan,       Kind::kInsert,
                                      Kind::kGetForUpdate, Kind::kSavepoint, Kind::kSavepoint,   Kind::kRollbackTo, Kind::kRelease,
                                      Kind::kCheckpoint};
    Operation operation;
    operation.kind = kKinds[random.below(static_cast<std::uint32_t>(std::size(kKinds)))];
    operation.a = random.below(count);
    operation.b = random.below(count);
    operation.amount = 1 + random.below(60);
    switch (operation.kind) {
      case Kind::kSavepoint:
      case Kind::kRollbackTo:
      case Kind::kRelease:
        operation.a = random.below(2);
        break;
      case Kind::kInsert:
      case Kind::kErase:
        operation.a = count + random.below(kSpare);
        break;
      case Kind::kEdit:
      case Kind::kScan:
        operation.a = random.below(count + kSpare);
        operation.b = operation.a + 1 + random.below(count + kSpare);
        break;
      default:
        break;
    }
    return operation;
  }

  static Result<void> open_account(RecordedSession& session, std::uint32_t number, std::int64_t balance) {
    std::string key_of_row;
    std::string row_of_row;
    key(number, key_of_row);
    engine::encode_row({balance, session.next_tag()}, row_of_row);
    return session.insert(1, key_of_row, row_of_row);
  }

  static bool moves_nothing(const RecordedSession& session, const Operation& operation) {
    return operation.a == operation.b || std::max(operation.a, operation.b) >= session.set_up_count();
  }

  // Reads both, computes, and writes both.
  static Result<void> transfer(RecordedSession& session, const Operation& operation) {
    if (moves_nothing(session, operation)) return success();
    std::string from;
    std::string to;
    std::string changed;
    key(operation.a, from);
    key(operation.b, to);
    const bool for_update = session.level() < engine::Isolation::kRepeatableRead || operation.amount % 2 == 0;
    const engine::RowLock lock = for_update ? engine::RowLock::kUpdate : engine::RowLock::kNone;
    POWERCUT_TRY(const auto before, session.get(1, from, lock));
    POWERCUT_TRY(const auto other, session.get(1, to, lock));
    if (!before || !other) {
      session.fail(Oracle::kConsistent, "accounts[" + (before ? to : from) + "] is not there; nobody closes it");
      return success();
    }
    engine::encode_row({balance_of(*before) - operation.amount, session.next_tag()}, changed);
    const auto taken = session.update(1, from, changed);
    if (taken.has_error() && taken.error().code() == ErrorCode::kConstraint) return success();
    POWERCUT_TRYV(taken);
    engine::encode_row({balance_of(*other) + operation.amount, session.next_tag()}, changed);
    return session.update(1, to, changed);
  }

  // Takes money only where the balance is still what was read; gives it to whatever the other balance is by then.
  static Result<void> optimistic(RecordedSession& session, const Operation& operation) {
    if (moves_nothing(session, operation)) return success();
    std::string from;
    key(operation.a, from);
    POWERCUT_TRY(const auto before, session.get(1, from));
    if (!before) return success();
    const auto taken = add(session, operation.a, -operation.amount, balance_of(*before));
    if (taken.has_error() && taken.error().code() == ErrorCode::kConstraint) return success();
    POWERCUT_TRY(const std::uint64_t changes, taken);
    if (changes == 0) return success();
    POWERCUT_TRYV(add(session, operation.b, operation.amount, std::nullopt));
    return success();
  }

  // UPDATE accounts SET balance = balance + amount WHERE key = number [AND balance = expected]
  static Result<std::uint64_t> add(RecordedSession& session, std::uint32_t number, std::int64_t amount,
                                   std::optional<std::int64_t> expected) {
    std::string from;
    std::string to;
    key(number, from);
    key_after(number, to);
    const std::int64_t tag = session.next_tag();
    return session.edit(1, from, to, [&](std::string_view /*key*/, std::string_view row, std::string& changed) {
      const std::int64_t balance = balance_of(row);
      if (expected && balance != *expected) return engine::RowEdit::kKeep;
      engine::encode_row({balance + amount, tag}, changed);
      return engine::RowEdit::kChange;
    });
  }

  // Closes the spare accounts of a range, or touches every account with an even balance.
  static Result<void> edit(RecordedSession& session, const Operation& operation) {
    std::string from;
    std::string to;
    key(operation.a, from);
    key(operation.b, to);
    const std::int64_t tag = session.next_tag();
    const bool closes = operation.amount % 3 == 0;
    const auto edited = session.edit(1, from, to, [&](std::string_view key_of_row, std::string_view row, std::string& changed) {
      if (closes) {
        const bool spare = number_of(key_of_row).value_or(0) >= session.set_up_count();
        return spare ? engine::RowEdit::kErase : engine::RowEdit::kKeep;
      }
      if (balance_of(row) % 2 != 0) return engine::RowEdit::kKeep;
      engine::encode_row({balance_of(row), tag}, changed);
      return engine::RowEdit::kChange;
    });
    return unless_expected(edited);
  }
};

}  // namespace

const Workload& sessions() {
  static const Sessions kWorkload;
  return kWorkload;
}

}  // namespace powercut::properties
