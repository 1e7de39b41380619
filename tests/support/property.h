// rapidcheck properties inside Catch2 test cases.
//
// rc::prop gives rapidcheck no identity for a property, so its printed reproduce string leaves failures out, and with
// such a string set every other property passes without having run. Here each property has an id, and one that ran no
// case fails.
#pragma once

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <sstream>
#include <string>

namespace powercut::testing {

// How many cases: 100 times `factor`, ten times as many with `tools/dev test --deep`.
template <class Testable>
void property(const std::string& id, Testable&& testable, double factor = 1) {
  rc::detail::TestMetadata metadata;
  metadata.id = id;
  metadata.description = id;
  auto parameters = rc::detail::configuration().testParams;
  const bool deep = std::getenv("POWERCUT_DEEP") != nullptr;
  parameters.maxSuccess = static_cast<int>(parameters.maxSuccess * factor * (deep ? 10 : 1));
  const auto result = rc::detail::checkTestable(std::forward<Testable>(testable), metadata, parameters);
  std::ostringstream message;
  rc::detail::printResultMessage(result, message);
  INFO(id << "\n" << message.str());
  REQUIRE(result.template is<rc::detail::SuccessResult>());
  REQUIRE(result.template get<rc::detail::SuccessResult>().numSuccess > 0);
}

}  // namespace powercut::testing
