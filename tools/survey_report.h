// A survey as text, as JSON and as a page.
#pragma once

#include "properties/survey.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace powercut::tools {

// A cell with what its reader does next.
struct SurveyedCell {
  properties::SurveyCell cell;
  std::string command;    // that surveys this cell alone
  std::string case_file;  // empty if there is none
  std::string summary;    // of the violation in it
};

// One word: "yes" promised and never broken, "BROKEN" promised and broken, "no" not promised and broken, "unseen" not promised, and
// all the same never broken.
std::string_view verdict(const properties::PromiseSeen& seen);

// The heading of the table and the line of a cell, of equal width.
std::string survey_heading();
std::string survey_line(const SurveyedCell& surveyed);

nlohmann::ordered_json survey_json(const std::vector<SurveyedCell>& cells, const properties::SurveyPlan& plan);
// One page that needs nothing from outside, and follows the reader's light or dark setting.
std::string survey_html(const std::vector<SurveyedCell>& cells, const properties::SurveyPlan& plan);

}  // namespace powercut::tools
