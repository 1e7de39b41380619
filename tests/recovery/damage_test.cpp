// Damage that a power failure does not do: bytes that rot on the media, writes that were lost, and writes that went
// elsewhere. Nothing is owed but honesty: an error, or rows that were there once; never an abort or an endless loop.
#include "engine/ledger/control.h"
#include "engine/ledger/core.h"
#include "engine/ledger/log_reader.h"
#include "engine/row.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/ledger_database.h"
#include "tests/support/property.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using Rows = std::map<std::string, std::string>;
using Files = std::map<std::string, std::string>;
using ledger::kPageBytes;

const std::vector<engine::Option> kSmall{{"frames", "8"}, {"segment", "16384"}};
const std::vector<std::string> kTables{"left", "right"};
constexpr std::string_view kFinal = "final";

engine::TableSchema schema_of(const std::string& table) {
  return {table, {{"number", engine::ColumnType::kInteger}, {"name", engine::ColumnType::kText, false, true, {}}}};
}

std::string row_of(std::int64_t number, std::uint32_t key, std::size_t bytes) {
  const std::string name = std::to_string(key) + std::string(bytes, 'x');
  std::string row;
  engine::encode_row({number, std::string_view(name)}, row);
  return row;
}

Files read_files(faultfs::FileSystem& from) {
  Files files;
  const auto entries = from.list("db");
  for (const auto& entry : entries.value()) {
    auto file = std::move(from.open("db/" + entry.name, faultfs::OpenMode::kRead)).value();
    std::string& bytes = files[entry.name];
    bytes.resize(file->size().value());
    RC_ASSERT(read_full(*file, 0, {reinterpret_cast<byte*>(bytes.data()), bytes.size()}).value() == bytes.size());
  }
  return files;
}

void write_files(faultfs::FileSystem& to, const Files& files) {
  RC_ASSERT(to.make_directory("db").has_value());
  for (const auto& [name, bytes] : files) {
    auto file = std::move(to.open("db/" + name, faultfs::OpenMode::kCreate)).value();
    RC_ASSERT(write_full(*file, 0, as_bytes(bytes)).has_value());
  }
}

// A database over its life: its files at several moments, and every row that it ever held.
struct History {
  explicit History(std::uint64_t seed, bool closed) {
    Random random(seed);
    LedgerOnDisk on_disk(kSmall);
    auto database = on_disk.open();
    auto session = std::move(database->new_session()).value();
    for (const std::string& table : kTables) RC_ASSERT(session->create_table(schema_of(table)).has_value());
    for (int moment = 0; moment < 4; ++moment) {
      for (int step = 0; step < 60; ++step) {
        const std::string& table = kTables[random.below(2)];
        const std::uint32_t number = random.below(80);
        const std::string key = std::string(number % 4 == 0 ? 400 : 0, 'k') + std::to_string(number);
        if (random.below(10) < (moment == 2 ? 7U : 2U)) {
          if (session->erase(table, key).has_value()) last[table].erase(key);
        } else {
          const std::string row = row_of(step + 100 * moment, number, random.below(400));
          RC_ASSERT(session->put(table, key, row).has_value());
          last[table][key] = row;
          ever[table].emplace(key, row);
        }
      }
      // Some of the log is needed then, or none.
      if (closed || moment < 3) RC_ASSERT(database->checkpoint().has_value());
      if (closed) RC_ASSERT(database->close().has_value());
      // Damage of what was flushed last looks as if the power had failed then; this is it.
      RC_ASSERT(session->put(kTables[0], kFinal, row_of(moment, 1000, 10)).has_value());
      files.push_back(read_files(on_disk.files));
    }
  }

  std::vector<Files> files;
  std::map<std::string, Rows> last;
  std::map<std::string, std::multimap<std::string, std::string>> ever;
};

bool was_there(const std::multimap<std::string, std::string>& ever, const std::string& key, std::string_view row) {
  const auto [first, last] = ever.equal_range(key);
  return std::any_of(first, last, [&](const auto& entry) { return entry.second == row; });
}

