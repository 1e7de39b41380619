#include "engine/key_value/key_value_session.h"

#include "engine/row.h"
#include "faultfs/bytes.h"

#include <algorithm>
#include <utility>

namespace powercut::engine {
namespace {

constexpr char kTablePrefix = 't';
constexpr char kRowPrefix = 'r';
constexpr std::uint32_t kFirstTable = 1;

std::string table_key(std::string_view name) { return kTablePrefix + std::string(name); }

// The key of a row; with an empty key the place before all rows of the table.
std::string row_key(std::uint32_t table, std::string_view key) {
  std::string all(1, kRowPrefix);
  for (int shift = 24; shift >= 0; shift -= 8) all += static_cast<char>(table >> static_cast<unsigned>(shift));
  return all.append(key);
}
constexpr std::size_t kRowKeyHeader = 5;

Error no_table(std::string_view name) { return {ErrorCode::kNotFound, "no table is called '" + std::string(name) + "'"}; }
Error damaged(std::string_view name) {
  return {ErrorCode::kCorrupt, "the schema of table '" + std::string(name) + "' cannot be read"};
}

// Schemas as rows of row.h: the number, then six values a column.
constexpr std::size_t kValuesPerColumn = 6;

std::string encode_schema(std::uint32_t number, const TableSchema& schema) {
  std::vector<Value> values{std::int64_t{number}};
  for (const Column& column : schema.columns) {
    values.emplace_back(std::string_view(column.name));
    values.emplace_back(static_cast<std::int64_t>(column.type));
    values.emplace_back(std::int64_t{column.not_null});
    values.emplace_back(std::int64_t{column.unique});
    values.push_back(column.at_least ? Value(*column.at_least) : Value());
    values.emplace_back(std::string_view(column.references));
  }
  std::string encoded;
  encode_row(values, encoded);
  return encoded;
}

std::optional<std::pair<std::uint32_t, TableSchema>> decode_schema(std::string_view name, std::string_view encoded) {
  const auto number = integer_column(encoded, 0);
  if (!number) return std::nullopt;
  TableSchema schema{std::string(name), {}};
  for (std::size_t at = 1; !encoded_column(encoded, at).empty(); at += kValuesPerColumn) {
    const auto column_name = text_column(encoded, at);
    const auto type = integer_column(encoded, at + 1);
    const auto not_null = integer_column(encoded, at + 2);
    const auto unique = integer_column(encoded, at + 3);
    const auto references = text_column(encoded, at + 5);
    if (!column_name || !type || !not_null || !unique || !references) return std::nullopt;
    schema.columns.push_back({std::string(*column_name), static_cast<ColumnType>(*type), *not_null != 0, *unique != 0,
                              integer_column(encoded, at + 4), std::string(*references)});
  }
  return std::pair(static_cast<std::uint32_t>(*number), std::move(schema));
}

}  // namespace

Result<void> KeyValueSession::begin() {
  if (open_) return Error(ErrorCode::kInvalidArgument, "a transaction is open already");
  open_ = true;
  return success();
}

Result<void> KeyValueSession::commit() {
  if (!open_) return Error(ErrorCode::kInvalidArgument, "no transaction is open");
  savepoints_.clear();
  if (!writes_.empty()) {
    std::vector<KeyWrite> batch;
    batch.reserve(writes_.size());
    for (const auto& [key, value] : writes_) {
      batch.push_back({key, value ? std::optional<std::string_view>(*value) : std::nullopt});
    }
    const auto written = store_.write(batch);
    // In doubt: what was to be written may be there.
    commit_failed_ = written.has_error();
    if (commit_failed_) return written;
    writes_.clear();
  }
  open_ = false;
  return success();
}

Result<void> KeyValueSession::rollback() {
  if (!open_) return Error(ErrorCode::kInvalidArgument, "no transaction is open");
  open_ = false;
  writes_.clear();
  savepoints_.clear();
  if (std::exchange(commit_failed_, false)) return Error(ErrorCode::kStopped, "the commit failed, and may be there or not");
  return success();
}

Result<void> KeyValueSession::savepoint(std::string_view name) {
  if (!open_) return Error(ErrorCode::kInvalidArgument, "no transaction is open");
  savepoints_.push_back({std::string(name), writes_});
  return success();
}

Result<std::vector<KeyValueSession::Savepoint>::iterator> KeyValueSession::find(std::string_view savepoint_name) {
  for (auto at = savepoints_.end(); at != savepoints_.begin();) {
    if ((--at)->name == savepoint_name) return at;
  }
  return Error(ErrorCode::kNotFound, "no savepoint is called '" + std::string(savepoint_name) + "'");
}

Result<void> KeyValueSession::rollback_to(std::string_view name) {
  POWERCUT_TRY(const auto at, find(name));
  writes_ = at->writes;
  savepoints_.erase(at + 1, savepoints_.end());
  return success();
}

Result<void> KeyValueSession::release(std::string_view name) {
  POWERCUT_TRY(const auto at, find(name));
  savepoints_.erase(at, savepoints_.end());
  return success();
}

Result<void> KeyValueSession::done() {
  if (open_) return success();
  open_ = true;
  auto committed = commit();
  if (committed.has_error()) static_cast<void>(rollback().has_error());
  return committed;
}

Result<bool> KeyValueSession::read(std::string_view key, std::string& value) {
  const auto own = writes_.find(key);
  if (own == writes_.end()) return store_.get(key, value);
  if (own->second) value = *own->second;
  return own->second.has_value();
}

Result<void> KeyValueSession::read_range(std::string_view from, std::string_view to, const RowVisitor& visit) {
  auto own = writes_.lower_bound(from);
  const auto own_end = to.empty() ? writes_.end() : writes_.lower_bound(to);
  bool goes_on = true;
  const auto own_before = [&](std::string_view key) {
    for (; goes_on && own != own_end && own->first < key; ++own) {
      if (own->second) goes_on = visit(own->first, *own->second);
    }
  };
  POWERCUT_TRYV(store_.scan(from, to, [&](std::string_view key, std::string_view value) {
    own_before(key);
    if (!goes_on) return false;
    if (own == own_end || own->first != key) return goes_on = visit(key, value);
    if (own->second) goes_on = visit(key, *own->second);
    ++own;
    return goes_on;
  }));
  for (; goes_on && own != own_end; ++own) {
    if (own->second) goes_on = visit(own->first, *own->second);
  }
  return success();
}

Result<KeyValueSession::Table> KeyValueSession::table(std::string_view name) {
  POWERCUT_TRY(const bool there, read(table_key(name), value_));
  if (!there) return no_table(name);
  auto decoded = decode_schema(name, value_);
  if (!decoded) return damaged(name);
  return Table{decoded->first, std::move(decoded->second)};
}

Result<std::vector<std::string>> KeyValueSession::tables() {
  std::vector<std::string> names;
  POWERCUT_TRYV(
      read_range(std::string(1, kTablePrefix), std::string(1, kTablePrefix + 1), [&](std::string_view key, std::string_view) {
        names.emplace_back(key.substr(1));
        return true;
      }));
  return names;
}

Result<bool> KeyValueSession::get(std::string_view table_name, std::string_view key, std::string& row) {
  POWERCUT_TRY(const Table of, table(table_name));
  return read(row_key(of.number, key), row);
}

Result<void> KeyValueSession::insert(std::string_view table_name, std::string_view key, std::string_view row) {
  return write(table_name, key, row, Row::kMustNotBe);
}

Result<void> KeyValueSession::update(std::string_view table_name, std::string_view key, std::string_view row) {
  return write(table_name, key, row, Row::kMustBe);
}

Result<void> KeyValueSession::put(std::string_view table_name, std::string_view key, std::string_view row) {
  return write(table_name, key, row, Row::kMayBe);
}

Result<void> KeyValueSession::write(std::string_view table_name, std::string_view key, std::string_view row, Row there) {
  POWERCUT_TRY(const Table into, table(table_name));
  POWERCUT_TRYV(check_row(into.schema, row));
  std::string place = row_key(into.number, key);
  if (there != Row::kMayBe) {
    POWERCUT_TRY(const bool is_there, read(place, value_));
    if (is_there && there == Row::kMustNotBe) {
      return Error(ErrorCode::kAlreadyExists, into.schema.name + "[" + bytes_text(key) + "] is there already");
    }
    if (!is_there && there == Row::kMustBe) {
      return Error(ErrorCode::kNotFound, into.schema.name + "[" + bytes_text(key) + "] is not there");
    }
  }
  POWERCUT_TRYV(check_constraints(into.schema, row));
  POWERCUT_TRYV(check_unique(into, key, row));
  writes_[std::move(place)] = std::string(row);
  return done();
}

Result<void> KeyValueSession::check_unique(const Table& in, std::string_view key, std::string_view row) {
  for (std::size_t column = 0; column < in.schema.columns.size(); ++column) {
    const std::string_view value = encoded_column(row, column);
    if (!in.schema.columns[column].unique || is_null(value)) continue;
    bool taken = false;
    POWERCUT_TRYV(
        read_range(row_key(in.number, {}), row_key(in.number + 1, {}), [&](std::string_view other, std::string_view other_row) {
          taken = encoded_column(other_row, column) == value && other.substr(kRowKeyHeader) != key;
          return !taken;
        }));
    if (taken) return Error(ErrorCode::kConstraint, in.schema.name + "." + in.schema.columns[column].name + ": UNIQUE");
  }
  return success();
}

Result<void> KeyValueSession::erase(std::string_view table_name, std::string_view key) {
  POWERCUT_TRY(const Table of, table(table_name));
  std::string place = row_key(of.number, key);
  POWERCUT_TRY(const bool there, read(place, value_));
  if (!there) return Error(ErrorCode::kNotFound, of.schema.name + "[" + bytes_text(key) + "] is not there");
  writes_[std::move(place)] = std::nullopt;
  return done();
}

Result<void> KeyValueSession::scan(std::string_view table_name, std::string_view from, std::string_view to,
                                   const RowVisitor& visit) {
  POWERCUT_TRY(const Table of, table(table_name));
  if (!to.empty() && to <= from) return success();
  const std::string end = to.empty() ? row_key(of.number + 1, {}) : row_key(of.number, to);
  return read_range(row_key(of.number, from), end,
                    [&](std::string_view key, std::string_view row) { return visit(key.substr(kRowKeyHeader), row); });
}

Result<void> KeyValueSession::create_table(const TableSchema& schema) {
  for (const Column& column : schema.columns) {
    if (!column.references.empty()) return Error(ErrorCode::kUnsupported, "a key-value store has no FOREIGN KEY");
  }
  std::uint32_t number = kFirstTable;
  bool exists = false;
  bool readable = true;
  POWERCUT_TRYV(
      read_range(std::string(1, kTablePrefix), std::string(1, kTablePrefix + 1), [&](std::string_view key, std::string_view value) {
        const auto decoded = decode_schema(key.substr(1), value);
        readable = decoded.has_value();
        if (!readable) return false;
        exists = exists || decoded->second.name == schema.name;
        number = std::max(number, decoded->first + 1);
        return true;
      }));
  if (!readable) return damaged(schema.name);
  if (exists) return Error(ErrorCode::kAlreadyExists, "a table is called '" + schema.name + "' already");
  writes_[table_key(schema.name)] = encode_schema(number, schema);
  return done();
}

Result<void> KeyValueSession::drop_table(std::string_view table_name) {
  POWERCUT_TRY(const Table of, table(table_name));
  std::vector<std::string> keys;
  POWERCUT_TRYV(read_range(row_key(of.number, {}), row_key(of.number + 1, {}), [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return true;
  }));
  for (std::string& key : keys) writes_[std::move(key)] = std::nullopt;
  writes_[table_key(table_name)] = std::nullopt;
  return done();
}

}  // namespace powercut::engine
