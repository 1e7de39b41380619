// A fresh directory of the host for the files of a command or a test, removed at its end.
#pragma once

#include "faultfs/result.h"

#include <string>
#include <utility>

namespace powercut::faultfs {

class ScratchDirectory {
 public:
  // Makes one called "powercut-" and six random letters in a directory. kInvalidArgument if there is no such directory; kIo,
  // kNoSpace.
  static Result<ScratchDirectory> make(const std::string& parent);
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  // Also what is in it; an error is ignored.
  ~ScratchDirectory();

  // Absolute.
  const std::string& path() const { return path_; }
  // It stays.
  void keep() { path_.clear(); }

  // A new, empty directory in it, and its end.
  Result<std::string> add(const std::string& name) const;
  Result<void> remove(const std::string& path) const;

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace powercut::faultfs
