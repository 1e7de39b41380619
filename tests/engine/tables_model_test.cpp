// Any sequence of statements against a model in maps: random schemas, rows, edits and alterations, constraints, savepoints,
// and reopenings without a close.
#include "engine/ledger/catalogue.h"
#include "engine/ledger/page.h"
#include "faultfs/random.h"
#include "tests/support/ledger_database.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using namespace engine;

// Encoded columns.
using ModelRow = std::vector<std::string>;
struct ModelTable {
  std::vector<Column> columns;
  std::map<std::string, ModelRow> rows;
};
using Model = std::map<std::string, ModelTable>;
using Refused = std::optional<ErrorCode>;

std::string encoded(Value value) {
  std::string bytes;
  encode_row({value}, bytes);
  return bytes;
}

std::string bytes_of(const ModelRow& row) {
  std::string bytes;
  for (const std::string& column : row) bytes += column;
  return bytes;
}

// The constraints, said anew: of the whole row that `key` is to have.
bool allowed(const Model& model, const std::string& name, const std::string& key, const ModelRow& row) {
  const ModelTable& table = model.at(name);
  for (std::size_t at = 0; at < table.columns.size(); ++at) {
    const Column& column = table.columns[at];
    const std::string& value = row[at];
    if (value == encoded({})) {
      if (column.not_null) return false;
      continue;
    }
    if (column.at_least && *integer_column(value, 0) < *column.at_least) return false;
    for (const auto& [other, its] : table.rows) {
      if (column.unique && other != key && its[at] == value) return false;
    }
    if (column.references.empty()) continue;
    const std::string target(*text_column(value, 0));
    const bool itself = column.references == name && target == key;
    if (!itself && !model.at(column.references).rows.contains(target)) return false;
  }
  return true;
}

bool referred_to(const Model& model, const std::string& name, const std::string& key) {
  for (const auto& [from, table] : model) {
    for (std::size_t at = 0; at < table.columns.size(); ++at) {
      if (table.columns[at].references != name) continue;
      for (const auto& [referrer, row] : table.rows) {
        if (row[at] == encoded(std::string_view(key)) && !(from == name && referrer == key)) return true;
      }
    }
  }
  return false;
}

Refused check_schema(const Model& model, const TableSchema& schema) {
  for (const Column& column : schema.columns) {
    if (column.references.empty()) continue;
    if (column.type != ColumnType::kText) return ErrorCode::kInvalidArgument;
    if (column.references != schema.name && !model.contains(column.references)) return ErrorCode::kNotFound;
  }
  return {};
}

class Run {
 public:
  explicit Run(std::uint64_t seed) : random_(seed), on_disk_(std::vector<Option>{{"frames", "8"}, {"segment", "16384"}}) { open(); }

  void run(std::uint32_t statements) {
    for (std::uint32_t at = 0; at < statements; ++at) step();
    open();
  }

  // How much of what was asked was done, so that the property is not about refusals alone.
  std::map<std::string, int> done;

 private:
  std::uint32_t below(std::uint32_t bound) { return random_.below(bound); }
  bool one_in(std::uint32_t count) { return below(count) == 0; }
  std::string any_name() { return std::string(1, static_cast<char>('p' + below(3))); }
  std::string any_key() { return std::string(below(4) == 0 ? 200 : 0, 'k') + std::to_string(below(12)); }
  // Longer rows are no rows of any table.
  static bool fits(const std::string& key, const std::string& bytes) { return key.size() + bytes.size() <= ledger::kMostCellBytes; }
  std::string any_value(ColumnType type) {
    if (one_in(4)) return encoded({});
    if (type == ColumnType::kInteger) return encoded(std::int64_t{below(30)} - 2);
    std::string key = any_key();
    if (one_in(3)) key += std::string(below(100), 'x');
    return encoded(std::string_view(key));
  }

  Column any_column() {
    Column column{"c", one_in(2) ? ColumnType::kInteger : ColumnType::kText};
    constrain(column);
    return column;
  }

  void constrain(Column& column) {
    column.not_null = one_in(5);
    column.unique = one_in(3);
    column.at_least.reset();
    column.references.clear();
    if (column.type == ColumnType::kInteger && one_in(2)) column.at_least = below(3);
    if ((column.type == ColumnType::kText && one_in(3)) || one_in(50)) column.references = any_name();
  }

  ModelRow any_row(const ModelTable& table) {
    ModelRow row;
    for (const Column& column : table.columns) row.push_back(any_value(column.type));
    return row;
  }

  void open() {
    session_.reset();
    database_.reset();
    now_ = committed_;
    in_transaction_ = false;
    database_ = on_disk_.open();
    session_ = std::move(database_->new_session()).value();
    check();
  }

  void check() {
    std::vector<std::string> names;
    for (const auto& [name, table] : now_) {
      names.push_back(name);
      std::map<std::string, std::string> found;
      std::map<std::string, std::string> expected;
      for (const auto& [key, row] : table.rows) expected.emplace(key, bytes_of(row));
      RC_ASSERT(session_
                    ->scan(name, {}, {},
                           [&](std::string_view key, std::string_view row) {
                             found.emplace(key, row);
                             return true;
                           })
                    .has_value());
      RC_ASSERT(found == expected);
    }
    RC_ASSERT(database_->tables().value() == names);
  }

