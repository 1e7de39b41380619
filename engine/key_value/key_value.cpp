#include "engine/key_value/key_value.h"

#include "engine/key_value/key_value_session.h"
#include "engine/option_values.h"

#include <utility>

namespace powercut::engine {
namespace {

class KeyValueDatabase final : public Database {
 public:
  explicit KeyValueDatabase(std::unique_ptr<KeyValueStore> store) : store_(std::move(store)) {}

  Result<std::unique_ptr<Session>> new_session() override {
    return std::unique_ptr<Session>(std::make_unique<KeyValueSession>(*store_));
  }
  Result<std::vector<std::string>> tables() override { return KeyValueSession(*store_).tables(); }
  Result<void> checkpoint() override { return store_->checkpoint(); }
  Result<void> close() override { return store_->close(); }

 private:
  std::unique_ptr<KeyValueStore> store_;
};

class KeyValueEngine final : public Engine {
 public:
  KeyValueEngine(StoreOpener open, std::function<Guarantee(const faultfs::PersistenceModel&)> guarantee)
      : open_(std::move(open)), guarantee_(std::move(guarantee)) {}

  Guarantee guarantee(const faultfs::PersistenceModel& model) const override { return guarantee_(model); }

  Result<std::unique_ptr<Database>> open(faultfs::FileSystem& files, std::string_view directory,
                                         const Surroundings& /*surroundings*/) override {
    POWERCUT_TRY(const bool exists, files.exists(directory));
    if (!exists) POWERCUT_TRYV(files.make_directory(directory));
    // Also if it exists: whoever made it may have died before its name was durable.
    POWERCUT_TRYV(files.sync_directory(faultfs::parent_of(directory)));
    POWERCUT_TRY(auto store, open_(files, directory));
    return std::unique_ptr<Database>(std::make_unique<KeyValueDatabase>(std::move(store)));
  }

 private:
  StoreOpener open_;
  std::function<Guarantee(const faultfs::PersistenceModel&)> guarantee_;
};

class KeyValueKind final : public EngineKind {
 public:
  KeyValueKind(std::string name, std::string summary, StoreOpener open, Guarantee guarantee)
      : name_(std::move(name)), summary_(std::move(summary)), open_(std::move(open)), guarantee_(guarantee) {}

  std::string_view name() const override { return name_; }
  std::string_view summary() const override { return summary_; }
  std::span<const Tunable> tunables() const override { return {}; }

  Result<std::unique_ptr<Engine>> make(std::span<const Option> options, std::span<const std::string> defects) const override {
    POWERCUT_TRYV(refuse_defects(name_, defects));
    POWERCUT_TRY([[maybe_unused]] const auto values, option_values(name_, {}, options));
    return key_value_engine(open_, [guarantee = guarantee_](const faultfs::PersistenceModel&) { return guarantee; });
  }

 private:
  std::string name_;
  std::string summary_;
  StoreOpener open_;
  Guarantee guarantee_;
};

}  // namespace

std::unique_ptr<Engine> key_value_engine(StoreOpener open, std::function<Guarantee(const faultfs::PersistenceModel&)> guarantee) {
  return std::make_unique<KeyValueEngine>(std::move(open), std::move(guarantee));
}

std::unique_ptr<EngineKind> key_value_kind(std::string name, std::string summary, StoreOpener open, Guarantee guarantee) {
  return std::make_unique<KeyValueKind>(std::move(name), std::move(summary), std::move(open), guarantee);
}

}  // namespace powercut::engine
