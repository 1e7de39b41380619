// What powercut asks of a storage engine under test. The properties know engines only through this file.
//
// The data model is tables of rows, keyed by bytes: a key is any byte string, ordered bytewise; a row is the columns of
// its table, encoded by row.h. An engine with no notion of columns stores the bytes as they are; one that has
// constraints reads them from the schema.
//
// Errors of a statement: kNotFound (no such table or key), kAlreadyExists (a key or table that must be new),
// kConstraint, kInvalidArgument, and where sessions wait for one another kTimeout. After such an error the statement has
// had no effect and the transaction goes on. After kDeadlock the whole transaction is undone, and rollback() ends it. Any
// other error of a commit leaves it in doubt, and an engine may refuse all further work with kStopped.
#pragma once

#include "faultfs/file_system.h"
#include "faultfs/persistence_model.h"
#include "faultfs/result.h"
#include "faultfs/scheduler.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::engine {

enum class ColumnType : unsigned char { kInteger, kText };

struct Column {
  std::string name;
  ColumnType type = ColumnType::kInteger;
  bool not_null = false;
  bool unique = false;                        // no two rows hold the same value; nulls never collide
  std::optional<std::int64_t> at_least = {};  // CHECK (name >= at_least), integers only; null passes
  std::string references = {};                // FOREIGN KEY: a table of which the value is a key; texts only; null passes

  friend bool operator==(const Column&, const Column&) = default;
};

struct TableSchema {
  std::string name;
  std::vector<Column> columns;

  friend bool operator==(const TableSchema&, const TableSchema&) = default;
};

// How much of other transactions a transaction may see (SQL-92, as Adya defines the levels).
enum class Isolation : unsigned char { kReadUncommitted, kReadCommitted, kRepeatableRead, kSerializable };

// What a read keeps others from until its transaction ends, whatever its level.
enum class RowLock : unsigned char {
  kNone,    // what its level asks for
  kShare,   // SELECT … FOR SHARE: nobody changes the row
  kUpdate,  // SELECT … FOR UPDATE: nor does anybody else read it for update
};

// What becomes of a row.
enum class RowEdit : unsigned char { kKeep, kChange, kErase };

// Called for each row of an UPDATE or DELETE … WHERE, in key order; for kChange it puts the new row into `changed`. It must
// not use the session, and may be asked again about a row that it had to wait for.
using RowEditor = std::function<RowEdit(std::string_view key, std::string_view row, std::string& changed)>;

// Called for each row in key order; false ends the scan. The views live until it returns, and it must not write.
using RowVisitor = std::function<bool(std::string_view key, std::string_view row)>;

// One user's connection. Outside begin()..commit() each statement is a transaction of its own. What an engine does not have
// answers kUnsupported.
class Session {
 public:
  virtual ~Session() = default;

  // At the session's level.
  virtual Result<void> begin() = 0;
  virtual Result<void> begin(Isolation /*level*/) { return unsupported("isolation levels"); }
  // The level of the transactions that begin from now on, those of single statements too. At first it is the engine's own.
  virtual Result<void> set_isolation(Isolation /*level*/) { return unsupported("isolation levels"); }
  // How long each wait of a statement for others may last, in nanoseconds of the scheduler's time; at first without end.
  virtual Result<void> set_lock_limit(std::uint64_t /*nanoseconds*/) { return unsupported("lock wait limits"); }
  // On success the transaction is durable as far as the engine's guarantee goes.
  virtual Result<void> commit() = 0;
  virtual Result<void> rollback() = 0;
  // Savepoints nest; a name may be used again and then hides the earlier one, as in SQL.
  virtual Result<void> savepoint(std::string_view name) = 0;
  // Undoes what came after the savepoint, which stays.
  virtual Result<void> rollback_to(std::string_view name) = 0;
  // Forgets the savepoint and those set after it, keeping their changes.
  virtual Result<void> release(std::string_view name) = 0;

  // Puts the row into `row` and returns true, or false if there is none.
  virtual Result<bool> get(std::string_view table, std::string_view key, std::string& row) = 0;
  virtual Result<bool> get(std::string_view /*table*/, std::string_view /*key*/, std::string& /*row*/, RowLock /*lock*/) {
    return unsupported("reading for share or update");
  }
  virtual Result<void> insert(std::string_view table, std::string_view key, std::string_view row) = 0;  // kAlreadyExists
  virtual Result<void> update(std::string_view table, std::string_view key, std::string_view row) = 0;  // kNotFound
  virtual Result<void> put(std::string_view table, std::string_view key, std::string_view row) = 0;     // either
  virtual Result<void> erase(std::string_view table, std::string_view key) = 0;                         // kNotFound
  // Rows with from <= key < to; an empty `to` means to the end.
  virtual Result<void> scan(std::string_view table, std::string_view from, std::string_view to, const RowVisitor& visit) = 0;

  // UPDATE and DELETE … WHERE on the rows with from <= key < to; how many rows were changed or erased.
  virtual Result<std::uint64_t> edit(std::string_view /*table*/, std::string_view /*from*/, std::string_view /*to*/,
                                     const RowEditor& /*editor*/) {
    return unsupported("editing ranges");
  }

