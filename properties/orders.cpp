// orders: a shop. One transaction takes an item from the stock, writes the order and perhaps its payment: all or nothing.
// Foreign keys tie orders and reviews to items and payments to orders; no stock falls below zero, no two items have the same
// name. Orders and payments change the row that they refer to, and so lock it themselves; of a review's item nothing but the
// FOREIGN KEY takes care. It is right at every isolation level, since each change of a row is one statement that looks at the row
// while it changes it.
#include "engine/row.h"
#include "faultfs/hash.h"
#include "properties/recorded_session.h"
#include "properties/workloads.h"

#include <algorithm>
#include <array>

namespace powercut::properties {
namespace {

constexpr std::int64_t kStock = 10;  // of an item at first
constexpr std::uint32_t kOrders = 4;
constexpr std::uint32_t kPayments = 8;
constexpr std::int64_t kNames = 4;
constexpr std::uint32_t kItemsTable = 1;
constexpr std::uint32_t kOrdersTable = 2;
constexpr std::uint32_t kPaymentsTable = 3;
constexpr std::uint32_t kReviewsTable = 4;
constexpr std::uint32_t kReviews = 2;
constexpr std::uint32_t kSpare = 2;  // items that may be reviewed, but are not ordered

std::string_view text_of(std::string_view row, std::size_t column) { return engine::text_column(row, column).value_or(""); }
std::int64_t integer_of(std::string_view row, std::size_t column) { return engine::integer_column(row, column).value_or(0); }

class Orders final : public Workload {
 public:
  Orders()
      : Workload(
            {marker_schema(),
             {"items",
              {{"name", engine::ColumnType::kText, true, true},
               {"stock", engine::ColumnType::kInteger, true, false, 0},
               {"writer", engine::ColumnType::kInteger, true}}},
             {"orders",
              {{"item", engine::ColumnType::kText, true, false, {}, "items"},
               {"amount", engine::ColumnType::kInteger, true, false, 1},
               {"status", engine::ColumnType::kText, true},
               {"writer", engine::ColumnType::kInteger, true}}},
             {"payments",
              {{"order", engine::ColumnType::kText, true, false, {}, "orders"}, {"writer", engine::ColumnType::kInteger, true}}},
             {"reviews",
              {{"item", engine::ColumnType::kText, true, false, {}, "items"}, {"writer", engine::ColumnType::kInteger, true}}}}) {}

  std::string_view name() const override { return "orders"; }
  std::string_view summary() const override {
    return "2 or 3 sessions side by side: items, orders and payments in one transaction, with foreign keys";
  }
  std::uint32_t sessions() const override { return 3; }
  bool made_at_set_up(std::uint32_t /*table*/) const override { return true; }
  std::int64_t set_up_amount(std::uint32_t row) const override { return row % kNames; }
  std::uint32_t draw_count(Random& random) const override { return 1 + random.below(3); }

  // For people; what is written carries its writer's number.
  void row(std::uint32_t table, std::uint32_t a, std::int64_t amount, std::string& out) const override {
    if (table == 0) {
      engine::encode_row({}, out);
    } else if (table == kReviewsTable) {
      review(amount, 0, out);
    } else {
      item(amount, kStock, a, out);
    }
  }

  Result<void> fill(RecordedSession& session, std::uint32_t count) const override {
    for (std::uint32_t number = 0; number < count; ++number) POWERCUT_TRYV(add_item(session, number, set_up_amount(number)));
    return success();
  }

  Step draw_step(Random& random, std::uint32_t count) const override {
    if (auto other = draw_other_step(random)) return *other;
    Step step;
    step.commit = random.below(4) != 0;
    const std::uint32_t operations = 1 + random.below(4);
    while (step.operations.size() < operations) {
      const Operation operation = draw_operation(random, count);
      step.operations.push_back(operation);
      // Half of the orders are paid at once; the others may be cancelled, and their items go.
      if (operation.kind != OperationKind::kOrder || random.below(2) == 0) continue;
      step.operations.push_back({OperationKind::kPay, kPaymentsTable, random.below(kPayments), operation.a, 0});
    }
    return step;
  }

  Result<void> perform(RecordedSession& session, const Operation& operation) const override {
    switch (operation.kind) {
      case OperationKind::kOrder:
        return order(session, operation);
      case OperationKind::kPay:
        return pay(session, operation);
      case OperationKind::kInsert:
        return unless_expected(add_item(session, operation.a, operation.amount % kNames));
      case OperationKind::kUpdate:
        return unless_expected(edit_item(session, operation.a, 0, operation.amount % kNames));
      case OperationKind::kPut:
        return unless_expected(put_review(session, operation));
      case OperationKind::kErase:
        return operation.table == kOrdersTable ? cancel(session, operation) : Workload::perform(session, operation);
      case OperationKind::kAudit:
        // An order that comes in between is a phantom.
        return audit(session, engine::Isolation::kSerializable);
      default:
        return Workload::perform(session, operation);
    }
  }

