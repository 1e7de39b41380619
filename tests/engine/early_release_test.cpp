// Sessions that see what a commit has released before it is durable: nobody is told of it earlier than that.
#include "faultfs/choices.h"
#include "faultfs/yielding_file_system.h"
#include "tests/support/failing_sync.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/ledger_database.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using namespace engine;

// Whoever is about to write the log lets the others go first.
class OthersFirst final : public faultfs::Choices {
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& label) override {
    return label.name == "before the log is written" && n > 1 ? 1 : 0;
  }
};

// A table with row 1, whose value is 10, and how often anything was synced since it was made.
struct Bench {
  Bench(bool early, bool slow) : ledger(std::vector<Option>{{"early-release", early ? "yes" : "no"}}) {
    if (slow) slow_files.emplace(faulty, scheduler);
    faultfs::FileSystem& files = slow ? static_cast<faultfs::FileSystem&>(*slow_files) : faulty;
    database = std::move(ledger.engine->open(files, "db", {nullptr, &scheduler})).value();
    const auto session = new_session();
    REQUIRE(session->create_table({"test", {{"value"}}}).has_value());
    REQUIRE(session->insert("test", "1", number_row(10)).has_value());
    ledger.disk.set_crash_hook([this] { ++syncs; });
  }
  ~Bench() { ledger.disk.set_crash_hook(nullptr); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  std::unique_ptr<Session> new_session() { return std::move(database->new_session()).value(); }

  void run() {
    OthersFirst choices;
    REQUIRE(scheduler.run(choices).has_value());
  }

  // Reads row 1; how often was synced when it was read is left in `syncs_before`.
  Result<void> read(Session& session, std::int64_t& value, std::uint32_t& syncs_before) {
    return session.scan("test", {}, {}, [&](std::string_view, std::string_view row) {
      value = *integer_column(row, 0);
      syncs_before = syncs;
      return true;
    });
  }

  std::uint32_t syncs = 0;
  faultfs::Scheduler scheduler;
  LedgerOnDisk ledger;
  FailingSync failing{ledger.files};
  FaultyFileSystem faulty{failing};
  std::optional<faultfs::YieldingFileSystem> slow_files;
  std::unique_ptr<Database> database;
};

bool failed_with(ErrorCode code, const Result<void>& result) { return result.has_error() && result.error().code() == code; }

}  // namespace

TEST_CASE("a single read sees what a commit released before its sync, and is answered after it") {
  for (const bool slow : {false, true}) {
    for (const bool early : {true, false}) {
      CAPTURE(slow, early);
      Bench bench(early, slow);
      bench.scheduler.spawn("writer", [&] { CHECK(bench.new_session()->put("test", "1", number_row(11)).has_value()); });
      bench.scheduler.spawn("reader", [&] {
        std::int64_t value = 0;
        std::uint32_t syncs_before = 0;
        CHECK(bench.read(*bench.new_session(), value, syncs_before).has_value());
        CHECK(value == 11);
        CHECK(syncs_before == (early ? 0 : 1));
        CHECK(bench.syncs == 1);
      });
      bench.run();
      CHECK(bench.syncs == 1);
    }
  }
}

TEST_CASE("a transaction that only read what a commit released is answered when that is durable") {
  for (const bool slow : {false, true}) {
    CAPTURE(slow);
    Bench bench(true, slow);
    bench.scheduler.spawn("writer", [&] { CHECK(bench.new_session()->put("test", "1", number_row(11)).has_value()); });
    bench.scheduler.spawn("reader", [&] {
      const auto session = bench.new_session();
      REQUIRE(session->begin(Isolation::kSerializable).has_value());
      std::string row;
      REQUIRE(session->get("test", "1", row).value());
      CHECK(row == number_row(11));
      CHECK(bench.syncs == 0);
      CHECK(session->commit().has_value());
      CHECK(bench.syncs == 1);
    });
    bench.run();
  }
}

TEST_CASE("what a commit released may be changed before its sync, and both are durable in their order") {
  for (const bool slow : {false, true}) {
    CAPTURE(slow);
    Bench bench(true, slow);
    bench.scheduler.spawn("first", [&] { CHECK(bench.new_session()->put("test", "1", number_row(11)).has_value()); });
    bench.scheduler.spawn("second", [&] {
      const auto session = bench.new_session();
      REQUIRE(session->begin().has_value());
      const auto edited = session->edit("test", {}, {}, [&](std::string_view, std::string_view row, std::string& after) {
        after = number_row(*integer_column(row, 0) + 1);
        return RowEdit::kChange;
      });
      REQUIRE(edited.has_value());
      CHECK(bench.syncs == 0);
      CHECK(session->commit().has_value());
      CHECK(bench.syncs > 0);
    });
    bench.run();
    bench.database.reset();
    bench.database = bench.ledger.open();
    std::string row;
    REQUIRE(bench.new_session()->get("test", "1", row).value());
    CHECK(row == number_row(12));
  }
}

TEST_CASE("when the sync of a commit fails that others have seen, nobody is told that anything was done") {
  for (const bool slow : {false, true}) {
    CAPTURE(slow);
    Bench bench(true, slow);
    bench.failing.failing = true;
    std::uint32_t told = 0;
    bench.scheduler.spawn(
        "first", [&] { told += failed_with(ErrorCode::kStopped, bench.new_session()->put("test", "1", number_row(11))) ? 1 : 0; });
    bench.scheduler.spawn("reader", [&] {
      std::int64_t value = 0;
      std::uint32_t syncs_before = 0;
      told += failed_with(ErrorCode::kStopped, bench.read(*bench.new_session(), value, syncs_before)) ? 1 : 0;
      CHECK(value == 11);
    });
    bench.scheduler.spawn(
        "second", [&] { told += failed_with(ErrorCode::kStopped, bench.new_session()->put("test", "1", number_row(12))) ? 1 : 0; });
    bench.run();
    CHECK(told == 3);
    bench.failing.failing = false;
    const auto session = bench.new_session();
    CHECK(failed_with(ErrorCode::kStopped, session->put("test", "2", number_row(20))));
    CHECK(failed_with(ErrorCode::kStopped, session->begin()));
  }
}

TEST_CASE("a full disk at a commit that others may have seen ends the database, and else only that commit") {
  for (const bool slow : {false, true}) {
    for (const bool early : {true, false}) {
      CAPTURE(slow, early);
      Bench bench(early, slow);
      bench.faulty.break_with({FaultKind::kWrite, 0, true, ErrorCode::kNoSpace});
      bench.scheduler.spawn("first", [&] {
        const auto put = bench.new_session()->put("test", "1", number_row(11));
        CHECK(failed_with(early ? ErrorCode::kStopped : ErrorCode::kNoSpace, put));
      });
      bench.run();
      bench.faulty.mend();
      CHECK(bench.new_session()->put("test", "1", number_row(12)).has_error() == early);
    }
  }
}

}  // namespace powercut::testing
