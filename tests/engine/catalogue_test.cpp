// Rows of the catalogue: what is written is read again, and what no table can be is told.
#include "engine/ledger/catalogue.h"
#include "tests/support/property.h"

#include <string>

namespace powercut::testing {

using namespace ledger;

TEST_CASE("a table with a tree where the meta page or the catalogue is, is not a table") {
  for (std::uint32_t root = 0; root < 4; ++root) {
    for (std::uint32_t index = 0; index < 4; ++index) {
      CAPTURE(root, index);
      Table table{{"t", {{"name", engine::ColumnType::kText, false, true, {}}}}, PageId{root}, {PageId{index}}, 1};
      std::string row;
      encode_table(table, row);
      const auto decoded = decode_table("t", row);
      REQUIRE(decoded.has_value() == (root > 1 && index > 1));
      if (decoded.has_error()) {
        CHECK(decoded.error().code() == ErrorCode::kCorrupt);
      } else {
        CHECK(decoded.value().trees() == table.trees());
      }
    }
  }
}

}  // namespace powercut::testing
