// Campaigns over engines that misbehave in ways of their own.
#include "properties/campaign.h"
#include "properties/workers.h"
#include "recovery/ledger_engine.h"
#include "tests/support/property.h"

#include <csignal>
#include <cstdlib>

namespace powercut::testing {
namespace {

using namespace properties;

// An engine that opens once and whose recovery ends the process.
class Crashing final : public engine::Engine {
 public:
  explicit Crashing(std::unique_ptr<engine::Engine> engine) : engine_(std::move(engine)) {}
  engine::Guarantee guarantee(const faultfs::PersistenceModel& model) const override { return engine_->guarantee(model); }
  Result<std::unique_ptr<engine::Database>> open(faultfs::FileSystem& files, std::string_view directory,
                                                 const engine::Surroundings& surroundings) override {
    if (files.exists(std::string(directory) + "/control").value()) std::abort();
    return engine_->open(files, directory, surroundings);
  }

 private:
  std::unique_ptr<engine::Engine> engine_;
};

class CrashingKind final : public engine::EngineKind {
 public:
  std::string_view name() const override { return "crashing"; }
  std::string_view summary() const override { return "ends the process when it recovers"; }
  std::span<const engine::Tunable> tunables() const override { return {}; }
  std::span<const engine::Defect> defects() const override { return {}; }
  Result<std::unique_ptr<engine::Engine>> make(std::span<const engine::Option> options,
                                               std::span<const std::string> defects) const override {
    POWERCUT_TRY(auto engine, ledger_->make(options, defects));
    return std::unique_ptr<engine::Engine>(std::make_unique<Crashing>(std::move(engine)));
  }
  Result<void> describe_log(faultfs::FileSystem& /*files*/, std::string_view /*directory*/,
                            const engine::LineSink& /*line*/) const override {
    return success();
  }

 private:
  std::unique_ptr<engine::EngineKind> ledger_ = recovery::make_ledger_kind();
};

CampaignPlan plan_for(const engine::EngineKind& kind) {
  CampaignPlan plan;
  plan.kind = &kind;
  plan.model = faultfs::preset("posix").value();
  plan.workloads.assign(workloads().begin(), workloads().end());
  return plan;
}

}  // namespace

TEST_CASE("an engine that ends the process is a finding, and takes nobody with it") {
  const CrashingKind kind;
  auto campaign = std::move(Campaign::make(plan_for(kind))).value();
  const std::atomic<bool> stop{false};
  const auto report = run_campaign(campaign, {1, 50, 2}, stop, nullptr);
  REQUIRE(report.has_value());
  REQUIRE(report.value().failing_item);
  CHECK(report.value().worker_death.find("signal 6") == 0);
}

TEST_CASE("an interrupted campaign gives the figures so far") {
  const auto kind = recovery::make_ledger_kind();
  auto campaign = std::move(Campaign::make(plan_for(*kind))).value();
  std::atomic<bool> stop{false};
  const auto report = run_campaign(campaign, {1, 1'000'000'000, 2}, stop, [&](const WorkFigures& figures) {
    if (figures.items > 20) stop = true;
    return true;
  });
  REQUIRE(report.has_value());
  CHECK(report.value().interrupted);
  CHECK(report.value().figures.items > 20);
  CHECK_FALSE(report.value().failing_item);
}

TEST_CASE("the same seed is the same case, another seed another") {
  const auto kind = recovery::make_ledger_kind();
  const auto campaign = std::move(Campaign::make(plan_for(*kind))).value();
  property("seeds", [&](std::uint64_t seed) {
    const Setting setting = campaign.setting_of(seed);
    RC_ASSERT(setting.options == campaign.setting_of(seed).options);
    const auto steps = steps_of_seed(*setting.workload, seed, {1, 16}).value();
    RC_ASSERT(steps == steps_of_seed(*setting.workload, seed, {1, 16}).value());
    RC_ASSERT(steps.front().kind == StepKind::kSetUp);
    RC_ASSERT(steps.size() >= 2U && steps.size() <= 17U);
  });
}

}  // namespace powercut::testing