// Uses a database that may be damaged. True if it answered nothing but what is right or kCorrupt; `once` lets it answer what
// was right once.
void use(engine::Engine& engine, faultfs::FileSystem& files, const History& history, bool once) {
  const auto honest = [](const Error& error) {
    RC_LOG() << error.message() << "\n";
    RC_ASSERT(error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kStopped ||
              (error.code() == ErrorCode::kNotFound && error.context().find("no table") != std::string::npos));
  };
  const auto opened = engine.open(files, "db");
  if (opened.has_error()) return honest(opened.error());
  auto session = std::move(opened.value()->new_session()).value();
  for (const std::string& table : kTables) {
    Rows found;
    std::size_t seen = 0;
    const auto done = session->scan(table, {}, {}, [&](std::string_view key, std::string_view row) {
      found.emplace(key, row);
      return ++seen < 10'000;
    });
    RC_ASSERT(seen < 10'000U);
    found.erase(std::string(kFinal));
    if (done.has_error()) honest(done.error());
    for (const auto& [key, row] : found) {
      if (once) continue;  // a page of another tree, even
      RC_ASSERT(was_there(history.ever.at(table), key, row));
    }
    if (done.has_value() && !once) RC_ASSERT(found == history.last.at(table));
  }
  // Everything that changes trees.
  for (std::uint32_t number = 0; number < 80; ++number) {
    const std::string key = std::string(number % 4 == 0 ? 400 : 0, 'k') + std::to_string(number);
    const std::string& table = kTables[number % 2];
    if (number % 5 == 0) {
      const auto done = session->put(table, key, row_of(number, number, 300));
      if (done.has_error() && done.error().code() != ErrorCode::kConstraint) honest(done.error());
    } else {
      const auto done = session->erase(table, key);
      if (done.has_error() && done.error().code() != ErrorCode::kNotFound) honest(done.error());
    }
  }
  for (const std::string& table : kTables) {
    const auto dropped = session->drop_table(table);
    if (dropped.has_error()) honest(dropped.error());
    const auto made = session->create_table(schema_of(table));
    if (made.has_error() && made.error().code() != ErrorCode::kAlreadyExists) honest(made.error());
  }
  const auto done = opened.value()->close();
  if (done.has_error()) honest(done.error());
}

void use(const Files& files, const History& history, bool once) {
  LedgerOnDisk on_disk(kSmall);
  write_files(on_disk.files, files);
  use(*on_disk.engine, on_disk.files, history, once);
}

}  // namespace

TEST_CASE("a byte that rots in a data file is an error or is never read, whatever is done then") {
  property(
      "rotten data",
      [](std::uint64_t seed) {
        Random random(seed);
        const History history(random.below(5), true);
        Files files = history.files.back();
        std::string& data = files["data"];
        for (std::uint32_t wild = 1 + random.below(3); wild > 0; --wild) {
          data[random.below(static_cast<std::uint32_t>(data.size()))] ^= static_cast<char>(1 + random.below(255));
        }
        use(files, history, false);
      },
      2);
}

TEST_CASE("a byte that rots in the log is an error or is never needed") {
  property(
      "rotten log",
      [](std::uint64_t seed) {
        Random random(seed);
        // Not closed: redo needs a part of the log.
        const History history(random.below(5), false);
        Files files = history.files.back();
        std::vector<std::string*> segments;
        for (auto& [name, bytes] : files) {
          if (ledger::segment_of_name(name) != 0) segments.push_back(&bytes);
        }
        std::string& segment = *segments[random.below(static_cast<std::uint32_t>(segments.size()))];
        segment[random.below(static_cast<std::uint32_t>(segment.size()))] ^= static_cast<char>(1 + random.below(255));
        use(files, history, false);
      },
      4);
}

