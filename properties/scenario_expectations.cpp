// What a scenario expects, and its invariants.
#include "properties/scenario_run.h"

#include <algorithm>

namespace powercut::properties {

using EventKind = ScenarioEvent::Kind;

void ScenarioRun::judge_invariants(ScenarioLife& life) {
  for (const SumInvariant& invariant : scenario_.invariants) {
    const std::string text = invariant.sum.text + " = " + std::to_string(invariant.total);
    if (!book_.committed.contains(invariant.sum.table)) {
      tell(EventKind::kNote, text + ": not judged, there is no such table");
      continue;
    }
    const auto answer = std::make_shared<Answer>();
    const auto wait = by_nobody(life, [this, answer, &invariant](engine::Session& session) {
      *answer = StatementRunner(book_).run(session, invariant.sum);
    });
    if (life.files.has_failed()) return;
    if (wait || answer->error) {
      failed(text + ": " + (wait ? "waits for " + *wait : answer->error->message()));
    } else if (answer->lines.front() != "sum: " + std::to_string(invariant.total)) {
      failed(text + ", but " + answer->lines.front());
    } else {
      tell(EventKind::kHolds, text + " holds");
    }
  }
}

void ScenarioRun::expect_rows(ScenarioLife& life, const ScenarioLine& line) {
  const auto found = std::make_shared<std::vector<std::pair<std::string, std::string>>>();
  const auto error = std::make_shared<std::optional<Error>>();
  const auto wait = by_nobody(life, [found, error, &line](engine::Session& session) {
    const auto scanned = session.scan(line.name, {}, {}, [&](std::string_view key, std::string_view row) {
      found->emplace_back(key, row);
      return true;
    });
    if (scanned.has_error()) *error = scanned.error();
  });
  if (life.files.has_failed()) return;
  if (wait) return failed("cannot look at " + line.name + ": waits for " + *wait);
  if (*error) return failed("expected the rows of " + line.name + ", found " + (*error)->message());
  const auto table = book_.committed.find(line.name);
  if (table == book_.committed.end()) return failed("nobody knows what " + line.name + " looks like");
  const engine::TableSchema& schema = table->second.schema;
  auto at = found->begin();
  for (const WrittenRow& expected : line.rows) {
    for (; at != found->end() && at->first < expected.key; ++at) {
      failed("found " + written(schema, at->first, at->second) + ", expected no such row");
    }
    std::string row;
    if (const auto encoded = encode_values(schema, expected.values, row); encoded.has_error()) {
      failed(encoded.error().message());
      continue;
    }
    const std::string text = written(schema, expected.key, row);
    if (at == found->end() || at->first != expected.key) {
      failed("expected " + text + ", found no such row");
      continue;
    }
    const std::string there = written(schema, at->first, at->second);
    if (there != text) failed("expected " + text + ", found " + there);
    ++at;
  }
  for (; at != found->end(); ++at) failed("found " + written(schema, at->first, at->second) + ", expected no such row");
}

void ScenarioRun::expect_no_table(ScenarioLife& life, const ScenarioLine& line) {
  const auto names = std::make_shared<std::vector<std::string>>();
  const auto error = std::make_shared<std::optional<Error>>();
  const auto wait = by_nobody(life, [&life, names, error](engine::Session& /*session*/) {
    auto listed = life.database->tables();
    if (listed.has_error()) {
      *error = listed.error();
    } else {
      *names = std::move(listed).value();
    }
  });
  if (life.files.has_failed()) return;
  if (wait) return failed("cannot list the tables: waits for " + *wait);
  if (*error) return failed("cannot list the tables: " + (*error)->message());
  if (std::find(names->begin(), names->end(), line.name) != names->end()) failed("expected no table " + line.name + ", found it");
}

void ScenarioRun::expect_error(ScenarioLife& life, const ScenarioLine& line) {
  const std::string expected = "expected the error '" + std::string(to_string(line.error)) + "', found ";
  NamedSession* const named = find(life, line.session);
  if (named == nullptr) return failed(expected + "that session " + line.session + " has done nothing");
  const bool done = life.sessions->finish(named->seat);
  if (life.files.has_failed()) return;
  if (!done) return failed(expected + "that it still waits for " + life.sessions->waits_for(named->seat));
  if (!named->last_error) return failed(expected + "success");
  if (named->last_error->code() != line.error) failed(expected + named->last_error->message());
}

void ScenarioRun::expect_waits(ScenarioLife& life, const ScenarioLine& line) {
  const NamedSession* const named = find(life, line.session);
  if (named == nullptr || !life.sessions->is_busy(named->seat))
    failed("expected session " + line.session + " to wait, found that it did not");
}

}  // namespace powercut::properties
