// What transactions did, in the order in which it happened: the input of the isolation oracle (isolation.h). Drivers of any
// engine record it.
//
// A write creates a version of a row. A read names the version that it saw; it has to exist, so a driver that got bytes first
// asks latest_with() which version they are, and where there is none, the engine made the row up. That is exact as long as no
// two writes of a row store the same bytes: let each store a number of its own.
//
// Record a write when it takes its place among the other writes of its row: when it is made, in an engine that lets no
// second writer at the row meanwhile; at commit, in one that buffers writes until then.
#pragma once

#include "engine/engine.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::properties {

// The so-manieth write of a transaction to a row, from 1. {0, 0}: the row as it was before anybody wrote it, absent.
struct Version {
  std::uint64_t transaction = 0;
  std::uint32_t number = 0;

  friend bool operator==(const Version&, const Version&) = default;
};

class History {
 public:
  // Of these, kRunning is also what nobody knows the end of.
  enum class Outcome : unsigned char { kRunning, kCommitted, kAborted };

  struct Transaction {
    engine::Isolation level = engine::Isolation::kSerializable;
    std::string name;  // for people
    Outcome outcome = Outcome::kRunning;
    std::uint64_t ended = 0;                                 // when, by the history's clock
    std::optional<std::uint64_t> snapshot;                   // what it reads is as of then
    std::map<std::size_t, std::vector<std::size_t>> writes;  // by object, positions in Object::writes
  };

  struct Write {
    Version version;
    bool dead = false;  // a delete
    bool last = true;   // its transaction has not written the row again
    std::string row;
  };

  // A row, whether it exists or not: what its key stands for.
  struct Object {
    std::size_t table = 0;
    std::string key;
    std::vector<Write> writes;
  };

  // A version that was read. Positions count from 1: 0 is the absent row before all writes, and no write.
  struct Seen {
    std::size_t object = 0;
    std::size_t version = 0;    // position in Object::writes
    std::size_t own_write = 0;  // the reader's own last write until then
  };

  struct Read {
    std::uint64_t transaction = 0;
    bool range = false;  // of all rows of the table with from <= key < to; an empty `to` means to the end
    std::size_t table = 0;
    std::string from;
    std::string to;
    std::size_t first_seen = 0;  // in seen(read)
    std::size_t count_seen = 0;
    std::size_t objects = 0;  // there were so many: a row of the range beyond these was seen absent, before all writes
  };

  using Rows = std::map<std::string, std::size_t, std::less<>>;  // key to object

  History();

  // Gives the transaction's number, from 1. Number 0 wrote the initial state and has committed.
  std::uint64_t begin(engine::Isolation level, std::string name);
  // From now on the transaction reads what was committed until now, and what it wrote itself; without this, the newest
  // version that was not rolled back. Matters for what latest_with() takes an absent row for. At each statement, or once.
  void take_snapshot(std::uint64_t transaction);
  // Without a row, deletes. Number 0 may write a row once, before anybody else does.
  Version write(std::uint64_t transaction, std::string_view table, std::string_view key, std::optional<std::string_view> row);
  void read(std::uint64_t transaction, std::string_view table, std::string_view key, Version version);
  // A predicate read: the rows with from <= key < to, an empty `to` meaning to the end; `matched` are those that were found. Of
  // all others in the range an absent version was seen, but for `unknown`: which version of these was seen nobody knows.
  void scan(std::uint64_t transaction, std::string_view table, std::string_view from, std::string_view to,
            std::span<const std::pair<std::string, Version>> matched, std::span<const std::string> unknown = {});
  // After a crash, that of a transaction in doubt is what recovery made of it.
  void end(std::uint64_t transaction, Outcome outcome);

  // Which version a reader saw that got these bytes, or no row: its own last, the newest that is visible to it, or else the
  // newest, those that were rolled back after all others. Nothing if nobody ever wrote that, which is an anomaly by itself.
  std::optional<Version> latest_with(std::uint64_t reader, std::string_view table, std::string_view key,
                                     std::optional<std::string_view> row) const;

  // By number.
  const std::vector<Transaction>& transactions() const { return transactions_; }
  const std::vector<Object>& objects() const { return objects_; }
  const std::vector<Read>& reads() const { return reads_; }
  std::span<const Seen> seen(const Read& read) const { return std::span(seen_).subspan(read.first_seen, read.count_seen); }
  // The rows of a read's range, by key.
  std::pair<Rows::const_iterator, Rows::const_iterator> range(const Read& read) const;
  // The rows of such a range that anybody wrote or read, by key.
  std::vector<std::string> keys(std::string_view table, std::string_view from, std::string_view to) const;
  // "accounts[1]"
  std::string text(std::size_t object) const;
  // Of what the oracle looks at: who wrote each row in which order, and who read what. In which order the transactions did that
  // otherwise does not count.
  std::uint64_t hash() const;

 private:
  struct Table {
    std::string name;
    Rows rows;
  };

  static std::pair<Rows::const_iterator, Rows::const_iterator> range(const Rows& rows, std::string_view from, std::string_view to);
  std::size_t table_of(std::string_view name);
  std::size_t object_of(std::string_view table, std::string_view key);
  std::size_t own_write(std::uint64_t transaction, std::size_t object) const;
  std::size_t position(std::size_t object, Version version) const;
  std::optional<std::size_t> latest_with(std::uint64_t reader, std::size_t object, std::optional<std::string_view> row) const;
  std::size_t visible(std::uint64_t reader, const Object& object) const;
  void add_seen(Read& read, std::size_t object, std::size_t version);

  std::uint64_t clock_ = 0;
  std::vector<Transaction> transactions_;
  std::vector<Table> tables_;
  std::vector<Object> objects_;
  std::vector<Read> reads_;
  std::vector<Seen> seen_;  // of all reads
};

}  // namespace powercut::properties
