#include "survey_report.h"

#include "finding.h"
#include "html.h"
#include "terminal.h"

#include <fmt/format.h>

namespace powercut::tools {

using Json = nlohmann::ordered_json;
using properties::kPromiseCount;
using properties::PromiseKind;
using properties::PromiseSeen;
using properties::SurveyCell;
using properties::SurveyPlan;

namespace {

std::uint64_t recoveries(const SurveyCell& cell) { return cell.random.count.recoveries + cell.explored.count.recoveries; }

std::uint64_t per_second(const SurveyCell& cell) {
  const double seconds = cell.random.processor_seconds + cell.explored.processor_seconds;
  return seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(recoveries(cell)) / seconds) : 0;
}

std::string coverage(const SurveyCell& cell) {
  if (!cell.exhaustive) return fmt::format("2^{:.1f}, in part", cell.bits);
  return fmt::format("2^{:.1f}, all{}", cell.bits, cell.further_exhaustive ? ", further crashes too" : "");
}

}  // namespace

std::string_view verdict(const PromiseSeen& seen) {
  if (seen.promised) return seen.broken > 0 ? "BROKEN" : "yes";
  return seen.broken > 0 ? "no" : "unseen";
}

std::string survey_heading() {
  std::string line = fmt::format("{:<8} {:<22} {:<15}", "engine", "mode", "model");
  for (std::size_t at = 0; at < kPromiseCount; ++at) line += fmt::format(" {:<10}", to_string(static_cast<PromiseKind>(at)));
  return line + fmt::format(" {:>10}  {}", "recoveries", "explored");
}

std::string survey_line(const SurveyedCell& surveyed) {
  const SurveyCell& cell = surveyed.cell;
  std::string line = fmt::format("{:<8} {:<22} {:<15}", cell.kind->name(), cell.mode.name, cell.model.name);
  for (const PromiseSeen& seen : cell.promises) line += fmt::format(" {:<10}", verdict(seen));
  line += fmt::format(" {:>10}  {}", grouped(recoveries(cell)), coverage(cell));
  if (cell.wrong_powered_on > 0) line += fmt::format("\n  wrong with the power on in {} cases", cell.wrong_powered_on);
  for (const auto& how : cell.deaths) line += "\n  the engine ended its process: " + how;
  if (cell.disagrees()) line += "\n  survey this cell again with: " + surveyed.command;
  if (!surveyed.case_file.empty()) {
    line += fmt::format("\n  {}: {}", surveyed.case_file, surveyed.summary);
  } else if (!cell.no_example.empty()) {
    line += "\n  no case file: " + cell.no_example;
  }
  return line;
}

Json survey_json(const std::vector<SurveyedCell>& cells, const SurveyPlan& plan) {
  Json document;
  document["command"] = "survey";
  document["first_seed"] = plan.first_seed;
  document["seeds"] = plan.seeds;
  document["explored_cases"] = plan.explored;
  document["explored_steps"] = plan.explored_steps;
  document["nested"] = plan.nested;
  document["cells"] = Json::array();
  for (const SurveyedCell& surveyed : cells) {
    const SurveyCell& cell = surveyed.cell;
    Json json;
    json["engine"] = cell.kind->name();
    json["mode"] = cell.mode.name;
    json["options"] = Json::object();
    for (const auto& option : cell.mode.options) json["options"][option.name] = option.value;
    json["model"] = cell.model.name;
    json["documentation"] = cell.source;
    for (std::size_t at = 0; at < kPromiseCount; ++at) {
      json["promises"][std::string(to_string(static_cast<PromiseKind>(at)))] = {{"promised", cell.promises[at].promised},
                                                                                {"broken_in_recoveries", cell.promises[at].broken},
                                                                                {"verdict", verdict(cell.promises[at])}};
    }
    json["wrong_with_the_power_on"] = cell.wrong_powered_on;
    json["process_deaths"] = cell.deaths;
    json["disagrees_with_documentation"] = cell.disagrees();
    json["crash_states"] = cell.random.count.states + cell.explored.count.states;
    json["recoveries"] = recoveries(cell);
    json["recoveries_per_second_per_core"] = per_second(cell);
    json["log2_states_explored"] = cell.bits;
    json["exhaustive"] = cell.exhaustive;
    json["further_crashes_exhaustive"] = cell.further_exhaustive;
    json["case_file"] = surveyed.case_file.empty() ? Json(nullptr) : Json(surveyed.case_file);
    json["violation"] = surveyed.summary.empty() ? Json(nullptr) : Json(surveyed.summary);
    json["command"] = surveyed.command;
    document["cells"].push_back(std::move(json));
  }
  return document;
}

