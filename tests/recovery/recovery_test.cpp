// Recovery after long runs: tables that come and go, unique columns, savepoints, trees that split and merge in eight frames,
// and a power failure at any operation, recovery's own included. The crash tests of the properties are short and many;
// these are long and fewer. And what recovery says when the control file is damaged.
#include "engine/row.h"
#include "faultfs/choices.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/ledger_database.h"
#include "tests/support/piece_files.h"
#include "tests/support/power_switch.h"
#include "tests/support/property.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace powercut::testing {
namespace {

using engine::ColumnType;
using Rows = std::map<std::string, std::string>;
using Tables = std::map<std::string, Rows>;

engine::TableSchema schema_of(const std::string& table) {
  return {table, {{"number", ColumnType::kInteger}, {"name", ColumnType::kText, false, true, {}}, {"text", ColumnType::kText}}};
}

// One life of a database, from an open to a power failure or the end of the process, against what it should hold.
class Life {
 public:
  // `committed` and `in_doubt` are what earlier lives leave behind, and what this one leaves.
  Life(PowerSwitch& power, Random& random, Tables& committed, std::optional<Tables>& in_doubt)
      : power_(power), random_(random), committed_(committed), in_doubt_(in_doubt) {}

  void run(engine::Engine& engine) {
    auto opened = engine.open(power_, "db");
    if (opened.has_error()) return expect_power_off(opened.error());
    database_ = std::move(opened).value();
    session_ = std::move(database_->new_session()).value();
    check();
    const std::uint32_t statements = 20 + random_.below(200);
    grows_of_100_ = 30 + random_.below(40);
    for (std::uint32_t at = 0; at < statements && !power_.is_off(); ++at) step();
    // The process is killed, and nothing of it reaches the disk any more; or its session has time to roll back.
    if (random_.below(2) == 0) power_.turn_off();
    session_.reset();
    database_.reset();
  }

 private:
  static constexpr std::uint32_t kKeys = 60;

  void expect_power_off(const Error& error) {
    RC_LOG() << error.message() << "\n";
    RC_ASSERT(power_.is_off());
  }

  // What is there is what was committed, with or without the transaction whose commit was never answered.
  void check() {
    const auto names = database_->tables();
    if (names.has_error()) return expect_power_off(names.error());
    Tables found;
    for (const std::string& name : names.value()) {
      Rows& rows = found[name];
      const auto done = session_->scan(name, {}, {}, [&](std::string_view key, std::string_view row) {
        rows.emplace(key, row);
        return true;
      });
      if (done.has_error()) return expect_power_off(done.error());
    }
    if (in_doubt_ && found == *in_doubt_) committed_ = *in_doubt_;
    RC_ASSERT(found == committed_);
    in_doubt_.reset();
    now_ = committed_;
  }

  void step() {
    const std::uint32_t what = random_.below(100);
    const std::string table = "t" + std::to_string(random_.below(3));
    if (what < 64) {
      write(table);
    } else if (what < 70) {
      Tables after = now_;
      const bool made = after.try_emplace(table).second;
      answer(session_->create_table(schema_of(table)), after, made ? std::nullopt : std::optional(ErrorCode::kAlreadyExists));
    } else if (what < 72) {
      Tables after = now_;
      const bool dropped = after.erase(table) == 1;
      answer(session_->drop_table(table), after, dropped ? std::nullopt : std::optional(ErrorCode::kNotFound));
    } else if (what < 78) {
      if (in_transaction_) return;
      RC_ASSERT(session_->begin().has_value());
      in_transaction_ = true;
      savepoints_.clear();
    } else if (what < 84) {
      if (!in_transaction_) return;
      in_transaction_ = false;
      answer(session_->commit(), now_, std::nullopt);
    } else if (what < 88) {
      if (!in_transaction_) return;
      in_transaction_ = false;
      now_ = committed_;
      const auto done = session_->rollback();
      if (done.has_error()) expect_power_off(done.error());
    } else if (what < 92) {
      if (!in_transaction_) return;
      savepoints_.push_back(now_);
      RC_ASSERT(session_->savepoint(std::to_string(savepoints_.size())).has_value());
    } else if (what < 96) {
      if (!in_transaction_ || savepoints_.empty()) return;
      const std::size_t to = 1 + random_.below(static_cast<std::uint32_t>(savepoints_.size()));
      const auto done = session_->rollback_to(std::to_string(to));
      if (done.has_error()) return expect_power_off(done.error());
      savepoints_.resize(to);
      now_ = savepoints_.back();
    } else {
      const auto done = database_->checkpoint();
      if (done.has_error()) expect_power_off(done.error());
    }
  }

