// Locks of rows for engines that have no transactions: who holds those of its rows, reads and writes them alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>

namespace powercut::measure {

class KeyLocks {
 public:
  // Of two rows, in the order of their locks, so that nobody waits in a circle; released at its end.
  class Two {
   public:
    Two(KeyLocks& locks, std::uint64_t first, std::uint64_t second) : lower_(locks.of_[std::min(first % kLocks, second % kLocks)]) {
      if (first % kLocks != second % kLocks) upper_ = std::unique_lock(locks.of_[std::max(first % kLocks, second % kLocks)]);
    }

   private:
    std::unique_lock<std::mutex> lower_;
    std::unique_lock<std::mutex> upper_;
  };

 private:
  // Each row has its own as long as there are no more rows.
  static constexpr std::size_t kLocks = 16384;
  std::array<std::mutex, kLocks> of_;
};

}  // namespace powercut::measure
