#include "properties/scenario_grammar.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace powercut::properties {
namespace {

using Kind = StatementKind;
using Types = KnownTables::Types;

constexpr std::string_view kStatements =
    "a statement: begin, commit, rollback, savepoint, release, read, scan, sum, insert, put, update, delete, create table, drop "
    "table, alter table or set";
constexpr std::int64_t kMostLockLimit = 1'000'000;

constexpr std::array<std::pair<std::string_view, Comparison>, 6> kComparisons{{{"=", Comparison::kEqual},
                                                                               {"<>", Comparison::kNotEqual},
                                                                               {"<", Comparison::kLess},
                                                                               {"<=", Comparison::kAtMost},
                                                                               {">", Comparison::kMore},
                                                                               {">=", Comparison::kAtLeast}}};

constexpr std::array<std::pair<std::string_view, engine::Isolation>, 4> kLevels{
    {{"read uncommitted", engine::Isolation::kReadUncommitted},
     {"read committed", engine::Isolation::kReadCommitted},
     {"repeatable read", engine::Isolation::kRepeatableRead},
     {"serializable", engine::Isolation::kSerializable}}};

}  // namespace

Result<Statement> Grammar::statement() {
  Statement made;
  const std::size_t from = tokens_.mark();
  if (tokens_.skip_if("begin")) {
    POWERCUT_TRYV(begin(made));
  } else if (tokens_.is("commit") || tokens_.is("rollback") || tokens_.is("savepoint") || tokens_.is("release")) {
    POWERCUT_TRYV(ending(made));
  } else if (tokens_.skip_if("read")) {
    POWERCUT_TRYV(read(made));
  } else if (tokens_.skip_if("scan")) {
    POWERCUT_TRYV(scan(made));
  } else if (tokens_.skip_if("sum")) {
    POWERCUT_TRY(made, summed_column());
    POWERCUT_TRYV(where(made));
  } else if (tokens_.is("insert") || tokens_.is("put")) {
    POWERCUT_TRYV(write(made));
  } else if (tokens_.skip_if("update")) {
    POWERCUT_TRYV(update(made));
  } else if (tokens_.skip_if("delete")) {
    made.kind = Kind::kDelete;
    POWERCUT_TRY(made.table, known_table());
    POWERCUT_TRYV(where(made));
  } else if (tokens_.skip_all_if("create table")) {
    made.kind = Kind::kCreateTable;
    POWERCUT_TRY(made.definition, definition());
    made.table = made.definition.schema.name;
  } else if (tokens_.skip_all_if("drop table")) {
    made.kind = Kind::kDropTable;
    POWERCUT_TRY(made.table, known_table());
  } else if (tokens_.skip_all_if("alter table")) {
    POWERCUT_TRYV(alter(made));
  } else if (tokens_.skip_if("set")) {
    POWERCUT_TRYV(setting(made));
  } else {
    return tokens_.expected(kStatements);
  }
  made.text = tokens_.since(from);
  return made;
}

Result<void> Grammar::begin(Statement& statement) {
  statement.kind = Kind::kBegin;
  if (tokens_.at_end() || tokens_.is(";")) return success();
  POWERCUT_TRY(statement.level, level());
  return success();
}

Result<void> Grammar::ending(Statement& statement) {
  if (tokens_.skip_if("commit")) {
    statement.kind = Kind::kCommit;
    statement.unless_failed = tokens_.skip_all_if("if ok");
    return success();
  }
  if (tokens_.skip_if("rollback")) {
    statement.kind = Kind::kRollback;
    if (!tokens_.skip_if("to")) return success();
    statement.kind = Kind::kRollbackTo;
  } else {
    statement.kind = tokens_.is("savepoint") ? Kind::kSavepoint : Kind::kRelease;
    tokens_.skip();
  }
  POWERCUT_TRY(statement.name, tokens_.name_of("the name of a savepoint"));
  return success();
}

