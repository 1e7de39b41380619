// What a test suite is told of engines that do worse than lose data, and of such that promise less.
#include "engine/key_value/key_value.h"
#include "faultfs/bytes.h"
#include "faultfs/hash.h"
#include "properties/testing.h"
#include "tests/support/temporary_directory.h"

#include <cstdlib>
#include <map>

namespace powercut::testing {
namespace {

using namespace properties;

// Writes its rows when it is closed, and never else: each crash leaves it empty.
class Forgetful final : public engine::KeyValueStore {
 public:
  Result<void> open(faultfs::FileSystem& files, std::string_view directory) {
    POWERCUT_TRY(file_, files.open(std::string(directory) + "/rows", faultfs::OpenMode::kCreate));
    POWERCUT_TRYV(files.sync_directory(directory));
    POWERCUT_TRY(const std::uint64_t size, file_->size());
    std::string text(size, '\0');
    POWERCUT_TRYV(read_full(*file_, 0, {reinterpret_cast<byte*>(text.data()), text.size()}));
    ByteReader in(as_bytes(text));
    const auto sum = in.get<std::uint32_t>();
    if (in.ok() && sum == crc32c(1, as_bytes(std::string_view(text).substr(sizeof sum)))) {
      while (in.remaining() > 0) {
        const std::string_view key = in.take_text(in.get<std::uint32_t>());
        rows_[std::string(key)] = in.take_text(in.get<std::uint32_t>());
      }
    }
    // What happens from now on is lost if it is not closed.
    POWERCUT_TRYV(file_->resize(0));
    return file_->sync(faultfs::SyncKind::kFull);
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    const auto found = rows_.find(std::string(key));
    if (found != rows_.end()) value = found->second;
    return found != rows_.end();
  }
  Result<void> scan(std::string_view from, std::string_view to, const engine::RowVisitor& visit) override {
    for (const auto& [key, value] : rows_) {
      if (key >= from && (to.empty() || key < to) && !visit(key, value)) break;
    }
    return success();
  }
  Result<void> write(std::span<const engine::KeyWrite> batch) override {
    for (const auto& [key, value] : batch) {
      rows_.erase(std::string(key));
      if (value) rows_[std::string(key)] = std::string(*value);
    }
    return success();
  }
  Result<void> close() override {
    std::string text;
    ByteWriter out(text);
    for (const auto& [key, value] : rows_) {
      out.put(static_cast<std::uint32_t>(key.size()));
      out.put_text(key);
      out.put(static_cast<std::uint32_t>(value.size()));
      out.put_text(value);
    }
    const std::uint32_t sum = crc32c(1, as_bytes(text));
    POWERCUT_TRYV(write_full(*file_, 0, std::as_bytes(std::span(&sum, 1))));
    POWERCUT_TRYV(write_full(*file_, sizeof sum, as_bytes(text)));
    return file_->sync(faultfs::SyncKind::kFull);
  }

 private:
  std::unique_ptr<faultfs::File> file_;
  std::map<std::string, std::string> rows_;
};

std::unique_ptr<engine::EngineKind> forgetful(engine::Guarantee guarantee) {
  const auto open = [](faultfs::FileSystem& files, std::string_view directory) -> Result<std::unique_ptr<engine::KeyValueStore>> {
    auto store = std::make_unique<Forgetful>();
    POWERCUT_TRYV(store->open(files, directory));
    return std::unique_ptr<engine::KeyValueStore>(std::move(store));
  };
  return engine::key_value_kind("forgetful", "a map, written when it is closed", open, guarantee);
}

}  // namespace

TEST_CASE("an engine is held to what it promises, and to more if asked") {
  const TemporaryDirectory directory;
  TestSetting setting{.workloads = {"bank"}, .case_directory = directory.path()};
  const SeedsPlan seeds{.seeds = 50};

  const Verdict promised = check_seeds(*forgetful({}), seeds, setting);
  INFO(promised.report);
  REQUIRE(promised.violation);
  CHECK(promised.violation->oracle == Oracle::kDurable);

  const auto modest = forgetful({.durable = false});
  const Verdict holds = check_seeds(*modest, seeds, setting);
  INFO(holds.report);
  CHECK(holds.holds);
  CHECK(holds.report.find("broken, and not promised: durable") != std::string::npos);
  const Verdict all = check_all_crash_states(*modest, {.seeds = 2, .steps = 3}, setting);
  INFO(all.report);
  CHECK(all.holds);
  CHECK(all.report.find("keeps what is promised") != std::string::npos);

  setting.judged_by = JudgedBy::kAll;
  CHECK(!check_seeds(*modest, seeds, setting).holds);
}

TEST_CASE("an engine that ends its process is a violation, and not the end of the suite") {
  const auto open = [](faultfs::FileSystem&, std::string_view) -> Result<std::unique_ptr<engine::KeyValueStore>> { std::abort(); };
  const auto kind = engine::key_value_kind("aborts", "a store that aborts", open);
  for (const Verdict& verdict : {check_seeds(*kind, {.seeds = 5}), check_all_crash_states(*kind, {.seeds = 1, .steps = 1})}) {
    INFO(verdict.report);
    CHECK(!verdict.holds);
    REQUIRE(verdict.violation);
    CHECK(verdict.violation->oracle == Oracle::kAlive);
    CHECK(verdict.report.find("the engine ended its process: signal 6") != std::string::npos);
    CHECK(verdict.case_file.empty());
  }
}

}  // namespace powercut::testing
