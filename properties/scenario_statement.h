// Runs the statements of a scenario on a session, and gives the answers as people read them.
//
// An engine does not tell what its tables look like; TableBook knows from the statements that were run. A transaction's
// changes of tables are its own until it commits.
#pragma once

#include "engine/engine.h"
#include "properties/scenario.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// Tables as they become; nothing for one that is dropped.
using TableChanges = std::map<std::string, std::optional<TableDefinition>, std::less<>>;

// What one database's tables look like.
struct TableBook {
  Tables committed;
  Tables newest;          // whoever made them, also by a transaction that is not over
  TableChanges in_doubt;  // of the last commit that has not returned

  void commit(const TableChanges& changes);
  // After the power failed: whether what was in doubt is there is seen by the names of the tables. Where these do not tell, it is.
  void recovered(const std::vector<std::string>& names);
};

// What a statement was answered.
struct Answer {
  std::vector<std::string> lines;  // rows, or how many were changed; none of a statement that only succeeds
  std::optional<Error> error;
};

class StatementRunner {
 public:
  // For one session. The book must outlive it.
  explicit StatementRunner(TableBook& book) : book_(book) {}

  Answer run(engine::Session& session, const Statement& statement);

  bool in_transaction() const { return in_transaction_; }

 private:
  struct Savepoint {
    std::string name;
    TableChanges changes;
  };

  Result<void> execute(engine::Session& session, const Statement& statement, Answer& answer);
  Result<void> end(engine::Session& session, const Statement& statement, Answer& answer);
  Result<void> savepoint(engine::Session& session, const Statement& statement);
  Result<void> read(engine::Session& session, const Statement& statement, Answer& answer);
  Result<void> write(engine::Session& session, const Statement& statement);
  Result<void> edit(engine::Session& session, const Statement& statement, Answer& answer);
  Result<void> change_table(engine::Session& session, const Statement& statement);

  Result<TableDefinition> definition(engine::Session& session, const std::string& table) const;

  TableBook& book_;
  bool in_transaction_ = false;
  bool failed_ = false;  // a statement of the open transaction
  TableChanges own_;     // of the open transaction
  std::vector<Savepoint> savepoints_;
};

}  // namespace powercut::properties
