// The lines of a scenario file.
#include "properties/scenario_grammar.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace powercut::properties {
namespace {

using Kind = ScenarioLineKind;

constexpr std::string_view kLines =
    "option, model, table, rows, invariant, session, checkpoint, crash, lose, keep, recover or expect";
constexpr std::int64_t kMostSyncs = 1'000'000;

constexpr std::array<ErrorCode, 11> kErrors{ErrorCode::kNotFound,   ErrorCode::kAlreadyExists, ErrorCode::kInvalidArgument,
                                            ErrorCode::kIo,         ErrorCode::kNoSpace,       ErrorCode::kCorrupt,
                                            ErrorCode::kConstraint, ErrorCode::kStopped,       ErrorCode::kUnsupported,
                                            ErrorCode::kDeadlock,   ErrorCode::kTimeout};

class Parser {
 public:
  explicit Parser(Scenario& scenario) : scenario_(scenario) {}

  Result<void> line(std::string_view text);

 private:
  Result<void> option(Tokens& tokens);
  Result<void> model(Tokens& tokens);
  Result<void> set_up(Tokens& tokens, ScenarioLine& line);
  Result<void> invariant(Tokens& tokens);
  Result<void> session(Tokens& tokens, ScenarioLine& line);
  Result<void> crash(Tokens& tokens, ScenarioLine& line);
  Result<void> survival(Tokens& tokens, ScenarioLine& line);
  Result<void> expect(Tokens& tokens, ScenarioLine& line);
  Result<void> expect_error(Tokens& tokens, ScenarioLine& line);
  Result<void> expect_rows(Tokens& tokens, ScenarioLine& line);

