// A decorator that tells a sink of every operation on the file system under it, in order.
#pragma once

#include "faultfs/file_system.h"
#include "faultfs/trace.h"

namespace powercut::faultfs {

class TracingFileSystem final : public FileSystem {
 public:
  // Both must outlive it and its files.
  TracingFileSystem(FileSystem& base, TraceSink& sink) : base_(base), sink_(sink) {}

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
  friend class TracingFile;

  // Tells the sink; numbers the operation if it counts.
  void tell(Operation operation, bool counts);
  Result<void> told(OperationKind kind, std::string_view path, std::string_view other_path, Result<void> result);

  FileSystem& base_;
  TraceSink& sink_;
  std::uint32_t numbered_ = 0;
};

}  // namespace powercut::faultfs
