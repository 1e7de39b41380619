// The options that say what runs on what: the same for `run` and for `replay --seed`, so that the same options mean the
// same bytes.
#pragma once

#include "command.h"
#include "properties/campaign.h"

#include <boost/program_options.hpp>

namespace powercut::tools {

boost::program_options::options_description campaign_options();

// kInvalidArgument, with what there is, for an unknown engine, option, defect, model, atom or workload.
Result<properties::CampaignPlan> campaign_plan(const Invocation& invocation, const boost::program_options::variables_map& values);

}  // namespace powercut::tools
