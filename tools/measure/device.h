// How fast a device makes writes durable, by each way of asking for it: what no engine above it can beat with a commit at a time.
#pragma once

#include "faultfs/result.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace powercut::measure {

struct DeviceLoad {
  std::string directory;                           // that exists
  double seconds = 0.2;                            // of each way at each size
  const std::atomic<bool>* interrupted = nullptr;  // true ends it at once
};

struct DeviceRate {
  std::string way;  // of making a write durable
  std::size_t bytes = 0;
  double writes_a_second = 0;
  std::uint64_t device_flushes = 0;  // of the device, whoever asked for them; 0 where it cannot tell
};

// One round of all ways.
Result<std::vector<DeviceRate>> measure_device(const DeviceLoad& load);

}  // namespace powercut::measure
