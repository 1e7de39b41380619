// The statements of a scenario: how each is written, and which tables and columns there may be for it.
#pragma once

#include "properties/scenario.h"
#include "properties/scenario_known_tables.h"
#include "properties/scenario_tokens.h"

#include <string>
#include <string_view>

namespace powercut::properties {

class Grammar {
 public:
  Grammar(Tokens& tokens, KnownTables& tables) : tokens_(tokens), tables_(tables) {}

  // One statement, up to its end.
  Result<Statement> statement();
  // NAME (COLUMN key, …).
  Result<TableDefinition> definition();
  Result<std::string> known_table();
  // (KEY, VALUE, …) of that table.
  Result<WrittenRow> row(const std::string& table);
  // TABLE.COLUMN
  Result<Statement> summed_column();

 private:
  using Known = KnownTables::Known;

  Result<void> begin(Statement& statement);
  Result<void> ending(Statement& statement);
  Result<void> read(Statement& statement);
  Result<void> scan(Statement& statement);
  Result<void> write(Statement& statement);
  Result<void> update(Statement& statement);
  Result<void> alter(Statement& statement);
  Result<void> alteration(const Known& known, TableAlteration& alteration);
  Result<void> setting(Statement& statement);
  Result<void> where(Statement& statement);
  Result<Assignment> assignment(const Known& known);
  Result<engine::Column> column();
  Result<engine::Isolation> level();
  Result<std::string> key();
  Result<std::string> known_column(const Known& known);
  Result<Literal> literal(KnownTables::Types types);

  Tokens& tokens_;
  KnownTables& tables_;
};

}  // namespace powercut::properties