  void write(const std::string& table) {
    const std::string key = std::string(random_.below(3) == 0 ? 300 : 0, 'k') + std::to_string(random_.below(kKeys));
    const std::string name = "name " + std::to_string(random_.below(2 * kKeys));
    const std::string text(random_.below(400), static_cast<char>('a' + random_.below(26)));
    std::string row;
    const engine::Value unique = random_.below(7) == 0 ? engine::Value() : engine::Value(std::string_view(name));
    engine::encode_row({std::int64_t{random_.below(1000)}, unique, std::string_view(text)}, row);
    const bool erases = random_.below(100) >= grows_of_100_;
    Tables after = now_;
    const auto into = after.find(table);
    std::optional<ErrorCode> refused;
    if (into == after.end() || (erases && into->second.erase(key) == 0)) {
      refused = ErrorCode::kNotFound;
    } else if (!erases) {
      const std::string_view value = engine::encoded_column(row, 1);
      const bool taken = std::any_of(into->second.begin(), into->second.end(), [&](const auto& other) {
        return other.first != key && !engine::is_null(value) && engine::encoded_column(other.second, 1) == value;
      });
      if (taken) refused = ErrorCode::kConstraint;
      into->second[key] = row;
    }
    answer(erases ? session_->erase(table, key) : session_->put(table, key, row), after, refused);
  }

  // Takes the answer to a statement, or to a commit, that makes `after` of the tables unless it must be refused.
  void answer(const Result<void>& result, const Tables& after, std::optional<ErrorCode> refused) {
    if (result.has_value()) {
      RC_ASSERT(!refused);
      now_ = after;
      if (!in_transaction_) committed_ = now_;
    } else if (power_.is_off()) {
      if (!in_transaction_ && !refused) in_doubt_ = after;
    } else {
      RC_LOG() << result.error().message() << "\n";
      RC_ASSERT(refused == result.error().code());
    }
  }

  PowerSwitch& power_;
  Random& random_;
  Tables& committed_;
  std::optional<Tables>& in_doubt_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
  Tables now_;
  std::vector<Tables> savepoints_;
  bool in_transaction_ = false;
  std::uint32_t grows_of_100_ = 50;
};

void flip(faultfs::FileSystem& files, const std::string& path, std::uint64_t at) {
  auto file = std::move(files.open(path, faultfs::OpenMode::kReadWrite)).value();
  std::array<byte, 1> bytes{};
  REQUIRE(file->read(at, bytes).value() == 1);
  bytes[0] ^= byte{4};
  REQUIRE(write_full(*file, at, bytes).has_value());
}

const engine::TableSchema kTexts{"texts", {{"text", ColumnType::kText}}};

std::string long_row() {
  std::string row;
  engine::encode_row({std::string_view(std::string(400, 'x'))}, row);
  return row;
}

// Until the process is killed, with some transactions under way. Most rows are replaced by one as long.
void update_from_many_sessions(faultfs::FileSystem& files, engine::Engine& engine, Random& random) {
  PowerSwitch power(files, PowerSwitch::kNever);
  const auto database = std::move(engine.open(power, "db")).value();
  struct User {
    std::unique_ptr<engine::Session> session;
    bool in_transaction = false;
  };
  std::vector<User> users(5);
  for (User& user : users) user.session = std::move(database->new_session()).value();
  const bool is_there = users[0].session->create_table(kTexts).has_error();
  for (int step = 0; step < 600; ++step) {
    User& user = users[random.below(5)];
    if (!user.in_transaction) RC_ASSERT(user.session->begin().has_value());
    user.in_transaction = true;
    const std::string key = std::to_string(is_there || step > 300 ? random.below(300) : static_cast<std::uint32_t>(step));
    const std::uint32_t what = random.below(100);
    std::string row;
    const std::size_t length = random.below(8) == 0 ? random.below(300) : 100;
    engine::encode_row({std::string(length, static_cast<char>('a' + random.below(26)))}, row);
    if (what == 0) RC_ASSERT(database->checkpoint().has_value());
    // What another transaction holds is refused.
    const bool refused =
        what < 80 ? user.session->put("texts", key, row).has_error() : what < 85 && user.session->erase("texts", key).has_error();
    if (what < 90 && !refused) continue;
    const auto ended = what < 97 && !refused ? user.session->commit() : user.session->rollback();
    RC_ASSERT(ended.has_value() || refused);
    user.in_transaction = false;
  }
  power.turn_off();
}

// The files of the database and the bytes of each.
std::map<std::string, std::string> contents(faultfs::FileSystem& files) {
  std::map<std::string, std::string> all;
  const auto entries = files.list("db").value();
  for (const auto& entry : entries) {
    const auto file = std::move(files.open("db/" + entry.name, faultfs::OpenMode::kRead)).value();
    std::vector<byte> bytes(file->size().value());
    RC_ASSERT(read_full(*file, 0, bytes).value() == bytes.size());
    all.emplace(entry.name, as_text(bytes));
  }
  return all;
}

}  // namespace

