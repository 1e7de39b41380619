// Tables, rows and transactions over a KeyValueStore. See key_value.h.
//
//   't' table name               ->  number of the table (u32 big-endian), schema
//   'r' number of the table, key ->  row
//
// A number is never used again while rows of its table are left: a table is dropped with its rows, in one batch.
#pragma once

#include "engine/engine.h"
#include "engine/key_value/key_value.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::engine {

class KeyValueSession final : public Session {
 public:
  // The store must outlive it.
  explicit KeyValueSession(KeyValueStore& store) : store_(store) {}

  using Session::begin;
  using Session::get;
  Result<void> begin() override;
  Result<void> commit() override;
  Result<void> rollback() override;
  Result<void> savepoint(std::string_view name) override;
  Result<void> rollback_to(std::string_view name) override;
  Result<void> release(std::string_view name) override;

  Result<bool> get(std::string_view table, std::string_view key, std::string& row) override;
  Result<void> insert(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> update(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> put(std::string_view table, std::string_view key, std::string_view row) override;
  Result<void> erase(std::string_view table, std::string_view key) override;
  Result<void> scan(std::string_view table, std::string_view from, std::string_view to, const RowVisitor& visit) override;
  Result<void> create_table(const TableSchema& schema) override;
  Result<void> drop_table(std::string_view table) override;

  // The names of the tables, sorted; those of the open transaction among them.
  Result<std::vector<std::string>> tables();

 private:
  // What the open transaction has written; nothing: removed.
  using Writes = std::map<std::string, std::optional<std::string>, std::less<>>;

  struct Table {
    std::uint32_t number = 0;
    TableSchema schema;
  };
  struct Savepoint {
    std::string name;
    Writes writes;  // as they were
  };
  // Whether a row must be there, must not, or may.
  enum class Row : unsigned char { kMustBe, kMustNotBe, kMayBe };

  Result<Table> table(std::string_view name);
  Result<void> write(std::string_view table_name, std::string_view key, std::string_view row, Row there);
  Result<void> check_unique(const Table& in, std::string_view key, std::string_view row);
  // Outside a transaction the statement is one of its own.
  Result<void> done();
  Result<bool> read(std::string_view key, std::string& value);
  // The store's keys with the transaction's writes over them.
  Result<void> read_range(std::string_view from, std::string_view to, const RowVisitor& visit);
  Result<std::vector<Savepoint>::iterator> find(std::string_view savepoint_name);

  KeyValueStore& store_;
  bool open_ = false;
  bool commit_failed_ = false;
  Writes writes_;
  std::vector<Savepoint> savepoints_;
  std::string value_;  // scratch
};

}  // namespace powercut::engine
