// Which tables and columns the statements of a scenario may name.
#pragma once

#include "properties/scenario.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// What each table may look like, at one time or another: whether a transaction that changes one will be rolled back, or lost
// when the power fails, is known when it runs.
class KnownTables {
 public:
  struct Types {
    bool integer = false;
    bool text = false;
  };
  struct Known {
    std::map<std::string, Types, std::less<>> columns;
    std::vector<Types> in_order;
    std::size_t fewest = kMostScenarioNames;
    std::vector<std::string> keys;  // the names of the key column

    bool has_key(std::string_view name) const;
    bool has(std::string_view name) const { return has_key(name) || columns.contains(name); }
    void add(const Known& other);
  };

  const Known* find(std::string_view table) const;
  bool full() const { return tables_.size() >= kMostScenarioNames; }
  void learn(const TableDefinition& definition);
  void learn(const std::string& table, const TableAlteration& alteration);

 private:
  std::map<std::string, Known, std::less<>> tables_;
};

}  // namespace powercut::properties
