#include "engine/ledger/catalogue.h"

#include "faultfs/bytes.h"

#include <algorithm>

namespace powercut::ledger {
namespace {
constexpr std::uint8_t kNotNull = 1;
constexpr std::uint8_t kUnique = 2;
constexpr std::uint8_t kAtLeast = 4;
constexpr std::uint8_t kReferences = 8;
constexpr std::uint8_t kAppended = 16;

void put_name(std::string_view name, ByteWriter& writer) {
  writer.put(static_cast<std::uint16_t>(name.size()));
  writer.put_text(name);
}

std::string_view take_name(ByteReader& reader) {
  const auto length = reader.get<std::uint16_t>();
  return reader.take_text(length);
}

}  // namespace

bool Table::rows_stand_alone() const {
  return indexes.empty() && std::all_of(schema.columns.begin(), schema.columns.end(),
                                        [](const engine::Column& column) { return column.references.empty(); });
}

std::vector<PageId> Table::trees() const {
  std::vector<PageId> all{root};
  all.insert(all.end(), indexes.begin(), indexes.end());
  return all;
}

// root u32, columns u16; each: type u8, flags u8, [index root u32], [at least i64], name u16 and bytes,
// [name of the referred table u16 and bytes]
void encode_table(const Table& table, std::string& out) {
  out.clear();
  ByteWriter writer(out);
  writer.put(raw(table.root));
  writer.put(static_cast<std::uint16_t>(table.schema.columns.size()));
  std::size_t index = 0;
  std::size_t at = 0;
  for (const engine::Column& column : table.schema.columns) {
    writer.put(static_cast<std::uint8_t>(column.type));
    int flags = at++ < table.original_columns ? 0 : kAppended;
    if (column.not_null) flags |= kNotNull;
    if (column.unique) flags |= kUnique;
    if (column.at_least) flags |= kAtLeast;
    if (!column.references.empty()) flags |= kReferences;
    writer.put(static_cast<std::uint8_t>(flags));
    if (column.unique) writer.put(raw(table.indexes[index++]));
    if (column.at_least) writer.put(*column.at_least);
    put_name(column.name, writer);
    if (!column.references.empty()) put_name(column.references, writer);
  }
}

Result<Table> decode_table(std::string_view name, std::string_view row) {
  Table table;
  table.schema.name = name;
  ByteReader reader(as_bytes(row));
  table.root = static_cast<PageId>(reader.get<std::uint32_t>());
  const auto columns = reader.get<std::uint16_t>();
  for (std::size_t at = 0; at < columns && reader.ok(); ++at) {
    engine::Column column;
    column.type = static_cast<engine::ColumnType>(reader.get<std::uint8_t>());
    const auto flags = reader.get<std::uint8_t>();
    column.not_null = (flags & kNotNull) != 0;
    column.unique = (flags & kUnique) != 0;
    if (column.unique) table.indexes.push_back(static_cast<PageId>(reader.get<std::uint32_t>()));
    if ((flags & kAtLeast) != 0) column.at_least = reader.get<std::int64_t>();
    column.name = take_name(reader);
    if ((flags & kReferences) != 0) column.references = take_name(reader);
    table.schema.columns.push_back(std::move(column));
    // None follows an appended one that is not.
    if ((flags & kAppended) == 0) table.original_columns = at + 1;
  }
  const auto trees = table.trees();
  const bool has_trees = std::all_of(trees.begin(), trees.end(), [](PageId tree) { return tree > kCatalogueRoot; });
  if (!reader.ok() || reader.remaining() != 0 || !has_trees) {
    return Error(ErrorCode::kCorrupt, "catalogue: the row of table '" + std::string(name) + "' is not a table");
  }
  return table;
}

}  // namespace powercut::ledger