TEST_CASE("a database that is opened again without a close holds what was committed") {
  property(
      "killed processes",
      [](std::uint64_t seed) {
        Random random(seed);
        LedgerOnDisk on_disk(std::vector<engine::Option>{{"frames", "8"}, {"segment", "16384"}});
        Tables committed;
        std::optional<Tables> in_doubt;
        for (int life = 0; life < 5; ++life) {
          PowerSwitch power(on_disk.files, PowerSwitch::kNever);
          Life(power, random, committed, in_doubt).run(*on_disk.engine);
        }
      },
      0.5);
}

TEST_CASE("power failure after power failure, in recovery too, a long run keeps what was committed") {
  property("power failures", [](std::uint64_t seed) {
    Random random(seed);
    const auto kind = recovery::make_ledger_kind();
    const std::vector<engine::Option> options{{"frames", random.below(3) == 0 ? "16" : "8"}, {"segment", "16384"}};
    const auto engine = std::move(kind->make(options, {})).value();
    static constexpr std::array<std::string_view, 3> kModels{"posix", "ext4-ordered", "prefix"};
    static constexpr std::array<std::string_view, 3> kAtoms{"512", "4096", "write"};
    auto model = faultfs::preset(kModels[random.below(3)]).value();
    RC_ASSERT(set_atom(model, kAtoms[random.below(3)]).has_value());
    // Each disk is laid over the one before, which crashed.
    std::deque<faultfs::SimDisk> disks(1);
    std::deque<faultfs::RandomChoices> choices;
    disks.front().format(model);
    Tables committed;
    std::optional<Tables> in_doubt;
    for (int life = 0; life < 6; ++life) {
      faultfs::SimFileSystem files(disks.back());
      // Soon, so that it hits recovery, or later.
      const std::uint64_t until = random.below(2) == 0 ? random.below(40) : 20 + random.below(500);
      PowerSwitch power(files, life == 5 ? PowerSwitch::kNever : until);
      Life(power, random, committed, in_doubt).run(*engine);
      const faultfs::SimDisk& crashed = disks.back();
      choices.emplace_back(random.next());
      disks.emplace_back().boot(crashed, choices.back());
    }
  });
}

TEST_CASE("recovery that is told about, record by record, leaves the same files as one that is not") {
  property(
      "told and untold",
      [](std::uint64_t seed) {
        Random random(seed);
        // Without images pages are as they were written, some of them after what is redone.
        std::vector<std::string> defects;
        if (random.below(2) == 0) defects.emplace_back("no-page-image");
        LedgerOnDisk on_disk(std::vector<engine::Option>{{"frames", "8"}, {"segment", "16384"}}, defects);
        for (int life = 0; life < 3; ++life) update_from_many_sessions(on_disk.files, *on_disk.engine, random);
        const auto left = contents(on_disk.files);
        std::size_t lines = 0;
        const engine::Narrator count = [&](std::string_view, std::string_view) { ++lines; };
        const auto recovered = [&](const engine::Narrator* narrator) -> std::map<std::string, std::string> {
          LedgerOnDisk copy;
          RC_ASSERT(copy.files.make_directory("db").has_value());
          for (const auto& [name, bytes] : left) {
            const auto file = std::move(copy.files.open("db/" + name, faultfs::OpenMode::kCreate)).value();
            RC_ASSERT(write_full(*file, 0, as_bytes(bytes)).has_value());
          }
          engine::Surroundings surroundings;
          surroundings.narrator = narrator;
          const auto database = on_disk.engine->open(copy.files, "db", surroundings);
          if (database.has_error()) return {{"error", database.error().message()}};
          RC_ASSERT(database.value()->close().has_value());
          return contents(copy.files);
        };
        RC_ASSERT(recovered(nullptr) == recovered(&count));
        RC_ASSERT(lines > 0);
      },
      0.5);
}

