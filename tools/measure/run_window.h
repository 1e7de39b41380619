// The part of a run that counts: after the warm-up, for as long as the load says. For clients of one thread.
#pragma once

#include "faultfs/counting_file_system.h"
#include "tools/measure/contender.h"

#include <chrono>
#include <cstdint>

namespace powercut::measure {

// Of this process, user and system, all threads.
double processor_seconds();

class RunWindow {
 public:
  // `counts` are of the file system below, and outlive it. Closed until open().
  RunWindow(const Load& load, const faultfs::IoCounts& counts) : load_(load), counts_(counts) {}

  // Nanoseconds of a clock that never goes back.
  static std::uint64_t clock() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
  }

  // The run begins now, with its warm-up.
  void open();
  // Nobody begins another operation.
  void close() { closed_ = true; }
  bool is_closed() const { return closed_ || (load_.interrupted != nullptr && load_.interrupted->load(std::memory_order_relaxed)); }

  // An operation was acknowledged.
  void add(std::uint64_t began, std::uint64_t ended) {
    if (ended >= next_moment_) [[unlikely]] {
      reach(ended);
    } else if (counting_) {
      latency_.add(ended - began);
    }
  }

  // When all clients have ended.
  Measured measured();

 private:
  // The warm-up is over, or the run.
  void reach(std::uint64_t now);
  void begin_counting(std::uint64_t now);
  void end_counting(std::uint64_t now);

  const Load& load_;
  const faultfs::IoCounts& counts_;
  bool closed_ = true;
  bool counting_ = false;
  std::uint64_t next_moment_ = 0;
  std::uint64_t began_ = 0;
  double processor_began_ = 0;
  faultfs::IoCounts counts_began_;
  Histogram latency_;
  Measured measured_;
};

}  // namespace powercut::measure