  void answer(const char* what, const Result<void>& result, Refused refused, Model&& after) {
    if (result.has_error()) RC_LOG() << what << ": " << result.error().message() << "\n";
    RC_ASSERT(result.has_error() == refused.has_value());
    if (refused) {
      RC_ASSERT(result.error().code() == *refused);
    } else {
      ++done[what];
      now_ = std::move(after);
      if (!in_transaction_) committed_ = now_;
    }
    if (one_in(4)) check();
  }

  void step() {
    const std::uint32_t what = below(100);
    if (what < 45) return write();
    if (what < 58) return edit();
    if (what < 66) return create();
    if (what < 78) return alter();
    if (what < 80) return drop();
    if (what < 82) return open();
    if (what < 84) return RC_ASSERT(database_->checkpoint().has_value());
    if (!in_transaction_) {
      RC_ASSERT(session_->begin().has_value());
      in_transaction_ = true;
      savepoints_.clear();
    } else if (what < 88) {
      RC_ASSERT(session_->commit().has_value());
      in_transaction_ = false;
      committed_ = now_;
    } else if (what < 90) {
      RC_ASSERT(session_->rollback().has_value());
      in_transaction_ = false;
      now_ = committed_;
      check();
    } else if (what < 95 || savepoints_.empty()) {
      savepoints_.push_back(now_);
      RC_ASSERT(session_->savepoint(std::to_string(savepoints_.size())).has_value());
    } else {
      savepoints_.resize(1 + below(static_cast<std::uint32_t>(savepoints_.size())));
      RC_ASSERT(session_->rollback_to(std::to_string(savepoints_.size())).has_value());
      now_ = savepoints_.back();
      check();
    }
  }

  void write() {
    const std::string name = any_name();
    const std::string key = any_key();
    Model after = now_;
    const auto found = after.find(name);
    const bool is_table = found != after.end();
    const bool exists = is_table && found->second.rows.contains(key);
    const std::uint32_t what = below(4);
    if (what == 0) {
      Refused refused;
      if (!exists) {
        refused = ErrorCode::kNotFound;
      } else if (referred_to(now_, name, key)) {
        refused = ErrorCode::kConstraint;
      } else {
        found->second.rows.erase(key);
      }
      return answer("erase", session_->erase(name, key), refused, std::move(after));
    }
    const ModelRow row = is_table ? any_row(found->second) : ModelRow();
    Refused refused;
    if (!is_table || (what == 1 && !exists)) {
      refused = ErrorCode::kNotFound;
    } else if (what == 2 && exists) {
      refused = ErrorCode::kAlreadyExists;
    } else if (!allowed(now_, name, key, row)) {
      refused = ErrorCode::kConstraint;
    } else {
      found->second.rows[key] = row;
    }
    const std::string bytes = bytes_of(row);
    if (is_table && !fits(key, bytes)) return;
    const auto result = what == 1   ? session_->update(name, key, bytes)
                        : what == 2 ? session_->insert(name, key, bytes)
                                    : session_->put(name, key, bytes);
    answer("write", result, refused, std::move(after));
  }

  void edit() {
    const std::string name = any_name();
    const std::string from = one_in(2) ? "" : any_key();
    const std::string to = one_in(2) ? "" : any_key();
    const auto table = now_.find(name);
    // What becomes of each row is settled before, so that the engine and the model are asked the same.
    std::map<std::string, std::pair<RowEdit, ModelRow>> plan;
    Model after = now_;
    Refused refused;
    std::uint64_t edited = 0;
    if (table == now_.end()) {
      refused = ErrorCode::kNotFound;
    } else {
      const std::uint32_t kept_of_6 = below(6);
      for (const auto& [key, row] : table->second.rows) {
        if (key < from || (!to.empty() && key >= to)) continue;
        const RowEdit what = below(6) <= kept_of_6 ? RowEdit::kKeep : one_in(3) ? RowEdit::kErase : RowEdit::kChange;
        ModelRow changed = row;
        if (what == RowEdit::kChange && !row.empty()) {
          const std::size_t at = below(static_cast<std::uint32_t>(row.size()));
          changed[at] = any_value(table->second.columns[at].type);
        }
        if (!fits(key, bytes_of(changed))) changed = row;
        plan[key] = {what, changed};
        if (refused || what == RowEdit::kKeep) continue;
        const bool can = what == RowEdit::kErase ? !referred_to(after, name, key) : allowed(after, name, key, changed);
        if (!can) refused = ErrorCode::kConstraint;
        if (what == RowEdit::kErase) {
          after[name].rows.erase(key);
        } else {
          after[name].rows[key] = changed;
        }
        ++edited;
      }
    }
    const auto result = session_->edit(name, from, to, [&](std::string_view key, std::string_view row, std::string& changed) {
      const std::string text(key);
      RC_ASSERT(plan.contains(text));
      RC_ASSERT(row == bytes_of(now_[name].rows[text]));
      changed = bytes_of(plan[text].second);
      return plan[text].first;
    });
    if (result.has_value()) RC_ASSERT(result.value() == edited);
    answer("edit", result.has_value() ? Result<void>(success()) : Result<void>(result.error()), refused, std::move(after));
  }

