#include "properties/statements.h"

#include <algorithm>
#include <map>

namespace powercut::properties {
namespace {

constexpr std::size_t kMostTurns = 12;

bool ends(const Exchange& statement) { return statement.text == "commit" || statement.text == "rollback"; }

// Begins and ends, and what names one of the rows or goes over a range of its table.
bool is_about(const Exchange& statement, const std::vector<std::string>& rows) {
  if (statement.text.starts_with("begin") || ends(statement) || statement.text.starts_with("rollback to")) return true;
  return std::any_of(rows.begin(), rows.end(), [&](const std::string& row) {
    const std::string table = row.substr(0, row.find('[') + 1);
    const bool ranges = statement.text.starts_with("scan " + table) || statement.text.starts_with("edit " + table);
    return ranges || statement.text.find(row) != std::string::npos;
  });
}

std::string line(const Exchange& statement) {
  return (statement.transaction.empty() ? "" : statement.transaction + ", ") + "session " + std::to_string(statement.session) +
         ": " + statement.text + ": " + statement.answer;
}

}  // namespace

std::vector<std::string> statements_about(const Violation& violation, const std::vector<Exchange>& all) {
  const auto& wanted = violation.transactions;
  std::vector<const Exchange*> chosen;
  for (const Exchange& statement : all) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), statement.transaction) != wanted.end()) {
      chosen.push_back(&statement);
    }
  }
  if (chosen.size() > kMostStatements && !violation.rows.empty()) {
    std::erase_if(chosen, [&](const Exchange* statement) { return !is_about(*statement, violation.rows); });
  }
  std::vector<std::string> lines;
  if (chosen.size() > kMostStatements) {
    const std::size_t left_out = chosen.size() - kMostStatements;
    lines.push_back("… " + std::to_string(left_out) + " before");
    chosen.erase(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(left_out));
  }
  for (const Exchange* statement : chosen) lines.push_back(line(*statement));
  for (const std::string& transaction : wanted) {
    const auto last = std::find_if(all.rbegin(), all.rend(), [&](const Exchange& each) { return each.transaction == transaction; });
    if (last != all.rend() && !ends(*last)) lines.push_back(transaction + " had not been told of its end");
  }
  return lines;
}

std::string turns(const std::vector<Exchange>& all) {
  struct Turn {
    std::size_t session = 0;
    std::size_t first = 0;
    std::size_t last = 0;
  };
  std::vector<Turn> turns;
  std::map<std::size_t, std::size_t> done;
  for (const Exchange& statement : all) {
    const std::size_t number = ++done[statement.session];
    if (turns.empty() || turns.back().session != statement.session) turns.push_back({statement.session, number, number});
    turns.back().last = number;
  }
  std::string text;
  for (std::size_t at = 0; at < std::min(turns.size(), kMostTurns); ++at) {
    const Turn& turn = turns[at];
    text += (at == 0 ? "session " : "; session ") + std::to_string(turn.session) + ": ";
    if (turn.first == 1) {
      text += turn.last == 1 ? "its first statement" : "its first " + std::to_string(turn.last) + " statements";
    } else if (turn.first == turn.last) {
      text += std::to_string(turn.first);
    } else {
      text += std::to_string(turn.first) + (turn.last == turn.first + 1 ? " and " : " to ") + std::to_string(turn.last);
    }
  }
  if (turns.size() > kMostTurns) text += "; and " + std::to_string(turns.size() - kMostTurns) + " more turns";
  return text;
}

}  // namespace powercut::properties
