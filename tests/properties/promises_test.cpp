// What an engine promises decides what is a violation; what else breaks is counted.
#include "properties/promises.h"

#include "engine/key_value/key_value.h"
#include "properties/campaign.h"
#include "properties/case_file.h"
#include "properties/replay.h"
#include "properties/survey.h"
#include "tests/support/property.h"
#include "tests/support/weak_engine.h"

#include <charconv>
#include <map>

namespace powercut::testing {
namespace {

using namespace properties;
using engine::Guarantee;

Guarantee loses_a_suffix() {
  Guarantee weak;
  weak.durable = false;
  return weak;
}

struct Seen {
  bool violated = false;
  Oracle oracle = Oracle::kAlive;
  std::string summary;
  BreachCounts breaches{};
  std::uint64_t recoveries = 0;
};

std::uint64_t count(const Seen& seen, Oracle oracle) { return seen.breaches[static_cast<std::size_t>(oracle)]; }

Seen run(const engine::EngineKind& kind, JudgedBy judged_by, std::uint64_t seeds = 60) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.workloads.assign(workloads_alone().begin(), workloads_alone().end());
  plan.judged_by = judged_by;
  auto campaign = std::move(Campaign::make(plan)).value();
  Seen seen;
  SearchCount all;
  for (std::uint64_t seed = 1; seed <= seeds && !seen.violated; ++seed) {
    const auto failure = campaign.run(seed, nullptr, all);
    if (!failure) continue;
    seen.violated = true;
    seen.oracle = failure->violation.oracle;
    seen.summary = failure->violation.summary;
  }
  seen.breaches = all.breaches;
  seen.recoveries = all.recoveries;
  return seen;
}

// A store that keeps each batch in a file of its own, and syncs every other one.
class EveryOtherStore final : public engine::KeyValueStore {
 public:
  EveryOtherStore(faultfs::FileSystem& files, std::string_view directory) : files_(files), directory_(directory) {}

  Result<void> load() {
    POWERCUT_TRY(const auto entries, files_.list(directory_));
    std::map<int, std::string> batches;
    for (const auto& entry : entries) {
      int number = 0;
      std::from_chars(entry.name.data(), entry.name.data() + entry.name.size(), number);
      next_ = std::max(next_, number + 1);
      POWERCUT_TRY(const auto file, files_.open(directory_ + "/" + entry.name, faultfs::OpenMode::kRead));
      POWERCUT_TRY(const auto size, file->size());
      std::string& bytes = batches[number];
      bytes.resize(size);
      POWERCUT_TRYV(faultfs::read_full(*file, 0, std::as_writable_bytes(std::span(bytes))));
    }
    for (const auto& [number, bytes] : batches) apply(bytes);
    return success();
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    const auto found = rows_.find(std::string(key));
    if (found != rows_.end()) value = found->second;
    return found != rows_.end();
  }
  Result<void> scan(std::string_view from, std::string_view to, const engine::RowVisitor& visit) override {
    for (const auto& [key, value] : rows_) {
      if (key < from) continue;
      if ((!to.empty() && key >= to) || !visit(key, value)) break;
    }
    return success();
  }
  Result<void> write(std::span<const engine::KeyWrite> batch) override {
    std::string bytes;
    for (const auto& write : batch) {
      ByteWriter writer(bytes);
      writer.put(static_cast<std::uint32_t>(write.key.size()));
      writer.put_text(write.key);
      writer.put(write.value ? static_cast<std::int32_t>(write.value->size()) : -1);
      writer.put_text(write.value.value_or(""));
    }
    const int number = next_++;
    POWERCUT_TRY(const auto file, files_.open(directory_ + "/" + std::to_string(number), faultfs::OpenMode::kCreateNew));
    POWERCUT_TRYV(faultfs::write_full(*file, 0, as_bytes(bytes)));
    apply(bytes);
    if (number % 2 == 1) return success();
    POWERCUT_TRYV(file->sync(faultfs::SyncKind::kFull));
    return files_.sync_directory(directory_);
  }
  Result<void> close() override { return success(); }

 private:
  // What a crash left of a batch that was not synced counts if it is whole: the last bytes say so.
  void apply(std::string_view bytes) {
    ByteReader reader(std::as_bytes(std::span(bytes)));
    std::map<std::string, std::optional<std::string>> changes;
    while (reader.ok() && reader.remaining() > 0) {
      const std::string key(reader.take_text(reader.get<std::uint32_t>()));
      const auto length = reader.get<std::int32_t>();
      if (key.empty()) return;
      changes[key] = std::nullopt;
      if (length >= 0) changes[key] = std::string(reader.take_text(static_cast<std::size_t>(length)));
    }
    if (!reader.ok()) return;
    for (auto& [key, value] : changes) {
      if (value) {
        rows_[key] = std::move(*value);
      } else {
        rows_.erase(key);
      }
    }
  }

  faultfs::FileSystem& files_;
  std::string directory_;
  std::map<std::string, std::string> rows_;
  int next_ = 0;
};

std::unique_ptr<engine::EngineKind> every_other() {
  const auto open = [](faultfs::FileSystem& files, std::string_view directory) -> Result<std::unique_ptr<engine::KeyValueStore>> {
    auto store = std::make_unique<EveryOtherStore>(files, directory);
    POWERCUT_TRYV(store->load());
    return std::unique_ptr<engine::KeyValueStore>(std::move(store));
  };
  return engine::key_value_kind("every-other", "syncs every other batch", open, loses_a_suffix());
}

SurveyCell survey(const engine::EngineKind& kind, KeepCases keep) {
  SurveyPlan plan;
  plan.seeds = 40;
  plan.explored = 1;
  plan.explored_steps = 3;
  plan.recoveries = 2'000;
  plan.jobs = 2;
  plan.keep = keep;
  const std::atomic<bool> stop{false};
  return survey_cell(kind, kind.modes()[0], faultfs::preset("posix").value(), plan, stop, [](std::string_view) {}).value();
}

const PromiseSeen& of(const SurveyCell& cell, PromiseKind promise) { return cell.promises[static_cast<std::size_t>(promise)]; }

}  // namespace

