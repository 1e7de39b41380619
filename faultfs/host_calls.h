// What the backends on a real directory share: paths of the host, errors of system calls, descriptors.
#pragma once

#include "faultfs/file_system.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::faultfs {

// "path: call: reason". kNotFound, kAlreadyExists, kNoSpace (also a quota, and a file larger than it may be) and
// kInvalidArgument for what they are named after; kIo for the rest, a cancelled request among them.
Error system_error(std::string_view path, std::string_view call, int number);
inline Error system_error(std::string_view path, std::string_view call) { return system_error(path, call, errno); }

// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

// Owns an open file of the process; -1 for none.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();
  int number() const { return number_; }

 private:
  int number_;
};

// kNotFound, or kInvalidArgument if it is no directory.
Result<void> check_root(const std::string& root);

// The host's path. kInvalidArgument for one that would leave the root.
Result<std::string> host_path(const std::string& root, std::string_view path);

// For ::open.
int open_flags(OpenMode mode);

// A directory of the host, as FileSystem::list gives it.
Result<std::vector<DirectoryEntry>> list_host_directory(const std::string& host);

}  // namespace powercut::faultfs
