#include "engine/sqlite/table.h"

#include <utility>

namespace powercut::engine::sqlite {
namespace {

constexpr std::string_view kInteger = "INTEGER";
constexpr std::string_view kText = "TEXT";
constexpr std::string_view kKeys = "BLOB";
// The first column is the key, and so is the first value that is bound.
constexpr int kFirstColumn = 1;
constexpr int kFirstPlace = 2;

}  // namespace

std::string create_table_sql(const TableSchema& schema) {
  std::string sql = "CREATE TABLE " + quoted(schema.name) + " (k BLOB PRIMARY KEY NOT NULL";
  for (const Column& column : schema.columns) {
    const std::string name = quoted(column.name);
    sql.append(", ").append(name).append(" ");
    sql += !column.references.empty() ? kKeys : column.type == ColumnType::kInteger ? kInteger : kText;
    if (column.not_null) sql += " NOT NULL";
    if (column.unique) sql += " UNIQUE";
    if (column.at_least) sql += " CHECK (" + name + " >= " + std::to_string(*column.at_least) + ")";
    if (!column.references.empty()) sql += " REFERENCES " + quoted(column.references) + " (k)";
  }
  return sql + ") WITHOUT ROWID";
}

Result<Statement*> Table::prepared(Statement& statement, std::string_view before_name, std::string_view after_name) {
  if (!statement) {
    POWERCUT_TRY(statement, connection_->prepare(std::string(before_name).append(name_).append(after_name)));
  }
  return &statement;
}

Result<void> Table::learn_columns() {
  if (columns_known_) return success();
  POWERCUT_TRY(const Statement* const columns, prepared_get());
  schema_.columns.clear();
  holds_keys_.clear();
  for (int column = kFirstColumn; column < columns->columns(); ++column) {
    const std::string_view type = columns->declared_type(column);
    schema_.columns.push_back({std::string(columns->column_name(column)),
                               type == kInteger ? ColumnType::kInteger : ColumnType::kText,
                               false,
                               false,
                               {},
                               {}});
    holds_keys_.push_back(type == kKeys);
  }
  columns_known_ = true;
  return success();
}

Result<void> Table::bind(Statement& statement, std::string_view key, std::string_view row) {
  POWERCUT_TRYV(check_row(schema_, row));
  statement.bind_blob(1, key);
  for (std::size_t column = 0; column < schema_.columns.size(); ++column) {
    const int place = kFirstPlace + static_cast<int>(column);
    if (const auto integer = integer_column(row, column)) {
      statement.bind_integer(place, *integer);
    } else if (const auto text = text_column(row, column)) {
      holds_keys_[column] ? statement.bind_blob(place, *text) : statement.bind_text(place, *text);
    } else {
      statement.bind_null(place);
    }
  }
  return success();
}

void Table::read_row(const Statement& at, std::string& row) {
  values_.clear();
  const int columns = at.columns();
  for (int column = kFirstColumn; column < columns; ++column) {
    const int type = at.type(column);
    if (type == SQLITE_INTEGER) {
      values_.emplace_back(at.integer(column));
    } else if (type == SQLITE_NULL) {
      values_.emplace_back();
    } else {
      values_.emplace_back(at.bytes(column));
    }
  }
  encode_row(values_, row);
}

Error Table::missing(std::string_view key) const {
  return {ErrorCode::kNotFound, schema_.name + "[" + bytes_text(key) + "] is not there"};
}

Result<bool> Table::get(std::string_view key, std::string& row) {
  POWERCUT_TRY(Statement* const query, prepared_get());
  query->bind_blob(1, key);
  bool found = false;
  POWERCUT_TRYV(query->run([&](const Statement& at) {
    read_row(at, row);
    return found = true;
  }));
  return found;
}

Result<void> Table::insert(std::string_view key, std::string_view row) {
  POWERCUT_TRYV(learn_columns());
  if (!insert_) {
    std::string values = " VALUES (?1";
    for (std::size_t column = 0; column < schema_.columns.size(); ++column) values += ", ?" + std::to_string(column + kFirstPlace);
    POWERCUT_TRYV(prepared(insert_, "INSERT INTO ", values + ")"));
  }
  POWERCUT_TRYV(bind(insert_, key, row));
  auto inserted = insert_.run();
  if (inserted.has_value() || inserted.error().code() != ErrorCode::kConstraint) return inserted;
  // SQLite looks at NOT NULL and CHECK before it looks for the key.
  std::string there;
  POWERCUT_TRY(const bool exists, get(key, there));
  if (exists) return Error(ErrorCode::kAlreadyExists, inserted.error().context());
  return inserted;
}

Result<void> Table::update(std::string_view key, std::string_view row) {
  POWERCUT_TRYV(learn_columns());
  if (schema_.columns.empty()) {
    POWERCUT_TRYV(check_row(schema_, row));
    std::string there;
    POWERCUT_TRY(const bool exists, get(key, there));
    if (!exists) return missing(key);
    return success();
  }
  if (!update_) {
    std::string assignments = " SET ";
    for (std::size_t column = 0; column < schema_.columns.size(); ++column) {
      assignments.append(column == 0 ? "" : ", ").append(quoted(schema_.columns[column].name)).append(" = ?");
      assignments += std::to_string(column + kFirstPlace);
    }
    POWERCUT_TRYV(prepared(update_, "UPDATE ", assignments + " WHERE k = ?1"));
  }
  POWERCUT_TRYV(bind(update_, key, row));
  POWERCUT_TRYV(update_.run());
  if (connection_->changes() == 0) return missing(key);
  return success();
}

Result<void> Table::put(std::string_view key, std::string_view row) {
  POWERCUT_TRYV(learn_columns());
  if (!put_) {
    std::string values = " VALUES (?1";
    std::string assignments;
    for (std::size_t column = 0; column < schema_.columns.size(); ++column) {
      const std::string name = quoted(schema_.columns[column].name);
      values += ", ?" + std::to_string(column + kFirstPlace);
      assignments.append(column == 0 ? "DO UPDATE SET " : ", ").append(name).append(" = excluded.").append(name);
    }
    if (assignments.empty()) assignments = "DO NOTHING";
    POWERCUT_TRYV(prepared(put_, "INSERT INTO ", values + ") ON CONFLICT (k) " + assignments));
  }
  POWERCUT_TRYV(bind(put_, key, row));
  return put_.run();
}

Result<void> Table::erase(std::string_view key) {
  POWERCUT_TRY(Statement* const query, prepared(erase_, "DELETE FROM ", " WHERE k = ?1"));
  query->bind_blob(1, key);
  POWERCUT_TRYV(query->run());
  if (connection_->changes() == 0) return missing(key);
  return success();
}

Result<void> Table::scan(std::string_view from, std::string_view to, const RowVisitor& visit) {
  const std::string_view where = to.empty() ? " WHERE k >= ?1 ORDER BY k" : " WHERE k >= ?1 AND k < ?2 ORDER BY k";
  Statement& kept = to.empty() ? scan_all_ : scan_range_;
  Statement another;  // for a scan within a scan
  POWERCUT_TRY(Statement* const query, prepared(kept && kept.is_busy() ? another : kept, "SELECT * FROM ", where));
  query->bind_blob(1, from);
  if (!to.empty()) query->bind_blob(2, to);
  std::string row;
  return query->run([&](const Statement& at) {
    read_row(at, row);
    return visit(at.bytes(0), row);
  });
}

}  // namespace powercut::engine::sqlite