TEST_CASE("pages of other times and of other places never make the engine abort, hang or read outside") {
  property(
      "lost and misdirected pages",
      [](std::uint64_t seed) {
        Random random(seed);
        const History history(random.below(5), true);
        Files files = history.files.back();
        std::string& data = files["data"];
        for (std::uint32_t wild = 1 + random.below(6); wild > 0; --wild) {
          const std::string& from = history.files[random.below(4)].at("data");
          const std::uint32_t source = random.below(static_cast<std::uint32_t>(from.size() / kPageBytes));
          std::array<byte, kPageBytes> bytes{};
          std::copy_n(as_bytes(from).data() + source * kPageBytes, kPageBytes, bytes.data());
          std::uint32_t target = source;
          ledger::Page page(bytes.data());
          if (random.below(3) == 0) {
            // Elsewhere, and even under the right number, as a wrong write of a tree would be.
            target = random.below(static_cast<std::uint32_t>(data.size() / kPageBytes));
            if (random.below(2) == 0) store(bytes.data() + 4, target);
          }
          if (random.below(3) == 0 && page.well_formed()) {
            // Its children or its place in the free list are others.
            const auto other = static_cast<ledger::PageId>(random.below(40));
            if (page.type() == ledger::PageType::kInner && page.count() > 0 && random.below(2) == 0) {
              page.replace(random.below(page.count()), {reinterpret_cast<const char*>(&other), sizeof(other)});
            } else if (page.type() != ledger::PageType::kLeaf) {
              page.set_link(other);
              if (random.below(3) == 0) page.set_page_count(random.below(60));
            }
          }
          page.set_checksum();
          if ((target + 1) * kPageBytes <= data.size()) {
            data.replace(target * kPageBytes, kPageBytes, as_text(bytes));
          }
        }
        use(files, history, true);
      },
      10);
}

TEST_CASE("a leaf that is as it was before it was split is told by the rows that it should no longer have") {
  LedgerOnDisk on_disk(kSmall);
  auto database = on_disk.open();
  auto session = std::move(database->new_session()).value();
  REQUIRE(session->create_table(schema_of("t")).has_value());
  Files before;
  for (std::uint32_t key = 100; key < 130; ++key) {
    if (key == 120) {
      REQUIRE(database->close().has_value());
      before = read_files(on_disk.files);
    }
    REQUIRE(session->insert("t", std::to_string(key), row_of(0, key, 300)).has_value());
  }
  REQUIRE(database->close().has_value());
  const Files after = read_files(on_disk.files);
  std::size_t told = 0;
  std::size_t lost = 0;
  for (std::size_t page = 2; page * kPageBytes < before.at("data").size(); ++page) {
    const std::string old = before.at("data").substr(page * kPageBytes, kPageBytes);
    Files files = after;
    if (files.at("data").compare(page * kPageBytes, kPageBytes, old) == 0) continue;
    files["data"].replace(page * kPageBytes, kPageBytes, old);
    LedgerOnDisk damaged(kSmall);
    write_files(damaged.files, files);
    const auto opened = damaged.open();
    const auto reader = std::move(opened->new_session()).value();
    const auto done = reader->scan("t", {}, {}, [](std::string_view, std::string_view) { return true; });
    ++lost;
    if (done.has_error() && done.error().context().find("holds keys that belong to another") != std::string::npos) ++told;
  }
  CHECK(lost > 1);
  CHECK(told > 0);
}

TEST_CASE("a page that is newer than the log says that the log lost its end") {
  const History history(1, true);
  Files files = history.files.back();
  std::array<byte, kPageBytes> bytes{};
  std::copy_n(as_bytes(files["data"]).data() + kPageBytes, kPageBytes, bytes.data());
  ledger::Page page(bytes.data());
  page.set_lsn(ledger::Lsn{std::uint64_t{1} << 40U});
  page.set_checksum();
  files["data"].replace(kPageBytes, kPageBytes, as_text(bytes));
  LedgerOnDisk on_disk(kSmall);
  write_files(on_disk.files, files);
  const auto opened = on_disk.engine->open(on_disk.files, "db");
  REQUIRE(opened.has_value());
  const auto tables = opened.value()->tables();
  REQUIRE(tables.has_error());
  CHECK(tables.error().code() == ErrorCode::kCorrupt);
  CHECK(tables.error().context().find("newer than the log") != std::string::npos);
}

}  // namespace powercut::testing
