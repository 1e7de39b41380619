// The workloads that there are, a file each.
#pragma once

#include "properties/workload.h"

namespace powercut::properties {

const Workload& bank();
const Workload& kv();
const Workload& savepoints();
// Of several sessions.
const Workload& sessions();
const Workload& orders();
const Workload& ddl();

// The steps that are not transactions come about as often in each workload; nothing for a transaction.
std::optional<Step> draw_other_step(Random& random);

}  // namespace powercut::properties
