// Options whose values are a short list, as those of engines that nobody here wrote are.
#pragma once

#include "engine/engine.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::engine {

// The value of each tunable, in their order: what is given, else the preset. kInvalidArgument, with what there is, for an
// option that is no tunable and for a value that is not among those worth trying.
Result<std::vector<std::string>> option_values(std::string_view engine, std::span<const Tunable> tunables,
                                               std::span<const Option> options);

// kInvalidArgument unless no defects are asked for: an engine that nobody here wrote has none planted.
Result<void> refuse_defects(std::string_view engine, std::span<const std::string> defects);

}  // namespace powercut::engine
