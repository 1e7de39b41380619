// The catalogue: a tree of ordinary rows, one for each table, so that making and dropping tables is transactional like
// everything else. A row holds the schema and the numbers of the table's trees.
#pragma once

#include "engine/engine.h"
#include "engine/ledger/ids.h"

#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

struct Table {
  engine::TableSchema schema;
  PageId root{};
  std::vector<PageId> indexes;  // one for each unique column, in the order of columns
  // The columns that the table was made with. Rows may lack those behind, which were appended: they are null there.
  std::size_t original_columns = 0;

  bool rows_may_be_short() const { return original_columns < schema.columns.size(); }
  // Whether a row can be written without a look at other trees: no column is unique or refers to a table.
  bool rows_stand_alone() const;
  // Every tree of the table.
  std::vector<PageId> trees() const;
};

void encode_table(const Table& table, std::string& out);
// kCorrupt when the row is not one of the catalogue.
Result<Table> decode_table(std::string_view name, std::string_view row);

}  // namespace powercut::ledger
