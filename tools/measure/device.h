// What a device gives to whoever writes one thing after another, each durable before the next: the limit of an engine with one
// commit under way.
//
// Overwrites of a file whose blocks have been written before, in order, because what a first write costs more is the file
// system's and not the device's.
#pragma once

#include "faultfs/result.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::measure {

struct DeviceLoad {
  std::string directory;                           // exists; the file that is made there is removed again
  double seconds = 1;                              // of one way at one size
  const std::atomic<bool>* interrupted = nullptr;  // true ends the round at once, with what was measured so far
};

struct DeviceRate {
  std::string way;        // one of the names below
  std::size_t bytes = 0;  // of a write
  double writes_a_second = 0;
  // Of the whole device meanwhile, whoever asked for them (/sys/dev/block); 0 where there is none to ask. An honest way has one
  // for each write.
  std::uint64_t device_flushes = 0;
  // Part of the time in which this thread was ready and had no core (/proc/thread-self/schedstat; 0 where that is not told).
  // Where it is more than a little, the rates compare how the scheduler treats who waited and not what the device does. Through
  // io_uring workers of the kernel wait too, unseen: the plain ways of the same round tell.
  double without_core = 0;
};

constexpr std::string_view kWriteAndSync = "write, fdatasync";
constexpr std::string_view kDirect = "O_DIRECT and O_DSYNC";
// Through io_uring, with the memory and the file registered.
constexpr std::string_view kUringDirect = "io_uring, O_DIRECT and RWF_DSYNC";
constexpr std::string_view kUringLinked = "io_uring, O_DIRECT linked to fdatasync";

// One round: each way at 512 bytes, 4, 64 and 512 KiB in turn. A way that the kernel or the file system refuses is left out.
Result<std::vector<DeviceRate>> measure_device(const DeviceLoad& load);

}  // namespace powercut::measure