std::string survey_html(const std::vector<SurveyedCell>& cells, const SurveyPlan& plan) {
  std::string page =
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>powercut "
      "survey</title>\n"
      "<style>:root{color-scheme:light dark;--bg:#fdfdfb;--fg:#222;--dim:#5c5c5c;--line:#dcdcd6;--yes:#d8efe3;--no:#f5ead0;"
      "--unseen:#ececea;--broken:#c8321e}@media(prefers-color-scheme:dark){:root{--bg:#16181c;--fg:#ececec;--dim:#a8adb3;"
      "--line:#33363c;--yes:#16412f;--no:#4a3b14;--unseen:#2a2d32;--broken:#e0523d}}"
      "body{font:15px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--fg);margin:2rem auto;padding:0 "
      "1rem;max-width:96rem}"
      "table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;"
      "vertical-align:top}th{position:sticky;top:0;background:var(--bg)}td.n{text-align:right;font-variant-numeric:tabular-nums}"
      ".yes{background:var(--yes)}.no{background:var(--no)}.unseen{background:var(--unseen)}"
      ".BROKEN{background:var(--broken);color:#fff;font-weight:600}.dim{color:var(--dim);font-size:.85em}.BROKEN "
      ".dim{color:inherit;font-weight:400}code{font-size:.85em}"
      "td:last-child{min-width:22rem}"
      ".wide{overflow-x:auto}dt{float:left;width:7rem;clear:left}dd{margin:0 0 .2rem 7rem}</style>\n"
      "<h1>What survives a power failure</h1>\n";
  page += fmt::format(
      "<p>Each line is an engine in one mode on one kind of disk: {} random cases, and all crash states of {} more as far as the "
      "budget went. The documentation says what is promised; powercut says what was seen.</p>\n<dl>",
      plan.seeds, plan.explored);
  page +=
      "<dt><span class=yes>yes</span><dd>promised, and never seen broken<dt><span class=BROKEN>BROKEN</span><dd>promised, and "
      "broken"
      "<dt><span class=no>no</span><dd>not promised, and seen broken<dt><span class=unseen>unseen</span><dd>not promised, and all "
      "the "
      "same never seen broken</dl>\n<dl>";
  for (std::size_t at = 0; at < kPromiseCount; ++at) {
    const auto promise = static_cast<PromiseKind>(at);
    page += fmt::format("<dt>{}<dd>{}", to_string(promise), describe(promise));
  }
  page += "</dl>\n<div class=wide><table><thead><tr><th>engine<th>mode<th>model";
  for (std::size_t at = 0; at < kPromiseCount; ++at) page += fmt::format("<th>{}", to_string(static_cast<PromiseKind>(at)));
  page += "<th>recoveries<th>crash states explored<th>how to see it</thead><tbody>\n";
  for (const SurveyedCell& surveyed : cells) {
    const SurveyCell& cell = surveyed.cell;
    page +=
        fmt::format("<tr><td>{}<td>{}<br><span class=dim>{}. Documentation: {}</span><td>{}", html_text(cell.kind->name()),
                    html_text(cell.mode.name), html_text(cell.mode.summary), html_text(cell.source), html_text(cell.model.name));
    for (const PromiseSeen& seen : cell.promises) {
      page += fmt::format("<td class={0}>{0}", verdict(seen));
      if (seen.broken > 0) page += fmt::format("<br><span class=dim>{} times</span>", grouped(seen.broken));
    }
    page += fmt::format("<td class=n>{}<td>{}<td>", grouped(recoveries(cell)), coverage(cell));
    page += fmt::format("<details><summary>command</summary><code>{}</code></details>", html_text(surveyed.command));
    if (!surveyed.case_file.empty()) {
      page += fmt::format("<code>powercut replay {}</code><br>{}", html_text(shell_word(surveyed.case_file)),
                          html_text(surveyed.summary));
    }
    if (cell.wrong_powered_on > 0) page += fmt::format("<br>wrong with the power on in {} cases", cell.wrong_powered_on);
    for (const auto& how : cell.deaths) page += "<br>the engine ended its process: " + html_text(how);
    page += "\n";
  }
  return page + "</tbody></table></div></html>\n";
}

}  // namespace powercut::tools
