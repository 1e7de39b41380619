#include "tools/measure/peers.h"

namespace powercut::measure {
namespace {

class Missing final : public Contender {
 public:
  explicit Missing(std::string name) : name_(std::move(name)) {}

  std::string_view name() const override { return name_; }
  std::string_view setting() const override { return ""; }
  std::uint32_t most_clients() const override { return 1; }
  Result<void> prepare(const std::string& /*directory*/, const Load& /*load*/) override { return missing(); }
  Result<Measured> run(const Load& /*load*/) override { return missing(); }
  Result<void> check(const Load& /*load*/) override { return missing(); }

 private:
  Error missing() const { return {ErrorCode::kUnsupported, "built without " + name_}; }

  std::string name_;
};

}  // namespace

std::vector<std::unique_ptr<Contender>> make_peers(std::span<const std::string> names) {
  std::vector<std::unique_ptr<Contender>> peers;
  for (const std::string& name : names) peers.push_back(std::make_unique<Missing>(name));
  return peers;
}

}  // namespace powercut::measure
