#include "engine/option_values.h"

#include <algorithm>

namespace powercut::engine {

Result<std::vector<std::string>> option_values(std::string_view engine, std::span<const Tunable> tunables,
                                               std::span<const Option> options) {
  std::vector<std::string> values;
  values.reserve(tunables.size());
  for (const Tunable& tunable : tunables) values.emplace_back(tunable.preset);
  for (const Option& option : options) {
    const auto of = std::find_if(tunables.begin(), tunables.end(), [&](const Tunable& each) { return each.name == option.name; });
    if (of == tunables.end()) {
      std::string message = std::string(engine) + " has no option '" + option.name + "'; there are:";
      for (const Tunable& each : tunables) message.append(" ").append(each.name);
      return Error(ErrorCode::kInvalidArgument, std::move(message));
    }
    const auto& worth_trying = of->values_worth_trying;
    if (std::find(worth_trying.begin(), worth_trying.end(), option.value) == worth_trying.end()) {
      std::string message =
          "the option " + option.name + " of " + std::string(engine) + " cannot be '" + option.value + "'; it is one of:";
      for (const std::string_view each : worth_trying) message.append(" ").append(each);
      return Error(ErrorCode::kInvalidArgument, std::move(message));
    }
    values[static_cast<std::size_t>(of - tunables.begin())] = option.value;
  }
  return values;
}

Result<void> refuse_defects(std::string_view engine, std::span<const std::string> defects) {
  if (defects.empty()) return success();
  return Error(ErrorCode::kInvalidArgument,
               std::string(engine) + " has no planted defects, so none is called '" + defects[0] + "'");
}

}  // namespace powercut::engine