  void create() {
    TableSchema schema{any_name(), {}};
    for (std::uint32_t columns = below(4); columns > 0; --columns) schema.columns.push_back(any_column());
    Model after = now_;
    Refused refused;
    if (now_.contains(schema.name)) {
      refused = ErrorCode::kAlreadyExists;
    } else if (refused = check_schema(now_, schema); !refused) {
      after[schema.name].columns = schema.columns;
    }
    answer("create", session_->create_table(schema), refused, std::move(after));
  }

  void alter() {
    const std::string name = any_name();
    const auto table = now_.find(name);
    TableSchema schema{one_in(2) ? any_name() : name, {}};
    Model after = now_;
    if (table == now_.end()) return answer("alter", session_->alter_table(name, schema), ErrorCode::kNotFound, std::move(after));
    schema.columns = table->second.columns;
    Refused refused;
    if (one_in(3) && schema.columns.size() < 6) schema.columns.push_back(any_column());
    if (one_in(2) && !schema.columns.empty()) constrain(schema.columns[below(static_cast<std::uint32_t>(schema.columns.size()))]);
    const bool shorter = one_in(20) && !table->second.columns.empty();
    if (shorter) schema.columns.resize(table->second.columns.size() - 1, Column{});
    TableSchema altered = schema;
    for (Column& column : altered.columns) {
      if (column.references == name) column.references = schema.name;
    }
    if (shorter) {
      refused = ErrorCode::kInvalidArgument;
    } else if (schema.name != name && now_.contains(schema.name)) {
      refused = ErrorCode::kAlreadyExists;
    } else if (refused = check_schema(now_, altered); !refused) {
      ModelTable moved = std::move(after[name]);
      after.erase(name);
      moved.columns = altered.columns;
      for (auto& [key, row] : moved.rows) row.resize(altered.columns.size(), encoded({}));
      after[schema.name] = std::move(moved);
      for (auto& [other, its] : after) {
        for (Column& column : its.columns) {
          if (column.references == name) column.references = schema.name;
        }
      }
      for (const auto& [key, row] : after[schema.name].rows) {
        if (!allowed(after, schema.name, key, row)) refused = ErrorCode::kConstraint;
      }
    }
    answer("alter", session_->alter_table(name, schema), refused, std::move(after));
  }

  void drop() {
    const std::string name = any_name();
    Model after = now_;
    Refused refused;
    if (after.erase(name) == 0) refused = ErrorCode::kNotFound;
    for (const auto& [other, table] : after) {
      for (const Column& column : table.columns) {
        if (!refused && column.references == name) refused = ErrorCode::kConstraint;
      }
    }
    answer("drop", session_->drop_table(name), refused, std::move(after));
  }

  Random random_;
  LedgerOnDisk on_disk_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
  Model committed_;
  Model now_;
  std::vector<Model> savepoints_;
  bool in_transaction_ = false;
};

}  // namespace

TEST_CASE("statements, constraints, alterations and savepoints do what maps would do") {
  std::map<std::string, int> done;
  property("tables as maps", [&](std::uint64_t seed) {
    Run run(seed);
    run.run(400);
    for (const auto& [what, times] : run.done) done[what] += times;
  });
  for (const char* what : {"write", "erase", "edit", "create", "alter", "drop"}) {
    INFO(what);
    CHECK(done[what] > 5);
  }
}

TEST_CASE("a table comes back from its catalogue row as it was, and arbitrary bytes are a table or an error") {
  ledger::Table table;
  table.schema = {"t",
                  {{"a", ColumnType::kInteger, true, true, -5},
                   {"b", ColumnType::kText, false, true, {}, "other"},
                   {"c", ColumnType::kText, false, false, {}, "t"}}};
  table.root = ledger::PageId{7};
  table.indexes = {ledger::PageId{8}, ledger::PageId{9}};
  std::string bytes;
  for (table.original_columns = 0; table.original_columns <= 3; ++table.original_columns) {
    encode_table(table, bytes);
    const auto back = ledger::decode_table("t", bytes).value();
    CHECK(back.schema == table.schema);
    CHECK(back.trees() == table.trees());
    CHECK(back.original_columns == table.original_columns);
  }
  property("catalogue rows cut and changed", [&](std::size_t cut, std::size_t at, char value) {
    std::string damaged = bytes.substr(0, cut % (bytes.size() + 1));
    if (!damaged.empty()) damaged[at % damaged.size()] = value;
    const auto decoded = ledger::decode_table("t", damaged);
    if (decoded.has_value()) {
      RC_ASSERT(decoded.value().original_columns <= decoded.value().schema.columns.size());
      std::string again;
      encode_table(decoded.value(), again);
    }
  });
}

}  // namespace powercut::testing
