// The log as people read it, and what it says of damage.
#include "tests/support/ledger_database.h"

namespace powercut::testing {
namespace {

using faultfs::OpenMode;

// A database with one table and a transfer, and its log.
struct Story {
  Story() {
    database = on_disk.open();
    session = std::move(database->new_session()).value();
    REQUIRE(session->create_table({"accounts", {{"balance", engine::ColumnType::kInteger, true, false, 0}}}).has_value());
    REQUIRE(session->insert("accounts", "1", number_row(6900)).has_value());
    REQUIRE(session->update("accounts", "1", number_row(5900)).has_value());
  }

  Result<void> tell() {
    lines.clear();
    return on_disk.kind->describe_log(on_disk.files, "db", [&](std::string_view line) { lines.emplace_back(line); });
  }

  bool says(std::string_view text) const {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }

  void flip(const std::string& path, std::uint64_t at) {
    auto file = std::move(on_disk.files.open(path, OpenMode::kReadWrite)).value();
    std::array<byte, 1> bytes{};
    REQUIRE(file->read(at, bytes).value() == 1);
    bytes[0] ^= byte{4};
    REQUIRE(write_full(*file, at, bytes).has_value());
  }

  LedgerOnDisk on_disk;
  std::unique_ptr<engine::Database> database;
  std::unique_ptr<engine::Session> session;
  std::vector<std::string> lines;
};

}  // namespace

TEST_CASE("an update is told with its table, key and rows") {
  Story story;
  REQUIRE(story.tell().has_value());
  CHECK(story.says("UPDATE txn 3 accounts[1] 6900 -> 5900 (page 2 slot 0)"));
  CHECK(story.says("COMMIT txn 3"));
  CHECK(story.says("the log ends at LSN"));
}

TEST_CASE("rollback, checkpoint and what they say of each other are told") {
  Story story;
  REQUIRE(story.session->begin().has_value());
  REQUIRE(story.session->erase("accounts", "1").has_value());
  REQUIRE(story.database->checkpoint().has_value());
  REQUIRE(story.session->rollback().has_value());
  REQUIRE(story.session->insert("accounts", "2", number_row(7)).has_value());
  REQUIRE(story.tell().has_value());
  CHECK(story.says("DELETE txn 4 accounts[1] 5900"));
  CHECK(story.says("CLR INSERT txn 4 accounts[1] 5900"));
  CHECK(story.says("ROLLED BACK txn 4"));
  CHECK(story.says("active: txn 4 from LSN"));
}

TEST_CASE("a flipped bit in the log is named, with its file and place") {
  Story story;
  story.flip("db/log-00000001", 150);
  const auto told = story.tell();
  REQUIRE(told.has_error());
  CHECK(told.error().code() == ErrorCode::kCorrupt);
  CHECK(told.error().context().find("db/log-00000001: byte") == 0);
  CHECK(told.error().context().find("checksum") != std::string::npos);
}

TEST_CASE("any flipped bit in a closed database's log, data or control file is noticed or harmless") {
  property(
      "flipped bits",
      [] {
        Story story;
        story.session.reset();
        REQUIRE(story.database->close().has_value());
        story.database.reset();
        static constexpr std::string_view kFiles[] = {"db/log-00000001", "db/data", "db/control"};
        const std::string file(kFiles[*rc::gen::inRange(0, 3)]);
        const auto size = std::move(story.on_disk.files.open(file, OpenMode::kRead)).value()->size().value();
        story.flip(file, *rc::gen::inRange<std::uint64_t>(0, std::min<std::uint64_t>(size, 12000)));
        static_cast<void>(story.tell().has_error());
        // Whatever it was, an open gives the right rows or an error.
        auto opened = story.on_disk.engine->open(story.on_disk.files, "db");
        if (opened.has_error()) return;
        auto session = std::move(opened.value()->new_session()).value();
        std::string row;
        const auto got = session->get("accounts", "1", row);
        if (got.has_value()) RC_ASSERT(got.value() && row == number_row(5900));
      },
      3);
}

TEST_CASE("a directory without a database says so") {
  Story story;
  REQUIRE(story.on_disk.files.make_directory("empty").has_value());
  const auto told = story.on_disk.kind->describe_log(story.on_disk.files, "empty", [](std::string_view) {});
  CHECK(told.error().message() == "not found: empty: no database here: there is no file 'control'");
}

}  // namespace powercut::testing
