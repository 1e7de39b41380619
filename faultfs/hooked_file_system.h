// A decorator that calls a function before each operation on the files of another file system, and passes the operation on as
// it is: one durable write stays one. For whoever wants to stop at an operation, or count them.
#pragma once

#include "faultfs/file_system.h"

#include <functional>
#include <utility>

namespace powercut::faultfs {

class HookedFileSystem final : public FileSystem {
 public:
  // The base must outlive it, and it its files.
  HookedFileSystem(FileSystem& base, std::function<void()> before) : base_(base), before_(std::move(before)) {}

  bool lets_others_run() const override { return base_.lets_others_run(); }
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> remove_directory(std::string_view path) override;
  Result<std::vector<DirectoryEntry>> list(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;

 private:
  FileSystem& base_;
  std::function<void()> before_;
};

}  // namespace powercut::faultfs
