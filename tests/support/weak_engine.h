// An engine of a kind that promises what its maker says, whatever it keeps: ledger with a planted defect.
#pragma once

#include "engine/engine.h"
#include "recovery/ledger_engine.h"

#include <memory>
#include <string>
#include <vector>

namespace powercut::testing {

class WeakKind final : public engine::EngineKind {
 public:
  WeakKind(std::string defect, engine::Guarantee promised) : defect_(std::move(defect)), promised_(promised) {}

  std::string_view name() const override { return "weak"; }
  std::string_view summary() const override { return "ledger with a defect, and a promise that may allow for it"; }
  std::span<const engine::Tunable> tunables() const override { return {}; }
  Result<std::unique_ptr<engine::Engine>> make(std::span<const engine::Option> options,
                                               std::span<const std::string> /*defects*/) const override {
    std::vector<std::string> planted;
    if (!defect_.empty()) planted.push_back(defect_);
    POWERCUT_TRY(auto engine, ledger_->make(options, planted));
    return std::unique_ptr<engine::Engine>(std::make_unique<Promising>(std::move(engine), promised_));
  }

 private:
  class Promising final : public engine::Engine {
   public:
    Promising(std::unique_ptr<engine::Engine> engine, engine::Guarantee promised)
        : engine_(std::move(engine)), promised_(promised) {}
    engine::Guarantee guarantee(const faultfs::PersistenceModel& /*model*/) const override { return promised_; }
    Result<std::unique_ptr<engine::Database>> open(faultfs::FileSystem& files, std::string_view directory,
                                                   const engine::Surroundings& surroundings) override {
      return engine_->open(files, directory, surroundings);
    }

   private:
    std::unique_ptr<engine::Engine> engine_;
    engine::Guarantee promised_;
  };

  std::unique_ptr<engine::EngineKind> ledger_ = recovery::make_ledger_kind();
  std::string defect_;
  engine::Guarantee promised_;
};

}  // namespace powercut::testing