Result<void> Grammar::read(Statement& statement) {
  statement.kind = Kind::kRead;
  POWERCUT_TRY(statement.table, known_table());
  POWERCUT_TRY(statement.key, key());
  if (!tokens_.skip_if("for")) return success();
  const bool update = tokens_.is("update");
  if (!update && !tokens_.is("share")) return tokens_.expected("'update' or 'share'");
  tokens_.skip();
  statement.lock = update ? engine::RowLock::kUpdate : engine::RowLock::kShare;
  return success();
}

Result<void> Grammar::scan(Statement& statement) {
  statement.kind = Kind::kScan;
  POWERCUT_TRY(statement.table, known_table());
  if (tokens_.skip_if("from")) {
    POWERCUT_TRY(statement.from, key());
  }
  if (tokens_.skip_if("to")) {
    POWERCUT_TRY(statement.to, key());
  }
  return where(statement);
}

Result<Statement> Grammar::summed_column() {
  Statement sum;
  sum.kind = Kind::kSum;
  POWERCUT_TRY(sum.table, known_table());
  POWERCUT_TRYV(tokens_.must_be("."));
  const Known& known = *tables_.find(sum.table);
  const auto found = known.columns.find(tokens_.next().source);
  if (found == known.columns.end() || !found->second.integer) return tokens_.expected("a column of numbers of " + sum.table);
  POWERCUT_TRY(sum.column, tokens_.name_of("a column"));
  return sum;
}

Result<void> Grammar::write(Statement& statement) {
  statement.kind = tokens_.is("insert") ? Kind::kInsert : Kind::kPut;
  tokens_.skip();
  POWERCUT_TRY(statement.table, known_table());
  POWERCUT_TRY(WrittenRow written, row(statement.table));
  statement.key = std::move(written.key);
  statement.values = std::move(written.values);
  return success();
}

Result<void> Grammar::update(Statement& statement) {
  statement.kind = Kind::kUpdate;
  POWERCUT_TRY(statement.table, known_table());
  POWERCUT_TRYV(tokens_.must_be("set"));
  do {
    POWERCUT_TRY(statement.assignments.emplace_back(), assignment(*tables_.find(statement.table)));
  } while (tokens_.skip_if(","));
  return where(statement);
}

Result<Assignment> Grammar::assignment(const Known& known) {
  Assignment made;
  const auto to = known.columns.find(tokens_.next().source);
  if (to == known.columns.end()) return tokens_.expected("a column other than the key");
  POWERCUT_TRY(made.column, tokens_.name_of("a column"));
  POWERCUT_TRYV(tokens_.must_be("="));
  const auto from = known.columns.find(tokens_.next().source);
  if (tokens_.next().kind != Tokens::Kind::kWord || from == known.columns.end()) {
    POWERCUT_TRY(made.value, literal(to->second));
    return made;
  }
  POWERCUT_TRY(made.from, tokens_.name_of("a column"));
  if (tokens_.is("+") || tokens_.is("-")) {
    if (!from->second.integer || !to->second.integer) return tokens_.expected("nothing to add to a text");
    const bool minus = tokens_.is("-");
    tokens_.skip();
    POWERCUT_TRY(made.number, tokens_.number("a number", 0, kMostScenarioNumber));
    if (minus) made.number = -made.number;
  }
  return made;
}

Result<void> Grammar::where(Statement& statement) {
  if (!tokens_.skip_if("where")) return success();
  const Known& known = *tables_.find(statement.table);
  do {
    Condition condition;
    POWERCUT_TRY(condition.column, known_column(known));
    const auto* const found = std::find_if(kComparisons.begin(), kComparisons.end(),
                                           [&](const auto& comparison) { return tokens_.is(comparison.first); });
    if (found == kComparisons.end()) return tokens_.expected("=, <>, <, <=, > or >=");
    tokens_.skip();
    condition.comparison = found->second;
    if (known.has_key(condition.column)) {
      POWERCUT_TRY(condition.value, key());
    } else {
      if (tokens_.is("null")) return tokens_.expected("a value: nothing compares with null");
      POWERCUT_TRY(condition.value, literal(known.columns.find(condition.column)->second));
    }
    statement.where.push_back(std::move(condition));
  } while (tokens_.skip_if("and"));
  return success();
}