TEST_CASE("rows of an incarnation that only a damaged control slot knew are not lost without a word") {
  LedgerOnDisk on_disk;
  for (const std::string_view key : {"first", "second"}) {
    const auto database = on_disk.open();
    const auto session = std::move(database->new_session()).value();
    if (key == "first") REQUIRE(session->create_table(kTexts).has_value());
    REQUIRE(session->insert("texts", key, long_row()).has_value());
  }
  flip(on_disk.files, "db/control", 4096 + 48);
  const auto opened = on_disk.engine->open(on_disk.files, "db");
  REQUIRE(opened.has_error());
  CHECK(opened.error().code() == ErrorCode::kCorrupt);
  CHECK(opened.error().context().find("db/control: ") == 0);
  CHECK(opened.error().context().find("the slot at byte 4096 is damaged") != std::string::npos);
  const auto told = on_disk.kind->describe_log(on_disk.files, "db", [](std::string_view) {});
  REQUIRE(told.has_error());
  CHECK(told.error().message() == opened.error().message());
}

TEST_CASE("a log whose beginning is gone is not taken for an empty one when the checkpoint's control slot is damaged") {
  LedgerOnDisk on_disk(std::vector<engine::Option>{{"frames", "8"}, {"segment", "16384"}});
  {
    const auto database = on_disk.open();
    const auto session = std::move(database->new_session()).value();
    for (char name = 'a'; name < 'm'; ++name) REQUIRE(session->create_table({std::string(1, name), kTexts.columns}).has_value());
    REQUIRE(session->create_table(kTexts).has_value());
    for (int row = 0; row < 100; ++row) REQUIRE(session->insert("texts", std::to_string(row), long_row()).has_value());
  }
  {
    const auto database = on_disk.open();
    const auto session = std::move(database->new_session()).value();
    // Reading drives every changed page out, so that the checkpoint needs nothing of the log before it.
    std::string row;
    for (int round = 0; round < 4; ++round) {
      for (char name = 'a'; name < 'm'; ++name) REQUIRE_FALSE(session->get(std::string(1, name), "key", row).value());
    }
    REQUIRE(database->checkpoint().has_value());
    for (int at = 100; at < 250; ++at) REQUIRE(session->insert("texts", std::to_string(at), long_row()).has_value());
  }
  REQUIRE_FALSE(on_disk.files.exists("db/log-00000001").value());
  flip(on_disk.files, "db/control", 48);
  const auto opened = on_disk.engine->open(on_disk.files, "db");
  REQUIRE(opened.has_error());
  CHECK(opened.error().code() == ErrorCode::kCorrupt);
  CHECK(opened.error().context().find("does not begin with its first segment") != std::string::npos);
  CHECK(on_disk.kind->describe_log(on_disk.files, "db", [](std::string_view) {}).error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("a log that is larger than the reader's buffer is recovered alike in pieces of any size") {
  property(
      "recovery in pieces",
      [](std::uint64_t seed) {
        Random random(seed);
        LedgerOnDisk on_disk(std::vector<engine::Option>{{"frames", "32"}, {"segment", "1048576"}});
        Rows rows;
        {
          const auto database = on_disk.open();
          const auto session = std::move(database->new_session()).value();
          RC_ASSERT(session->create_table(kTexts).has_value());
          for (int put = 0; put < 2000; ++put) {
            const std::string key = std::to_string(random.below(200));
            std::string row;
            engine::encode_row({std::string(random.below(900), static_cast<char>('a' + random.below(26)))}, row);
            RC_ASSERT(session->put("texts", key, row).has_value());
            rows[key] = row;
          }
        }
        for (const std::size_t piece : {std::size_t{512}, 512 * std::size_t{1 + random.below(2048)}, std::size_t{4} << 20U}) {
          PieceFiles files(on_disk.files, piece, random.next());
          const auto opened = on_disk.engine->open(files, "db");
          RC_ASSERT(opened.has_value());
          const auto session = std::move(opened.value()->new_session()).value();
          Rows found;
          RC_ASSERT(session
                        ->scan("texts", {}, {},
                               [&](std::string_view key, std::string_view row) {
                                 found.emplace(key, row);
                                 return true;
                               })
                        .has_value());
          RC_ASSERT(found == rows);
        }
      },
      0.1);
}

}  // namespace powercut::testing
