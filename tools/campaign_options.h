// The options that say what runs on what: the same for `run` and for `replay --seed`, so that the same options mean the
// same bytes.
#pragma once

#include "command.h"
#include "properties/campaign.h"

#include <boost/program_options.hpp>

namespace powercut::tools {

// What `explore` takes too.
boost::program_options::options_description setting_options(const Invocation& invocation);
boost::program_options::options_description campaign_options(const Invocation& invocation);

// kInvalidArgument, with what there is, for an unknown engine, option, defect, model, knob, atom, workload or level, and for
// a workload that cannot be what the other options say.
Result<properties::CampaignPlan> campaign_plan(const Invocation& invocation, const boost::program_options::variables_map& values);

// The setting as options of a command line: " --engine ledger --set …"; a plan's with the isolation level.
std::string setting_words(const properties::CampaignPlan& plan);
std::string setting_words(const properties::Setting& setting);

}  // namespace powercut::tools
