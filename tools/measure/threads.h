// Clients that are threads: each repeats its operation, first without counting, then counted, until the time is over.
#pragma once

#include "tools/measure/contender.h"

#include <functional>

namespace powercut::measure {

enum class Outcome : unsigned char {
  kDone,     // acknowledged
  kGaveWay,  // to others, with nothing done: is called again, as the same operation
};

// One attempt at one operation. It returns within 100 ms, so that clients can be stopped.
using Operation = std::function<Result<Outcome>(bool again)>;
// Makes the operation of a client, in that client's thread, where it also is destroyed.
using MakeOperation = std::function<Result<Operation>(std::uint32_t client)>;

// Runs `load.clients` threads. An operation counts if its end lies within `load.seconds`, which begin after the warm-up. The
// first error of a client ends them all. bytes_written and syncs stay 0.
Result<Measured> run_threads(const Load& load, const MakeOperation& make);

}  // namespace powercut::measure
