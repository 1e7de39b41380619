// A database of an engine on a simulated disk, whose process may end, with one table of integers.
#pragma once

#include "engine/engine.h"
#include "engine/row.h"
#include "faultfs/sim_disk.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/trace.h"
#include "faultfs/tracing_file_system.h"

#include <catch2/catch.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace powercut::testing {

// A database of an engine on a simulated disk.
class EngineUnderTest {
 public:
  explicit EngineUnderTest(engine::Engine& engine) : engine_(engine) { open(); }

  engine::Session& session() { return *session_; }
  engine::Database& database() { return *database_; }
  std::uint64_t trace_hash() const { return hash_.value(); }

  void close() {
    session_.reset();
    REQUIRE(database_->close().has_value());
    database_.reset();
  }
  // The process ends. True if that left the disk alone.
  bool crash() {
    const std::uint64_t before = hash_.value();
    session_.reset();
    database_.reset();
    return hash_.value() == before;
  }
  void open() { REQUIRE(try_open().has_value()); }
  Result<void> try_open() {
    POWERCUT_TRY(database_, engine_.open(files_, "db"));
    POWERCUT_TRY(session_, database_->new_session());
    return success();
  }
  faultfs::FileSystem& files() { return files_; }

  using Rows = std::map<std::string, std::int64_t>;
  Rows rows(std::string_view from = "", std::string_view to = "") {
    Rows all;
    REQUIRE(session_
                ->scan("t", from, to,
                       [&](std::string_view key, std::string_view row) {
                         all.emplace(key, engine::integer_column(row, 0).value());
                         return true;
                       })
                .has_value());
    return all;
  }

 private:
  engine::Engine& engine_;
  faultfs::SimDisk disk_;
  faultfs::SimFileSystem plain_{disk_};
  faultfs::TraceHash hash_;
  faultfs::TracingFileSystem files_{plain_, hash_};
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
};

inline std::string integer_row(std::int64_t value) {
  std::string row;
  engine::encode_row({engine::Value(value)}, row);
  return row;
}

inline engine::TableSchema integer_table() { return {"t", {{"value", engine::ColumnType::kInteger, true, true, 0, {}}}}; }

}  // namespace powercut::testing