TEST_CASE("to lose a suffix is no violation of an engine that promises no more, and is counted") {
  const WeakKind weak("ack-before-sync", loses_a_suffix());
  const Seen seen = run(weak, JudgedBy::kGuarantee);
  CHECK(!seen.violated);
  CHECK(count(seen, Oracle::kDurable) > 0);
  CHECK(count(seen, Oracle::kOrdered) == 0);
  CHECK(count(seen, Oracle::kAtomic) == 0);
  CHECK(count(seen, Oracle::kAlive) == 0);

  const Seen held_to_all = run(weak, JudgedBy::kAll);
  CHECK(held_to_all.violated);
  CHECK(held_to_all.oracle == Oracle::kDurable);
}

TEST_CASE("an engine that promises only part is still held to the rest") {
  const WeakKind weak("no-undo", loses_a_suffix());
  const Seen seen = run(weak, JudgedBy::kGuarantee, 400);
  CHECK(seen.violated);
  CHECK(seen.oracle == Oracle::kAtomic);
}

TEST_CASE("an engine that promises nothing has no violation, and all that breaks is counted") {
  Guarantee nothing = held_to(JudgedBy::kNothing, {});
  const Seen seen = run(WeakKind("no-undo", nothing), JudgedBy::kGuarantee, 400);
  CHECK(!seen.violated);
  CHECK(count(seen, Oracle::kAtomic) > 0);
  const Seen sound = run(WeakKind("", nothing), JudgedBy::kGuarantee);
  CHECK(!sound.violated);
  CHECK(to_text(sound.breaches).empty());
  CHECK(sound.recoveries > 500);
}

TEST_CASE("a transaction that outlives an earlier one breaks the order") {
  const auto kind = every_other();
  const Seen seen = run(*kind, JudgedBy::kNothing);
  CHECK(count(seen, Oracle::kDurable) > 0);
  CHECK(count(seen, Oracle::kOrdered) > 0);
  CHECK(count(seen, Oracle::kOrdered) <= count(seen, Oracle::kDurable));

  const Seen held_to_order = run(*kind, JudgedBy::kGuarantee);
  CHECK(held_to_order.violated);
  CHECK(held_to_order.oracle == Oracle::kOrdered);
  CHECK(held_to_order.summary.find(" is lost, and ") != std::string::npos);
}

TEST_CASE("a survey tells what was promised from what was seen") {
  const SurveyCell sound = survey(WeakKind("", {}), KeepCases::kLost);
  CHECK(!sound.disagrees());
  CHECK(sound.example.empty());
  for (const PromiseSeen& each : sound.promises) {
    CHECK(each.promised);
    CHECK(each.broken == 0);
  }

  const SurveyCell weaker = survey(WeakKind("ack-before-sync", loses_a_suffix()), KeepCases::kBroken);
  CHECK(!weaker.disagrees());
  CHECK(!of(weaker, PromiseKind::kDurable).promised);
  CHECK(of(weaker, PromiseKind::kDurable).broken > 0);
  CHECK(of(weaker, PromiseKind::kOrdered).broken == 0);
  CHECK(weaker.example.empty());
}

TEST_CASE("a survey keeps a case of what is broken although it was promised, and it replays") {
  std::vector<std::unique_ptr<engine::EngineKind>> kinds;
  kinds.push_back(std::make_unique<WeakKind>("ack-before-sync", Guarantee{}));
  const SurveyCell cell = survey(*kinds[0], KeepCases::kBroken);
  CHECK(cell.disagrees());
  CHECK(of(cell, PromiseKind::kDurable).broken > 0);
  REQUIRE(!cell.example.empty());
  const auto example = case_from_json(cell.example, kinds);
  REQUIRE(example.has_value());
  const auto again = replay(example.value(), false);
  REQUIRE(again.has_value());
  REQUIRE(again.value().violation);
  CHECK(again.value().violation->oracle == Oracle::kDurable);
  CHECK(again.value().trace_hash == example.value().trace_hash);
}

TEST_CASE("a survey keeps a case of what is lost where that is asked for") {
  std::vector<std::unique_ptr<engine::EngineKind>> kinds;
  kinds.push_back(std::make_unique<WeakKind>("ack-before-sync", loses_a_suffix()));
  const SurveyCell cell = survey(*kinds[0], KeepCases::kLost);
  REQUIRE(!cell.example.empty());
  const auto example = case_from_json(cell.example, kinds);
  REQUIRE(example.has_value());
  CHECK(example.value().setting.judged_by == JudgedBy::kAll);
  const auto again = replay(example.value(), false);
  REQUIRE(again.has_value());
  CHECK(again.value().violation);
}

TEST_CASE("every name of what to judge by is found again") {
  for (const JudgedBy each : {JudgedBy::kGuarantee, JudgedBy::kAll, JudgedBy::kNothing}) {
    CHECK(judged_by_of(to_string(each)).value() == each);
  }
  CHECK(judged_by_of("nobody").error().code() == ErrorCode::kInvalidArgument);
}

}  // namespace powercut::testing
