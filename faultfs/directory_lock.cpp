#include "faultfs/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <thread>

namespace powercut::faultfs {

Result<DirectoryLock> DirectoryLock::take(const std::string& directory, std::chrono::nanoseconds limit) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kBetweenTries = std::chrono::milliseconds(1);
  Descriptor opened(uninterrupted([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (opened.number() < 0) return system_error(directory, "open");
  const auto end = Clock::now() + limit;
  // Tried again and again: flock(2) waits without a limit.
  while (uninterrupted([&] { return ::flock(opened.number(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return system_error(directory, "flock");
    if (Clock::now() >= end) {
      return Error(ErrorCode::kTimeout, directory + ": in use by another process, or elsewhere in this one");
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
  return DirectoryLock(std::move(opened));
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_.number() >= 0) ::flock(descriptor_.number(), LOCK_UN);
}

}  // namespace powercut::faultfs
