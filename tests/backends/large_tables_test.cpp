// Tables that are many times as large as the pool, and a log that is many times as long as a segment, on real directories: pages
// are evicted and read back, checkpoints come by themselves, and segments are used again.
#include "engine/row.h"
#include "faultfs/random.h"
#include "recovery/ledger_engine.h"
#include "tests/backends/real_places.h"
#include "tests/support/property.h"

#include <map>

namespace powercut::testing {
namespace {

using Rows = std::map<std::string, std::string>;

constexpr std::uint64_t kPoolBytes = 8 * 4096;
const std::vector<engine::Option> kSmall{{"frames", "8"}, {"segment", "16384"}};

class LargeTable {
 public:
  LargeTable(const Place& place, std::uint64_t seed) : random_(seed), ground_(place) {}

  void run() {
    open();
    RC_ASSERT(session_->create_table({"t", {{"text", engine::ColumnType::kText}}}).has_value());
    for (int step = 0; step < 40; ++step) {
      transaction();
      if (random_.below(8) == 0) look();
      if (random_.below(5) == 0) {
        session_.reset();
        if (random_.below(2) == 0) RC_ASSERT(database_->close().has_value());
        open();
        look();
      }
    }
    look();
  }

  // What it was to bring about: pages that the pool did not hold, and segments that were given back.
  bool was_large() {
    const auto data = std::move(ground_.files->open("db/data", faultfs::OpenMode::kRead)).value();
    return data->size().value() > 2 * kPoolBytes && !ground_.files->exists("db/log-00000001").value();
  }

 private:
  // Opens the database; one that was not closed dies first.
  void open() {
    session_.reset();
    database_.reset();
    auto opened = engine_->open(*ground_.files, "db");
    if (opened.has_error()) RC_FAIL(opened.error().message());
    database_ = std::move(opened).value();
    session_ = std::move(database_->new_session()).value();
  }

  void transaction() {
    Rows after = committed_;
    RC_ASSERT(session_->begin().has_value());
    for (std::uint32_t writes = 1 + random_.below(24); writes > 0; --writes) {
      const std::string key = std::to_string(random_.below(400));
      if (random_.below(5) == 0) {
        RC_ASSERT(session_->erase("t", key).has_value() == (after.erase(key) == 1));
        continue;
      }
      std::string row;
      const std::string text(random_.below(900), static_cast<char>('a' + random_.below(26)));
      engine::encode_row({std::string_view(text)}, row);
      RC_ASSERT(session_->put("t", key, row).has_value());
      after[key] = row;
    }
    if (random_.below(6) == 0) {
      RC_ASSERT(session_->rollback().has_value());
    } else {
      RC_ASSERT(session_->commit().has_value());
      committed_ = std::move(after);
    }
  }

  void look() {
    Rows found;
    const auto scanned = session_->scan("t", {}, {}, [&](std::string_view key, std::string_view row) {
      found.emplace(key, row);
      return true;
    });
    RC_ASSERT(scanned.has_value());
    RC_ASSERT(found == committed_);
  }

  Random random_;
  std::unique_ptr<engine::EngineKind> kind_ = recovery::make_ledger_kind();
  std::unique_ptr<engine::Engine> engine_ = std::move(kind_->make(kSmall, {})).value();
  Ground ground_;
  Rows committed_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Session> session_;
};

}  // namespace

TEST_CASE("tables larger than the pool, and a log longer than its segments, keep their rows on real directories") {
  std::uint64_t large = 0;
  for (const Place& place : real_places_of_tests()) {
    property(
        "large tables on " + place.name,
        [&](std::uint64_t seed) {
          LargeTable table(place, seed);
          table.run();
          large += table.was_large() ? 1 : 0;
        },
        0.02);
  }
  CHECK(large > 0);
}

}  // namespace powercut::testing