Result<void> Grammar::alter(Statement& statement) {
  statement.kind = Kind::kAlterTable;
  POWERCUT_TRY(statement.table, known_table());
  POWERCUT_TRYV(alteration(*tables_.find(statement.table), statement.alteration));
  tables_.learn(statement.table, statement.alteration);
  return success();
}

Result<void> Grammar::alteration(const Known& known, TableAlteration& alteration) {
  using Alter = TableAlteration::Kind;
  const auto of_column = [&]() -> Result<void> {
    if (!known.columns.contains(tokens_.next().source)) return tokens_.expected("a column other than the key");
    POWERCUT_TRY(alteration.of, tokens_.name_of("a column"));
    return success();
  };
  if (tokens_.skip_all_if("rename to")) {
    if (tables_.full()) return tokens_.expected("at most " + std::to_string(kMostScenarioNames) + " tables");
    POWERCUT_TRY(alteration.name, tokens_.name_of("the new name of the table"));
    return success();
  }
  if (tokens_.skip_all_if("rename column")) {
    alteration.kind = Alter::kRenameColumn;
    POWERCUT_TRYV(of_column());
    POWERCUT_TRYV(tokens_.must_be("to"));
    if (known.columns.size() >= kMostScenarioNames) return tokens_.expected("fewer names of columns");
    POWERCUT_TRY(alteration.name, tokens_.name_of("the new name of the column"));
    return success();
  }
  if (tokens_.skip_all_if("add column")) {
    alteration.kind = Alter::kAddColumn;
    if (known.in_order.size() >= kMostScenarioNames) return tokens_.expected("fewer columns");
    POWERCUT_TRY(alteration.column, column());
    return success();
  }
  alteration.on = tokens_.is("add");
  if (!alteration.on && !tokens_.is("drop")) return tokens_.expected("rename to, rename column, add or drop");
  tokens_.skip();
  if (tokens_.skip_if("check")) {
    alteration.kind = Alter::kCheck;
    POWERCUT_TRYV(of_column());
    if (!alteration.on) return success();
    POWERCUT_TRYV(tokens_.must_be(">="));
    POWERCUT_TRY(alteration.at_least, tokens_.number("a number", -kMostScenarioNumber, kMostScenarioNumber));
    return success();
  }
  if (tokens_.skip_if("unique")) {
    alteration.kind = Alter::kUnique;
    return of_column();
  }
  if (!tokens_.skip_all_if("not null")) {
    return tokens_.expected(alteration.on ? "column, check, unique or not null" : "check, unique or not null");
  }
  alteration.kind = Alter::kNotNull;
  return of_column();
}

Result<void> Grammar::setting(Statement& statement) {
  if (tokens_.skip_if("isolation")) {
    statement.kind = Kind::kSetIsolation;
    POWERCUT_TRY(statement.level, level());
    return success();
  }
  if (!tokens_.skip_all_if("lock limit")) return tokens_.expected("'isolation' or 'lock limit'");
  statement.kind = Kind::kSetLockLimit;
  POWERCUT_TRY(const std::int64_t limit, tokens_.number("a number of milliseconds", 0, kMostLockLimit));
  statement.milliseconds = static_cast<std::uint64_t>(limit);
  return tokens_.must_be("ms");
}

Result<TableDefinition> Grammar::definition() {
  TableDefinition made;
  if (tables_.full()) return tokens_.expected("at most " + std::to_string(kMostScenarioNames) + " tables");
  POWERCUT_TRY(made.schema.name, tokens_.name_of("the name of a table"));
  POWERCUT_TRYV(tokens_.must_be("("));
  POWERCUT_TRY(made.key, tokens_.name_of("the name of the key column"));
  POWERCUT_TRYV(tokens_.must_be("key"));
  while (tokens_.skip_if(",")) {
    if (made.schema.columns.size() == kMostScenarioNames) return tokens_.expected("')': these are enough columns");
    if (tokens_.is(made.key) || find_column(made.schema, tokens_.next().source))
      return tokens_.expected("the name of another column");
    POWERCUT_TRY(made.schema.columns.emplace_back(), column());
  }
  POWERCUT_TRYV(tokens_.must_be(")"));
  tables_.learn(made);
  return made;
}

