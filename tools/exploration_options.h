// What `explore` and `scenario --explore` have in common.
#pragma once

#include "command.h"
#include "properties/case.h"

#include <boost/program_options.hpp>

#include <cstdint>
#include <string>

namespace powercut::tools {

// How much is explored, and where a case file goes. `schedules`: the most interleavings, unless the user says.
boost::program_options::options_description exploration_options(std::uint64_t schedules);

// Explores one case as these options say, and tells of it; `again` is the command that does the same. An exit status.
int explore_given(const Invocation& invocation, const boost::program_options::variables_map& values, properties::Case given,
                  std::string again);

}  // namespace powercut::tools
