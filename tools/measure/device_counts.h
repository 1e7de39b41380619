// What a block device counts of itself, whoever uses it: so a benchmark sees whether it was alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace powercut::measure {

struct DeviceCounts {
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
};

// Of the device below a directory since the system started, from /sys/dev/block. Of a partition the whole disk's, which alone
// counts flushes. None where there is no block device (tmpfs) or the kernel does not tell which (btrfs).
std::optional<DeviceCounts> device_counts(const std::string& directory);

}  // namespace powercut::measure
