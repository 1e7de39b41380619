// A real directory through plain system calls, in the calling thread.
#pragma once

#include "faultfs/file_system.h"

namespace powercut::faultfs {

class PosixFileSystem final : public FileSystem {
 public:
  // `root` is a directory that exists; paths are below it. kNotFound, kInvalidArgument if it is no directory.
  static Result<std::unique_ptr<PosixFileSystem>> open(std::string root);

  bool lets_others_run() const override { return false; }
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> remove_directory(std::string_view path) override;
  Result<std::vector<DirectoryEntry>> list(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;

 private:
  explicit PosixFileSystem(std::string root) : root_(std::move(root)) {}

  std::string root_;
};

}  // namespace powercut::faultfs
