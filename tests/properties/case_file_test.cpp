#include "properties/case_file.h"
#include "faultfs/random.h"
#include "properties/workloads.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"
#include "tests/support/temporary_directory.h"

#include <nlohmann/json.hpp>

#include <fstream>

namespace powercut::testing {
namespace {

using namespace properties;

std::vector<std::unique_ptr<engine::EngineKind>> engines() {
  std::vector<std::unique_ptr<engine::EngineKind>> all;
  all.push_back(recovery::make_ledger_kind());
  return all;
}

Case some_case(const engine::EngineKind& kind, std::uint64_t seed) {
  Random random(seed);
  Case failing;
  failing.setting.kind = &kind;
  failing.setting.options = {{"frames", "8"}};
  failing.setting.defects = {"no-undo"};
  failing.setting.model = faultfs::preset("ext4-ordered").value();
  failing.setting.workload = workloads()[seed % workloads().size()];
  failing.seed = seed;
  failing.steps = steps_of_seed(*failing.setting.workload, seed, {1, 8}).value();
  failing.failure.crash_point = random.below(4) == 0 ? kNoCrash : random.below(100);
  for (std::uint32_t left = random.below(9); left > 0; --left) failing.failure.picks.push_back(random.below(5));
  if (failing.setting.workload->sessions() > 1) {
    for (std::uint32_t left = 1 + random.below(9); left > 0; --left) failing.failure.schedule.push_back(random.below(5));
  }
  failing.failure.violation = {Oracle::kAtomic, "it is \"there\"", {"a", "b"}};
  failing.trace_hash = random.next();
  return failing;
}

}  // namespace

TEST_CASE("a case reads as it was written") {
  const auto all = engines();
  property("case files", [&](std::uint64_t seed) {
    const Case written = some_case(*all[0], seed);
    const auto read = case_from_json(to_json(written), all);
    RC_ASSERT(read.has_value());
    RC_ASSERT(to_json(read.value()) == to_json(written));
    RC_ASSERT(read.value().steps == written.steps);
    RC_ASSERT(read.value().setting.model == written.setting.model);
    RC_ASSERT(read.value().failure.picks == written.failure.picks);
    RC_ASSERT(read.value().failure.schedule == written.failure.schedule);
    RC_ASSERT(read.value().failure.crash_point == written.failure.crash_point);
  });
}

TEST_CASE("a case file cut short or with any byte changed is refused") {
  const auto all = engines();
  property(
      "damaged case files",
      [&](std::uint64_t seed) {
        Random random(seed);
        const std::string text = to_json(some_case(*all[0], 3));
        // The last byte is a newline, which nothing depends on.
        const std::string cut = text.substr(0, random.below(static_cast<std::uint32_t>(text.size()) - 1));
        RC_ASSERT(case_from_json(cut, all).has_error());
        std::string changed = text;
        char& byte_changed = changed[random.below(static_cast<std::uint32_t>(text.size()))];
        const char before = byte_changed;
        byte_changed = static_cast<char>(random.below(256));
        const auto read = case_from_json(changed, all);
        // White space may change, nothing else.
        if (read.has_value()) {
          RC_ASSERT(nlohmann::json::parse(changed) == nlohmann::json::parse(text));
        } else {
          RC_ASSERT(before != byte_changed);
          RC_ASSERT(!read.error().context().empty());
        }
      },
      10);
}

TEST_CASE("a case that names what does not exist here says what does") {
  const auto all = engines();
  const auto with = [&](const char* name, const nlohmann::ordered_json& value) {
    auto json = nlohmann::ordered_json::parse(to_json(some_case(*all[0], 3)));
    json[name] = value;
    json.erase("checksum");
    const std::string body = json.dump();
    json["checksum"] = [&] {
      std::string digits(8, '0');
      std::snprintf(digits.data(), 9, "%08x", crc32c(~0U, as_bytes(body)));
      return digits;
    }();
    return case_from_json(json.dump(), all).error().message();
  };
  CHECK(with("engine", "oracle") == "invalid argument: no engine is called 'oracle'; there are: ledger");
  CHECK(with("version", 1) == "unsupported: case format version 1; this powercut reads versions 2 to 3");
  CHECK(with("fault", {{"kind", "flood"}}).find("no fault is called 'flood'; there are: read-error") != std::string::npos);
  CHECK(with("fault", {{"kind", "bit-rot"}, {"in_recovery", 1}}).find("in_recovery must be true or false") != std::string::npos);
  CHECK(with("workload", "none") ==
        "invalid argument: no workload is called 'none'; there are: bank kv savepoints sessions orders ddl");
  CHECK(with("defects", {"none"}).find("ledger has no defect 'none'; there are: ack-before-sync") != std::string::npos);
  CHECK(with("options", {{"frames", "1"}}).find("'1' is not a number from 8") != std::string::npos);
  CHECK(with("steps", nlohmann::ordered_json::array()).find("at least the set-up") != std::string::npos);
  CHECK(with("schedule", {"first"}).find("schedule must hold whole numbers") != std::string::npos);
  const auto with_step = [&](const char* name, const nlohmann::ordered_json& value) {
    auto steps = nlohmann::ordered_json::parse(to_json(some_case(*all[0], 3)))["steps"];
    nlohmann::ordered_json step = {{"kind", "transaction"}, {"isolation", "serializable"}, {"commit", true}};
    step["operations"] = nlohmann::ordered_json::array();
    step[name] = value;
    steps.push_back(step);
    return with("steps", steps);
  };
  CHECK(with_step("session", 4).find("step.session must be a whole number from 0 to 3") != std::string::npos);
  CHECK(with_step("session", "first").find("step.session must be a whole number") != std::string::npos);
  CHECK(with_step("isolation", "chaos").find("no isolation level is called 'chaos'; there are: 'read-uncommitted'") !=
        std::string::npos);
  CHECK(with_step("isolation", 3).find("step.isolation must be a string") != std::string::npos);
  CHECK(with("picks", {-1}).find("picks must hold whole numbers") != std::string::npos);
}

TEST_CASE("a case keeps every knob of its model, and its fault") {
  const auto all = engines();
  for (const auto& knob : faultfs::knobs()) {
    Case written = some_case(*all[0], 1);
    written.setting.fault = faultfs::Fault{faultfs::FaultKind::kBitRot, true, 7, 2};
    std::string_view values = knob.values;
    while (!values.empty()) {
      const auto value = values.substr(0, values.find(' '));
      values.remove_prefix(std::min(values.size(), value.size() + 1));
      REQUIRE(set_knob(written.setting.model, knob.name, value).has_value());
      const auto read = case_from_json(to_json(written), all);
      INFO(knob.name << "=" << value);
      REQUIRE(read.has_value());
      CHECK(read.value().setting.model == written.setting.model);
      CHECK(read.value().setting.fault == written.setting.fault);
    }
  }
}

TEST_CASE("a case file is written whole, and an error names its path") {
  const auto all = engines();
  const TemporaryDirectory directory;
  const Case written = some_case(*all[0], 5);
  const std::string path = directory.path() + "/case.json";
  REQUIRE(write_case_file(path, written).has_value());
  CHECK(to_json(read_case_file(path, all).value()) == to_json(written));
  CHECK(write_case_file(directory.path() + "/none/case.json", written).error().context().find("/none") != std::string::npos);
  CHECK(read_case_file(directory.path() + "/none.json", all).error().code() == ErrorCode::kNotFound);
  std::ofstream(directory.path() + "/empty.json");
  CHECK(read_case_file(directory.path() + "/empty.json", all).error().context() ==
        directory.path() + "/empty.json: not a case file: the JSON is broken or cut short");
}

}  // namespace powercut::testing