Result<engine::Column> Grammar::column() {
  engine::Column made;
  POWERCUT_TRY(made.name, tokens_.name_of("the name of a column"));
  const bool integer = tokens_.is("int");
  if (!integer && !tokens_.is("text")) return tokens_.expected("'int' or 'text'");
  tokens_.skip();
  made.type = integer ? engine::ColumnType::kInteger : engine::ColumnType::kText;
  for (;;) {
    if (tokens_.skip_all_if("not null")) {
      made.not_null = true;
    } else if (tokens_.skip_if("unique")) {
      made.unique = true;
    } else if (integer && tokens_.skip_if("check")) {
      POWERCUT_TRYV(tokens_.must_be(made.name));
      POWERCUT_TRYV(tokens_.must_be(">="));
      POWERCUT_TRY(made.at_least, tokens_.number("a number", -kMostScenarioNumber, kMostScenarioNumber));
    } else if (!integer && tokens_.skip_if("references")) {
      POWERCUT_TRY(made.references, known_table());
    } else {
      return made;
    }
  }
}

Result<engine::Isolation> Grammar::level() {
  for (const auto& [words, level] : kLevels) {
    if (tokens_.skip_all_if(words)) return level;
  }
  return tokens_.expected("read uncommitted, read committed, repeatable read or serializable");
}

Result<std::string> Grammar::known_table() {
  if (tables_.find(tokens_.next().source) == nullptr) return tokens_.expected("a table");
  return tokens_.name_of("a table");
}

Result<std::string> Grammar::known_column(const Known& known) {
  if (!known.has(tokens_.next().source)) return tokens_.expected("a column");
  return tokens_.name_of("a column");
}

Result<std::string> Grammar::key() {
  const Tokens::Token& found = tokens_.next();
  if (found.kind == Tokens::Kind::kNumber) {
    POWERCUT_TRY(const std::int64_t number, tokens_.number("a key", 0, kMostKeyNumber));
    return key_of_number(number);
  }
  if (found.kind == Tokens::Kind::kText) {
    if (found.text.empty() || found.text.size() > kMostScenarioNameBytes) return tokens_.expected("a key of 1 to 64 bytes");
    std::string text = found.text;
    tokens_.skip();
    return text;
  }
  return tokens_.name_of("a key");
}

Result<Literal> Grammar::literal(Types types) {
  constexpr std::size_t kMostText = std::numeric_limits<std::uint16_t>::max();
  const Tokens::Token& found = tokens_.next();
  if (found.kind == Tokens::Kind::kNumber || tokens_.is("-")) {
    POWERCUT_TRY(const std::int64_t number, tokens_.number("a number", -kMostScenarioNumber, kMostScenarioNumber));
    return Literal(number);
  }
  if (tokens_.skip_if("null")) return Literal();
  const bool quoted = found.kind == Tokens::Kind::kText;
  std::string text = quoted ? found.text : std::string(found.source);
  if (!quoted && found.kind != Tokens::Kind::kWord) return tokens_.expected("a value");
  if (!types.text) return tokens_.expected("a number or null");
  if (text.size() > kMostText) return tokens_.expected("a text of at most " + std::to_string(kMostText) + " bytes");
  tokens_.skip();
  return Literal(std::move(text));
}

Result<WrittenRow> Grammar::row(const std::string& table) {
  const Known& known = *tables_.find(table);
  WrittenRow made;
  POWERCUT_TRYV(tokens_.must_be("("));
  POWERCUT_TRY(made.key, key());
  while (made.values.size() < known.in_order.size() && tokens_.skip_if(",")) {
    POWERCUT_TRY(made.values.emplace_back(), literal(known.in_order[made.values.size()]));
  }
  if (made.values.size() < known.fewest && !tokens_.is(",")) return tokens_.expected("','");
  POWERCUT_TRYV(tokens_.must_be(")"));
  return made;
}

}  // namespace powercut::properties