  void tally_row(Tally& tally, std::uint32_t table, std::string_view key, std::string_view row) const override {
    const std::string place = tables()[table].name + "[" + std::string(key) + "]";
    if (table == kItemsTable) {
      const std::uint32_t number = number_of(key).value_or(0);
      if (tally.by_row.size() <= number) tally.by_row.resize(number + 1, Tally::kNoRow);
      tally.by_row[number] = integer_of(row, 1);
      if (tally.by_row[number] < 0) tally.broken = place + ".stock is below zero: " + std::to_string(tally.by_row[number]);
      tally.names.push_back(hash64(as_bytes(text_of(row, 0))));
    } else if (table == kOrdersTable) {
      const std::uint32_t number = number_of(text_of(row, 0)).value_or(0);
      if (number >= tally.by_row.size() || tally.by_row[number] == Tally::kNoRow) {
        tally.broken = place + " is of items[" + std::string(text_of(row, 0)) + "], which is not there";
        return;
      }
      tally.by_row[number] += integer_of(row, 1);
      if (text_of(row, 2) == "paid") tally.seen.push_back(hash64(as_bytes(key)));
    } else if (table == kPaymentsTable) {
      tally.matching.push_back(hash64(as_bytes(text_of(row, 0))));
    } else if (table == kReviewsTable) {
      const std::uint32_t number = number_of(text_of(row, 0)).value_or(0);
      if (number < tally.by_row.size() && tally.by_row[number] != Tally::kNoRow) return;
      tally.broken = place + " is of items[" + std::string(text_of(row, 0)) + "], which is not there";
    }
  }

  void tally_end(Tally& tally, bool /*set_up*/, std::uint32_t /*count*/) const override {
    if (!tally.broken.empty()) return;
    for (std::size_t number = 0; number < tally.by_row.size(); ++number) {
      if (tally.by_row[number] == Tally::kNoRow || tally.by_row[number] == kStock) continue;
      tally.broken = "stock and orders of item " + std::to_string(number) + " are " + std::to_string(tally.by_row[number]) +
                     " together, there were " + std::to_string(kStock);
    }
    for (auto* const list : {&tally.seen, &tally.matching, &tally.names}) std::sort(list->begin(), list->end());
    if (tally.seen != tally.matching) {
      tally.broken = std::to_string(tally.seen.size()) + " orders are paid, by " + std::to_string(tally.matching.size()) +
                     " payments that are not one for each";
    }
    if (std::adjacent_find(tally.names.begin(), tally.names.end()) != tally.names.end()) {
      tally.broken = "two items have the same name";
    }
  }

 private:
  static Operation draw_operation(Random& random, std::uint32_t count) {
    using Kind = OperationKind;
    static constexpr Kind kKinds[] = {
        Kind::kOrder,  Kind::kOrder,  Kind::kOrder,       Kind::kOrder,     Kind::kPay,        Kind::kPay,
        Kind::kErase,  Kind::kErase,  Kind::kErase,       Kind::kErase,     Kind::kErase,      Kind::kErase,
        Kind::kErase,  Kind::kPut,    Kind::kPut,         Kind::kPut,       Kind::kInsert,     Kind::kInsert,
        Kind::kInsert, Kind::kUpdate, Kind::kUpdate,      Kind::kUpdate,    Kind::kAudit,      Kind::kAudit,
        Kind::kGet,    Kind::kScan,   Kind::kGetForShare, Kind::kSavepoint, Kind::kRollbackTo, Kind::kCheckpoint,
    };
    Operation operation;
    operation.kind = kKinds[random.below(static_cast<std::uint32_t>(std::size(kKinds)))];
    operation.amount = 1 + random.below(5);
    switch (operation.kind) {
      case Kind::kOrder:
        operation.table = kOrdersTable;
        operation.a = random.below(kOrders);
        operation.b = random.below(count);
        break;
      case Kind::kPay:
        operation.table = kPaymentsTable;
        operation.a = random.below(kPayments);
        operation.b = random.below(kOrders);
        break;
      case Kind::kErase:
        operation.table = std::array{kItemsTable, kItemsTable, kOrdersTable, kReviewsTable, kReviewsTable}[random.below(5)];
        operation.a = operation.table == kItemsTable ? draw_item(random, count)
                                                     : random.below(operation.table == kOrdersTable ? kOrders : kReviews);
        break;
      case Kind::kPut:
        operation.table = kReviewsTable;
        operation.a = random.below(kReviews);
        operation.amount = count + random.below(kSpare);
        break;
      case Kind::kInsert:
      case Kind::kUpdate:
        operation.a = draw_item(random, count);
        operation.amount = random.below(static_cast<std::uint32_t>(kNames));
        break;
      case Kind::kSavepoint:
      case Kind::kRollbackTo:
        operation.a = random.below(2);
        break;
      default:
        operation.table = 1 + random.below(4);
        operation.a = random.below(kOrders);
        operation.b = operation.a + 1 + random.below(kOrders);
        break;
    }
    return operation;
  }

