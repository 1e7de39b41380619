// The figures of `powercut bench` as text, as JSON and as CSV (docs/BENCH.md).
#pragma once

#include "bench_figures.h"

#include <string>

namespace powercut::tools {

// Ratios first, then what was measured; a table a workload.
std::string bench_text(const Bench& bench);
std::string bench_json(const Bench& bench);
// A row a run.
std::string bench_csv(const Bench& bench);

// "812 ns", "81.2 us", "4.31 ms", "1.20 s".
std::string duration_text(double nanoseconds);

}  // namespace powercut::tools