  virtual Result<void> create_table(const TableSchema& schema) = 0;
  virtual Result<void> drop_table(std::string_view table) = 0;
  // Gives the table another name, and its columns other names and constraints; further columns may follow those there are,
  // null in every row. The rows must meet the constraints: kConstraint.
  virtual Result<void> alter_table(std::string_view /*table*/, const TableSchema& /*schema*/) {
    return unsupported("altering tables");
  }

 private:
  static Error unsupported(std::string_view what) { return {ErrorCode::kUnsupported, "this engine has no " + std::string(what)}; }
};

// An open database. Destroying it without close() is what a crash of the process would be.
class Database {
 public:
  virtual ~Database() = default;

  // Sessions must be destroyed before the database; an open transaction of a destroyed session is rolled back.
  virtual Result<std::unique_ptr<Session>> new_session() = 0;
  // The names of the tables, sorted.
  virtual Result<std::vector<std::string>> tables() = 0;
  virtual Result<void> checkpoint() = 0;
  // A clean shutdown.
  virtual Result<void> close() = 0;
};

// What an engine promises, in the mode it runs in, of what is there after the power failed.
struct Guarantee {
  bool recovers = true;    // the database opens, can be read, and takes new work
  bool durable = true;     // every transaction whose commit returned is there
  bool ordered = true;     // one that is lost takes every later one with it
  bool atomic = true;      // of any transaction all is there or nothing
  bool consistent = true;  // nothing is there that was never written
  // The documentation that says so, for reports.
  std::string_view source = {};
};

// Told what recovery does, a line at a time, by phase ("analysis", "redo", "undo", …). For replay only.
using Narrator = std::function<void(std::string_view phase, std::string_view line)>;

// What an opened database may use. Both may be null.
struct Surroundings {
  const Narrator* narrator = nullptr;
  // Runs the fibers that use the database's sessions, each session from one fiber at a time. Without it a wait that only
  // another session can end is kDeadlock at once.
  faultfs::Scheduler* scheduler = nullptr;
};

// An engine with its options fixed. It may keep memory from one open() to the next; databases must be destroyed before
// it. Several of its databases may be open at a time (on different file systems), each in one thread: the same one.
class Engine {
 public:
  virtual ~Engine() = default;

  // Where the disk is as the model says.
  virtual Guarantee guarantee(const faultfs::PersistenceModel& model) const = 0;
  // Opens the database in a directory, made if it does not exist, recovering it if need be. kCorrupt when stored bytes
  // are not what was written.
  virtual Result<std::unique_ptr<Database>> open(faultfs::FileSystem& files, std::string_view directory,
                                                 const Surroundings& surroundings = {}) = 0;
};

struct Option {
  std::string name;
  std::string value;

  friend bool operator==(const Option&, const Option&) = default;
};

// An option that an engine has, for help, checks and randomised runs.
struct Tunable {
  std::string_view name;
  std::string_view summary;
  std::string_view preset;                            // the value when not given
  std::vector<std::string_view> values_worth_trying;  // a run draws from these unless the user fixed it
  std::string_view when_explored = {};                // the value when every crash state is visited, unless the user fixed it
};

// What it takes to see a planted bug.
enum class Needs : unsigned char {
  kPowerFailure,  // at a random moment
  kCoincidence,   // of power failures and what lies on the disk, for which random moments are too few
  kSessions,      // sessions side by side
  kFault,         // also an error, a full disk or a short transfer while the engine runs, or bytes that rot
};

// A planted bug: a named switch, off by default.
struct Defect {
  std::string_view name;
  std::string_view summary;
  Needs needs = Needs::kPowerFailure;
};

// A way to run an engine that its users choose by name, and that promises what others may not.
struct Mode {
  std::string_view name;  // "wal-full"
  std::string_view summary;
  std::vector<Option> options;
};

// Told each line of a log as text.
using LineSink = std::function<void(std::string_view line)>;

// A kind of engine: what `powercut list engines` shows, and what makes engines.
class EngineKind {
 public:
  virtual ~EngineKind() = default;

  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;
  virtual std::span<const Tunable> tunables() const = 0;
  virtual std::span<const Defect> defects() const { return {}; }
  // Those that a survey looks at; the first is the one that options left out give.
  virtual std::vector<Mode> modes() const { return {{"default", "as it is", {}}}; }
  // Whether several sessions can have transactions open at a time, with the isolation levels.
  virtual bool has_sessions() const { return false; }
  // kInvalidArgument, with what there is, for an unknown option, value or defect.
  virtual Result<std::unique_ptr<Engine>> make(std::span<const Option> options, std::span<const std::string> defects) const = 0;
  // The log of the database in a directory as text, without changing anything. kNotFound when there is none; kCorrupt,
  // after the lines that could be read, when the log or a page is damaged (a torn tail is not damage).
  virtual Result<void> describe_log(faultfs::FileSystem& /*files*/, std::string_view /*directory*/,
                                    const LineSink& /*line*/) const {
    return Error(ErrorCode::kUnsupported, "the log of " + std::string(name()) + " cannot be shown as text");
  }
};

}  // namespace powercut::engine
