// The figures of `powercut bench` as a picture: throughput and latency over the number of clients, both axes logarithmic, a line a
// contender, a row of two panels a workload. It needs no script and nothing from outside, and follows the reader's light or
// dark setting.
#pragma once

#include "bench_figures.h"

#include <string>

namespace powercut::tools {

std::string bench_svg(const Bench& bench);
// The picture in a page, with the table of text below it.
std::string bench_html(const Bench& bench);

}  // namespace powercut::tools
