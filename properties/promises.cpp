#include "properties/promises.h"

namespace powercut::properties {
namespace {

constexpr std::array<std::string_view, 3> kNames{"guarantee", "all", "nothing"};

}  // namespace

std::string_view to_string(JudgedBy judged_by) { return kNames[static_cast<std::size_t>(judged_by)]; }

Result<JudgedBy> judged_by_of(std::string_view name) {
  std::string message = "nothing to judge by is called '" + std::string(name) + "'; there are:";
  for (std::size_t at = 0; at < kNames.size(); ++at) {
    if (kNames[at] == name) return static_cast<JudgedBy>(at);
    message.append(" ").append(kNames[at]);
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

engine::Guarantee held_to(JudgedBy judged_by, const engine::Guarantee& guarantee) {
  if (judged_by == JudgedBy::kAll) return {};
  if (judged_by == JudgedBy::kNothing) return {false, false, false, false, false, {}};
  return guarantee;
}

bool promises(const engine::Guarantee& guarantee, Oracle oracle) {
  switch (oracle) {
    case Oracle::kDurable:
    case Oracle::kIdempotent:
      return guarantee.durable;
    case Oracle::kAtomic:
    case Oracle::kIsolated:
      return guarantee.atomic;
    case Oracle::kConsistent:
      return guarantee.consistent;
    case Oracle::kOrdered:
      return guarantee.ordered;
    case Oracle::kAlive:
      return guarantee.recovers;
    case Oracle::kHonest:
      return true;
  }
  return true;
}

std::string to_text(const BreachCounts& counts) {
  std::string text;
  for (std::size_t at = 0; at < counts.size(); ++at) {
    if (counts[at] == 0) continue;
    text.append(text.empty() ? "" : ", ").append(to_string(static_cast<Oracle>(at))).append(" " + std::to_string(counts[at]));
  }
  return text;
}

}  // namespace powercut::properties
