// The engine that is made of an ordered map of bytes, over the simplest there is.
#include "engine/key_value/key_value.h"
#include "tests/support/engine_conformance.h"
#include "tests/support/ledger_database.h"

#include <functional>
#include <map>

namespace powercut::testing {
namespace {

using namespace engine;

// A map that is written whole to one file by each batch. `watch` sees each batch before, and may refuse it.
class MapStore final : public KeyValueStore {
 public:
  using Watch = std::function<Result<void>(std::span<const KeyWrite>)>;

  static Result<std::unique_ptr<KeyValueStore>> open(faultfs::FileSystem& files, std::string_view directory, Watch watch) {
    auto store = std::make_unique<MapStore>();
    store->watch_ = std::move(watch);
    POWERCUT_TRY(store->file_, files.open(std::string(directory) + "/map", faultfs::OpenMode::kCreate));
    POWERCUT_TRY(const auto bytes, store->file_->size());
    std::string text(bytes, '\0');
    POWERCUT_TRYV(faultfs::read_full(*store->file_, 0, std::as_writable_bytes(std::span(text))));
    for (std::size_t at = 0; text_column(text, at); at += 2) {
      store->map_[std::string(*text_column(text, at))] = *text_column(text, at + 1);
    }
    return std::unique_ptr<KeyValueStore>(std::move(store));
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    const auto found = map_.find(key);
    if (found != map_.end()) value = found->second;
    return found != map_.end();
  }
  Result<void> scan(std::string_view from, std::string_view to, const RowVisitor& visit) override {
    for (auto at = map_.lower_bound(from); at != map_.end() && (to.empty() || at->first < to); ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return success();
  }
  Result<void> write(std::span<const KeyWrite> batch) override {
    if (watch_) POWERCUT_TRYV(watch_(batch));
    for (const KeyWrite& write : batch) {
      if (write.value) {
        map_[std::string(write.key)] = *write.value;
      } else {
        map_.erase(std::string(write.key));
      }
    }
    std::vector<Value> values;
    for (const auto& [key, value] : map_) {
      values.emplace_back(std::string_view(key));
      values.emplace_back(std::string_view(value));
    }
    std::string text;
    encode_row(values, text);
    POWERCUT_TRYV(file_->resize(0));
    return faultfs::write_full(*file_, 0, std::as_bytes(std::span(text)));
  }
  Result<void> close() override { return success(); }

 private:
  Watch watch_;
  std::unique_ptr<faultfs::File> file_;
  std::map<std::string, std::string, std::less<>> map_;
};

std::unique_ptr<Engine> map_engine(MapStore::Watch watch = {}) {
  return key_value_engine(
      [watch = std::move(watch)](faultfs::FileSystem& files, std::string_view directory) {
        return MapStore::open(files, directory, watch);
      },
      [](const faultfs::PersistenceModel&) { return Guarantee{}; });
}

}  // namespace

TEST_CASE("an engine made of a map does what is asked of an engine") { conforms(*map_engine()); }

TEST_CASE("ledger does what is asked of an engine") { conforms(*std::move(recovery::make_ledger_kind()->make({}, {})).value()); }

TEST_CASE("a transaction reaches the store as one batch, each key once and in order") {
  std::vector<std::vector<std::string>> batches;
  const auto engine = map_engine([&](std::span<const KeyWrite> batch) -> Result<void> {
    batches.emplace_back();
    for (const KeyWrite& write : batch)
      batches.back().push_back(std::string(write.key.substr(write.key.size() - 1)) + (write.value ? "" : " goes"));
    return success();
  });
  ConformanceDatabase on(*engine);
  Session& session = on.session();
  REQUIRE(session.create_table(conformance::kAccounts).has_value());
  REQUIRE(session.insert("accounts", "x", number_row(1)).has_value());
  batches.clear();
  REQUIRE(session.begin().has_value());
  REQUIRE(session.insert("accounts", "b", number_row(1)).has_value());
  REQUIRE(session.insert("accounts", "a", number_row(1)).has_value());
  REQUIRE(session.update("accounts", "b", number_row(2)).has_value());
  REQUIRE(session.erase("accounts", "x").has_value());
  CHECK(batches.empty());
  REQUIRE(session.commit().has_value());
  REQUIRE(session.begin().has_value());
  REQUIRE(session.put("accounts", "c", number_row(1)).has_value());
  REQUIRE(session.rollback().has_value());
  REQUIRE(session.begin().has_value());
  REQUIRE(session.commit().has_value());
  CHECK(batches == std::vector<std::vector<std::string>>{{"a", "b", "x goes"}});
}

TEST_CASE("a commit that the store refuses is in doubt, and nothing of it stays with the session") {
  bool refuse = false;
  const auto engine = map_engine([&](std::span<const KeyWrite>) -> Result<void> {
    if (refuse) return Error(ErrorCode::kIo, "refused");
    return success();
  });
  ConformanceDatabase on(*engine);
  Session& session = on.session();
  REQUIRE(session.create_table(conformance::kAccounts).has_value());
  refuse = true;
  CHECK(conformance::said(session.insert("accounts", "a", number_row(1))) == "I/O error");
  REQUIRE(session.begin().has_value());
  REQUIRE(session.insert("accounts", "b", number_row(1)).has_value());
  CHECK(conformance::said(session.commit()) == "I/O error");
  CHECK(conformance::said(session.rollback()) == "stopped");
  refuse = false;
  CHECK(conformance::contents(session, "accounts").empty());
  REQUIRE(session.insert("accounts", "c", number_row(1)).has_value());
  CHECK(conformance::contents(session, "accounts") == "c=1");
}

TEST_CASE("a schema that cannot be read is damage") {
  const auto engine = map_engine();
  faultfs::SimDisk disk;
  faultfs::SimFileSystem files(disk);
  {
    const auto database = std::move(engine->open(files, "db")).value();
    REQUIRE(std::move(database->new_session()).value()->create_table(conformance::kAccounts).has_value());
    auto store = std::move(MapStore::open(files, "db", {})).value();
    const KeyWrite damage{"taccounts", "damage"};
    REQUIRE(store->write(std::span(&damage, 1)).has_value());
  }
  const auto database = std::move(engine->open(files, "db")).value();
  const auto session = std::move(database->new_session()).value();
  CHECK(conformance::contents(*session, "accounts") == "corrupt");
  CHECK(conformance::said(session->create_table(conformance::kUsers)) == "corrupt");
}

TEST_CASE("foreign keys and defects are refused") {
  const auto kind = key_value_kind(
      "map", "a map", [](faultfs::FileSystem& files, std::string_view directory) { return MapStore::open(files, directory, {}); });
  CHECK(kind->make(std::vector<Option>{{"x", "1"}}, {}).error().code() == ErrorCode::kInvalidArgument);
  CHECK(kind->make({}, std::vector<std::string>{"x"}).error().code() == ErrorCode::kInvalidArgument);
  const auto engine = std::move(kind->make({}, {})).value();
  ConformanceDatabase on(*engine);
  const TableSchema referring{"referring", {{"to", ColumnType::kText, false, false, {}, "accounts"}}};
  CHECK(conformance::said(on.session().create_table(referring)) == "unsupported");
}

}  // namespace powercut::testing
