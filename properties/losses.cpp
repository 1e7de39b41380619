#include "properties/losses.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace powercut::properties {
namespace {

// Which of the acknowledged transactions have their marker, in order of their acknowledgement.
std::vector<bool> markers_there(engine::Session& session, const Workload& workload, const Model& model) {
  std::vector<bool> there(model.history().size(), false);
  std::string row;
  for (std::size_t at = 0; at < there.size(); ++at) {
    const auto& changes = model.history()[at];
    const auto marker = std::find_if(changes.begin(), changes.end(), [](const Change& change) {
      return change.kind == Change::Kind::kRow && change.table == 0 && change.after_exists;
    });
    if (marker == changes.end()) continue;
    const auto found = session.get(workload.tables()[0].name, marker->key, row);
    there[at] = found.has_value() && found.value();
  }
  return there;
}

std::string marker_of(const Model& model, std::size_t transaction) {
  for (const Change& change : model.history()[transaction]) {
    if (change.kind == Change::Kind::kRow && change.table == 0) return change.key;
  }
  return "?";
}

// What is there although something acknowledged before it is not.
std::string out_of_order(const Model& model, const std::vector<bool>& there, bool in_doubt) {
  const auto lost = std::find(there.begin(), there.end(), false);
  const auto kept = std::find(lost, there.end(), true);
  const std::string missing = marker_of(model, static_cast<std::size_t>(lost - there.begin()));
  if (kept == there.end()) {
    if (!in_doubt) return {};
    return "transaction " + missing + " is lost, and the one that was in doubt after it is there";
  }
  return "transaction " + missing + " is lost, and " + marker_of(model, static_cast<std::size_t>(kept - there.begin())) +
         ", acknowledged after it, is there";
}

// Whether a table is there that no set-up makes.
bool has_later_table(engine::Database& database, const Workload& workload) {
  const auto names = database.tables();
  if (names.has_error()) return false;
  for (std::uint32_t table = 0; table < workload.tables().size(); ++table) {
    const auto& all = names.value();
    if (!workload.made_at_set_up(table) && std::find(all.begin(), all.end(), workload.tables()[table].name) != all.end())
      return true;
  }
  return false;
}

}  // namespace

Losses look_at_losses(ModelComparison& comparison, engine::Database& database, engine::Session& session, const Promised& promised,
                      Violation found_wrong, const engine::Guarantee& guarantee, std::optional<Present>& found) {
  Losses losses;
  const auto breaks = [&](Violation violation) {
    losses.broken |= bit(violation.oracle);
    if (!losses.violation && promises(guarantee, violation.oracle)) losses.violation = std::move(violation);
  };
  const Model& model = promised.model;
  // Where nothing may be lost, what is wrong is known.
  if (guarantee.durable || found_wrong.oracle == Oracle::kAlive || found_wrong.oracle == Oracle::kIsolated ||
      model.sessions() > 1) {
    breaks(std::move(found_wrong));
    return losses;
  }
  const std::vector<bool> there = markers_there(session, comparison.workload(), model);
  if (std::all_of(there.begin(), there.end(), [](bool one) { return one; })) {
    breaks(std::move(found_wrong));
    return losses;
  }
  losses.broken |= bit(Oracle::kDurable);

  Model left = model.with_only(there);
  found.reset();
  auto wrong = comparison.compare(database, session, {left, promised.interrupted, promised.set_up}, found);
  std::string disorder = out_of_order(model, there, found && *found != 0);
  // Without the table of markers no transaction shows, but what a later one made may.
  if (wrong && disorder.empty() && !left.committed().tables[0].exists && has_later_table(database, comparison.workload())) {
    disorder = "transaction " + marker_of(model, 0) + " is lost, and a table that was made after it is there";
    wrong.reset();
  }
  if (!disorder.empty()) {
    breaks({Oracle::kOrdered, std::move(disorder), {}});
    // Later rows over earlier ones that are not there: no invariant survives that, and no user could go on from it.
    if (!wrong || wrong->oracle == Oracle::kConsistent) return losses;
  }
  if (!wrong) {
    losses.left = std::move(left);
    return losses;
  }
  // A marker without what its transaction wrote.
  if (wrong->oracle == Oracle::kDurable) {
    wrong->oracle = Oracle::kAtomic;
    wrong->summary = "a transaction is there in part";
  }
  breaks(std::move(*wrong));
  return losses;
}

}  // namespace powercut::properties