  Scenario& scenario_;
  KnownTables tables_;
  std::set<std::string, std::less<>> sessions_;
  std::uint32_t recoveries_ = 0;
  bool has_model_ = false;
};

Result<void> Parser::line(std::string_view text) {
  scenario_.source.emplace_back(text);
  Tokens tokens(text, static_cast<std::uint32_t>(scenario_.source.size()), scenario_.name);
  if (tokens.at_end()) return success();
  ScenarioLine line;
  line.place = tokens.place();
  if (tokens.skip_if("option")) return option(tokens);
  if (tokens.skip_if("model")) return model(tokens);
  if (tokens.skip_if("invariant")) return invariant(tokens);
  if (tokens.is("table") || tokens.is("rows")) {
    POWERCUT_TRYV(set_up(tokens, line));
  } else if (tokens.skip_if("session")) {
    POWERCUT_TRYV(session(tokens, line));
  } else if (tokens.skip_if("checkpoint")) {
    line.kind = Kind::kCheckpoint;
  } else if (tokens.skip_if("crash")) {
    POWERCUT_TRYV(crash(tokens, line));
  } else if (tokens.is("lose") || tokens.is("keep")) {
    POWERCUT_TRYV(survival(tokens, line));
  } else if (tokens.is("recover")) {
    if (++recoveries_ > kMostScenarioRecoveries) {
      return tokens.expected("at most " + std::to_string(kMostScenarioRecoveries) + " recoveries");
    }
    line.kind = Kind::kRecover;
    tokens.skip();
  } else if (tokens.skip_if("expect")) {
    POWERCUT_TRYV(expect(tokens, line));
  } else {
    return tokens.expected(kLines);
  }
  POWERCUT_TRYV(tokens.must_end());
  scenario_.lines.push_back(std::move(line));
  return success();
}

Result<void> Parser::option(Tokens& tokens) {
  ScenarioOption made;
  if (!scenario_.lines.empty()) return tokens.expected("option lines above the first line that does something");
  made.place = tokens.place();
  POWERCUT_TRY(made.option.name, tokens.raw("the name of an option"));
  POWERCUT_TRY(made.option.value, tokens.raw("the value of the option"));
  POWERCUT_TRYV(tokens.must_end());
  scenario_.options.push_back(std::move(made));
  return success();
}

Result<void> Parser::model(Tokens& tokens) {
  if (!scenario_.lines.empty()) return tokens.expected("the model above the first line that does something");
  if (std::exchange(has_model_, true)) return tokens.expected("one model");
  const TextPlace place = tokens.place();
  POWERCUT_TRY(const std::string name, tokens.raw("the name of a model"));
  const auto found = faultfs::preset(name);
  if (found.has_error()) return tokens.at(place, found.error().context());
  scenario_.model = found.value();
  return tokens.must_end();
}

Result<void> Parser::set_up(Tokens& tokens, ScenarioLine& line) {
  Grammar grammar(tokens, tables_);
  line.kind = Kind::kSetUp;
  Statement statement;
  if (tokens.skip_if("table")) {
    statement.kind = StatementKind::kCreateTable;
    POWERCUT_TRY(statement.definition, grammar.definition());
    statement.table = statement.definition.schema.name;
    line.statements.push_back(std::move(statement));
    return success();
  }
  tokens.skip();
  statement.kind = StatementKind::kInsert;
  POWERCUT_TRY(statement.table, grammar.known_table());
  do {
    POWERCUT_TRY(WrittenRow row, grammar.row(statement.table));
    statement.key = std::move(row.key);
    statement.values = std::move(row.values);
    line.statements.push_back(statement);
  } while (tokens.is("("));
  return success();
}

Result<void> Parser::invariant(Tokens& tokens) {
  SumInvariant made;
  POWERCUT_TRYV(tokens.must_be("sum"));
  Grammar grammar(tokens, tables_);
  const std::size_t from = tokens.mark();
  POWERCUT_TRY(made.sum, grammar.summed_column());
  made.sum.text = "sum " + std::string(tokens.since(from));
  POWERCUT_TRYV(tokens.must_be("="));
  POWERCUT_TRY(made.total, tokens.number("a number", -kMostScenarioNumber, kMostScenarioNumber));
  scenario_.invariants.push_back(std::move(made));
  return tokens.must_end();
}

Result<void> Parser::session(Tokens& tokens, ScenarioLine& line) {
  line.kind = Kind::kSession;
  const TextPlace place = tokens.place();
  POWERCUT_TRY(line.session, tokens.name_of("the name of a session"));
  sessions_.insert(line.session);
  if (sessions_.size() > kMostScenarioNames) {
    return tokens.at(place, "expected at most " + std::to_string(kMostScenarioNames) + " sessions, found '" + line.session + "'");
  }
  Grammar grammar(tokens, tables_);
  do {
    POWERCUT_TRY(line.statements.emplace_back(), grammar.statement());
    if (!tokens.at_end() && !tokens.is(";")) return tokens.expected("';' or the end of the line");
  } while (tokens.skip_if(";") && !tokens.at_end());
  return success();
}

Result<void> Parser::crash(Tokens& tokens, ScenarioLine& line) {
  line.kind = Kind::kCrash;
  if (tokens.at_end()) return success();
  const bool after = tokens.skip_all_if("after sync");
  if (!after && !tokens.skip_all_if("before sync")) return tokens.expected("'after sync', 'before sync' or the end of the line");
  line.kind = after ? Kind::kCrashAfterSync : Kind::kCrashBeforeSync;
  POWERCUT_TRY(const std::int64_t number, tokens.number("a number of syncs", 1, kMostSyncs));
  line.number = static_cast<std::uint32_t>(number);
  return success();
}

Result<void> Parser::survival(Tokens& tokens, ScenarioLine& line) {
  line.kind = Kind::kKeepAll;
  if (tokens.skip_if("keep")) return tokens.must_be("all");
  tokens.skip();
  POWERCUT_TRY(line.name, tokens.raw("'all' or the name of a file"));
  line.kind = line.name == "all" ? Kind::kLoseAll : Kind::kLose;
  return success();
}

Result<void> Parser::expect(Tokens& tokens, ScenarioLine& line) {
  const auto after_session = [&]() -> Result<void> {
    if (scenario_.lines.empty() || scenario_.lines.back().session.empty()) {
      return tokens.at(line.place, "expected a session line above, found none");
    }
    line.session = scenario_.lines.back().session;
    return success();
  };
  if (tokens.is("waits")) {
    line.kind = Kind::kExpectWaits;
    tokens.skip();
    return after_session();
  }
  if (tokens.skip_if("error")) {
    POWERCUT_TRYV(expect_error(tokens, line));
    return line.session.empty() ? after_session() : success();
  }
  if (tokens.skip_all_if("no table")) {
    line.kind = Kind::kExpectNoTable;
    POWERCUT_TRY(line.name, Grammar(tokens, tables_).known_table());
    return success();
  }
  return expect_rows(tokens, line);
}

Result<void> Parser::expect_error(Tokens& tokens, ScenarioLine& line) {
  line.kind = Kind::kExpectError;
  for (const ErrorCode code : kErrors) {
    if (!tokens.skip_all_if(code == ErrorCode::kIo ? "I / O error" : to_string(code))) continue;
    line.error = code;
    if (!tokens.skip_if("of")) return success();
    if (!sessions_.contains(tokens.next().source)) return tokens.expected("a session");
    POWERCUT_TRY(line.session, tokens.name_of("a session"));
    return success();
  }
  std::string all = "an error:";
  for (const ErrorCode code : kErrors) all.append(all.back() == ':' ? " " : ", ").append(to_string(code));
  return tokens.expected(all);
}

Result<void> Parser::expect_rows(Tokens& tokens, ScenarioLine& line) {
  line.kind = Kind::kExpectRows;
  Grammar grammar(tokens, tables_);
  const auto table = grammar.known_table();
  if (table.has_error()) return tokens.expected("a table, 'no table', 'error' or 'waits'");
  line.name = table.value();
  if (tokens.skip_if("empty")) return success();
  if (!tokens.is("(")) return tokens.expected("'(' or 'empty'");
  while (tokens.is("(")) {
    POWERCUT_TRY(WrittenRow row, grammar.row(line.name));
    line.rows.push_back(std::move(row));
  }
  std::sort(line.rows.begin(), line.rows.end(), [](const WrittenRow& a, const WrittenRow& b) { return a.key < b.key; });
  return success();
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, std::string_view name) {
  Scenario scenario;
  scenario.name = name;
  if (text.size() > kMostScenarioBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 scenario.name + ":1:1: expected at most " + std::to_string(kMostScenarioBytes) + " bytes, found more");
  }
  Parser parser(scenario);
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    POWERCUT_TRYV(parser.line(text.substr(0, length)));
    text.remove_prefix(std::min(text.size(), length + 1));
  }
  return scenario;
}

}  // namespace powercut::properties
