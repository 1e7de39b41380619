// The file system interface over a simulated disk. Everything completes at once, in memory, in the calling thread.
//
// A SimFileSystem belongs to one SimDisk: after a crash, boot another disk and put another file system over it. Open
// files hold an inode, as descriptors do: they stay usable when the name is gone.
#pragma once

#include "faultfs/file_system.h"
#include "faultfs/sim_disk.h"

namespace powercut::faultfs {

class SimFileSystem final : public FileSystem {
 public:
  // The disk must outlive the file system and its files.
  explicit SimFileSystem(SimDisk& disk) : disk_(disk) {}

  bool lets_others_run() const override { return false; }
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> remove_directory(std::string_view path) override;
  Result<std::vector<DirectoryEntry>> list(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;

  // kNotFound if there is nothing of that name.
  Result<InodeId> inode_of(std::string_view path);

 private:
  struct Place {
    InodeId directory = 0;
    std::string_view name;
    InodeId inode = 0;  // 0: there is nothing of that name
  };
  // Where a path leads; kNotFound when a directory on the way does not exist.
  Result<Place> find(std::string_view path);
  Result<InodeId> find_directory(std::string_view path);

  SimDisk& disk_;
};

}  // namespace powercut::faultfs
