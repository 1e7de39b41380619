// Who has a directory of the host to itself: a flock(2) of the directory, which leaves no file behind.
//
// The kernel holds it as long as anybody has the descriptor open, and a ring in whose table it is counts
// (UringRing::register_files). So the lock of a process that was killed ends only when the last request of its ring has: until then
// its writes go on, and the next process must not recover beside them.
#pragma once

#include "faultfs/host_calls.h"

#include <chrono>
#include <string>

namespace powercut::faultfs {

class DirectoryLock {
 public:
  // Waits while another has it, in this process or elsewhere, and blocks the thread. kTimeout, with the directory, after `limit`;
  // other errors where the directory cannot be read or its file system has no such locks.
  static Result<DirectoryLock> take(const std::string& directory, std::chrono::nanoseconds limit);
  DirectoryLock(DirectoryLock&&) noexcept = default;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  // Gives it back at once, whoever else has the descriptor: no request may be under way.
  ~DirectoryLock();

  int descriptor() const { return descriptor_.number(); }

 private:
  explicit DirectoryLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  Descriptor descriptor_;
};

}  // namespace powercut::faultfs
