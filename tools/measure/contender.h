// What takes part in a benchmark: an engine in one setting, with a load put upon it. All of them get the same load, in turns.
#pragma once

#include "faultfs/result.h"
#include "tools/measure/histogram.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace powercut::measure {

// transfer: two of `rows` accounts and a marker row in one durable transaction. a to f: the core workloads of YCSB (Cooper et
// al., SoCC 2010) on `rows` records of 100 bytes. scan: 100 rows in order from a random one.
enum class Workload : unsigned char { kTransfer, kA, kB, kC, kD, kE, kF, kScan };

struct Load {
  Workload workload = Workload::kTransfer;
  std::uint64_t rows = 10000;
  std::uint32_t clients = 1;
  double warm_up_seconds = 0.5;  // not counted
  double seconds = 2;
  std::uint64_t seed = 1;
  const std::atomic<bool>* interrupted = nullptr;  // true ends the run at once, with what was counted so far
};

struct Measured {
  std::uint64_t operations = 0;  // acknowledged in `seconds`; each durable if it wrote
  std::uint64_t retries = 0;     // that gave way to others and began again
  double seconds = 0;
  double cpu_seconds = 0;  // of this process, user and system
  Histogram latency;       // nanoseconds from the beginning of an operation to its acknowledgement
  // Of the file system below, where the contender can tell; 0 else.
  std::uint64_t bytes_written = 0;
  std::uint64_t syncs = 0;
};

class Contender {
 public:
  virtual ~Contender() = default;

  virtual std::string_view name() const = 0;
  // The setting that makes its commits durable, with where its documentation says so.
  virtual std::string_view setting() const = 0;
  // The most clients that make sense for it.
  virtual std::uint32_t most_clients() const = 0;
  // Makes its database with the load's rows in a directory that exists and is empty, and leaves it open.
  virtual Result<void> prepare(const std::string& directory, const Load& load) = 0;
  // Runs the load on what prepare() made; may be called again and again.
  virtual Result<Measured> run(const Load& load) = 0;
  // Whether the rows are what they must be: of transfers that the total is what it was. kCorrupt if not.
  virtual Result<void> check(const Load& load) = 0;
};

}  // namespace powercut::measure
