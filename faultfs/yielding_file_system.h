// A decorator that lets other fibers run during every operation, as a real disk does: when it is asked for, before anything of
// it has happened, and when it is done, before the caller knows. Who runs is a pick of the scheduler.
#pragma once

#include "faultfs/file_system.h"
#include "faultfs/scheduler.h"

namespace powercut::faultfs {

class YieldingFileSystem final : public FileSystem {
 public:
  // Both must outlive it and its files. Outside of fibers it adds nothing.
  YieldingFileSystem(FileSystem& base, Scheduler& scheduler) : base_(base), scheduler_(scheduler) {}

  bool lets_others_run() const override { return true; }
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
  Scheduler& scheduler_;
};

}  // namespace powercut::faultfs
