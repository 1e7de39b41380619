// What a recovered database has lost: which of the acknowledged transactions are there, by their markers, and whether what they
// wrote is all there and nothing else.
#pragma once

#include "engine/engine.h"
#include "properties/model.h"
#include "properties/model_comparison.h"
#include "properties/promises.h"
#include "properties/violation.h"

#include <optional>

namespace powercut::properties {

struct Losses {
  // Promises that are broken.
  Oracles broken = 0;
  // The first of them that the guarantee holds to, if it holds to any.
  std::optional<Violation> violation;
  // The model without what was lost, if what is left is whole and was the state of the database once.
  std::optional<Model> left;
};

// Looks at a database that did not compare well, which is `found_wrong`. Where several sessions run side by side it says no more
// than that does. `found` becomes which of the transactions in doubt are there.
Losses look_at_losses(ModelComparison& comparison, engine::Database& database, engine::Session& session, const Promised& promised,
                      Violation found_wrong, const engine::Guarantee& guarantee, std::optional<Present>& found);

}  // namespace powercut::properties