  // Those that come and go more often than the others: nobody orders them, so that they can.
  static std::uint32_t draw_item(Random& random, std::uint32_t count) {
    return random.below(3) == 0 ? random.below(count) : count + random.below(kSpare);
  }

  static void item(std::int64_t name, std::int64_t stock, std::int64_t writer, std::string& out) {
    engine::encode_row({std::string_view("item-" + std::to_string(name)), stock, writer}, out);
  }

  static Result<void> add_item(RecordedSession& session, std::uint32_t number, std::int64_t name) {
    std::string key_of_row;
    std::string row_of_row;
    key(number, key_of_row);
    item(name, kStock, session.next_tag(), row_of_row);
    return session.insert(kItemsTable, key_of_row, row_of_row);
  }

  static void review(std::int64_t of, std::int64_t writer, std::string& out) {
    std::string item_key;
    key(static_cast<std::uint32_t>(of), item_key);
    engine::encode_row({std::string_view(item_key), writer}, out);
  }

  static Result<void> put_review(RecordedSession& session, const Operation& operation) {
    std::string key_of_row;
    std::string row_of_row;
    key(operation.a, key_of_row);
    review(operation.amount, session.next_tag(), row_of_row);
    return session.put(kReviewsTable, key_of_row, row_of_row);
  }

  // UPDATE … WHERE key = number; how many rows there were.
  static Result<std::uint64_t> edit_one(RecordedSession& session, std::uint32_t table, std::uint32_t number,
                                        const engine::RowEditor& editor) {
    std::string from;
    std::string to;
    key(number, from);
    key_after(number, to);
    return session.edit(table, from, to, editor);
  }

  // Adds to the stock, and gives the item another name, if there is one.
  static Result<std::uint64_t> edit_item(RecordedSession& session, std::uint32_t number, std::int64_t more,
                                         std::optional<std::int64_t> name) {
    const std::int64_t tag = session.next_tag();
    return edit_one(session, kItemsTable, number, [&](std::string_view /*key*/, std::string_view row, std::string& changed) {
      const std::string new_name = name ? "item-" + std::to_string(*name) : std::string(text_of(row, 0));
      engine::encode_row({std::string_view(new_name), integer_of(row, 1) + more, tag}, changed);
      return engine::RowEdit::kChange;
    });
  }

  // What is sold out, is not there, or was ordered already costs the whole transaction.
  static Result<void> order(RecordedSession& session, const Operation& operation) {
    POWERCUT_TRY(const std::uint64_t items, edit_item(session, operation.b, -operation.amount, std::nullopt));
    if (items == 0) return Error(ErrorCode::kNotFound, "no such item");
    std::string key_of_row;
    std::string item_key;
    std::string row_of_row;
    key(operation.a, key_of_row);
    key(operation.b, item_key);
    engine::encode_row({std::string_view(item_key), operation.amount, std::string_view("new"), session.next_tag()}, row_of_row);
    return session.insert(kOrdersTable, key_of_row, row_of_row);
  }

  // UPDATE orders SET status = 'paid' WHERE key = b AND status = 'new'; whoever changes it pays.
  static Result<void> pay(RecordedSession& session, const Operation& operation) {
    const std::int64_t tag = session.next_tag();
    POWERCUT_TRY(const std::uint64_t orders,
                 edit_one(session, kOrdersTable, operation.b, [&](std::string_view, std::string_view row, std::string& changed) {
                   if (text_of(row, 2) != "new") return engine::RowEdit::kKeep;
                   engine::encode_row({text_of(row, 0), integer_of(row, 1), std::string_view("paid"), tag}, changed);
                   return engine::RowEdit::kChange;
                 }));
    if (orders == 0) return success();
    std::string key_of_row;
    std::string order_key;
    std::string row_of_row;
    key(operation.a, key_of_row);
    key(operation.b, order_key);
    engine::encode_row({std::string_view(order_key), session.next_tag()}, row_of_row);
    return session.insert(kPaymentsTable, key_of_row, row_of_row);
  }

  // DELETE FROM orders WHERE key = a AND status = 'new'; what it had goes back to the stock.
  static Result<void> cancel(RecordedSession& session, const Operation& operation) {
    std::uint32_t number = 0;
    std::int64_t amount = 0;
    POWERCUT_TRY(const std::uint64_t orders,
                 edit_one(session, kOrdersTable, operation.a, [&](std::string_view, std::string_view row, std::string&) {
                   if (text_of(row, 2) != "new") return engine::RowEdit::kKeep;
                   number = number_of(text_of(row, 0)).value_or(0);
                   amount = integer_of(row, 1);
                   return engine::RowEdit::kErase;
                 }));
    if (orders == 0) return success();
    POWERCUT_TRY(const std::uint64_t items, edit_item(session, number, amount, std::nullopt));
    if (items == 0) session.fail(Oracle::kConsistent, "an order was of item " + std::to_string(number) + ", which is not there");
    return success();
  }
};

}  // namespace

const Workload& orders() {
  static const Orders kWorkload;
  return kWorkload;
}

}  // namespace powercut::properties
