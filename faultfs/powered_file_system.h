// A decorator whose power fails: when told to, or at a sync. From then on every operation fails and does nothing, so that the
// disk below stays as the crash found it, and what is left of the engine's process can only end.
#pragma once

#include "faultfs/file_system.h"

#include <cstdint>

namespace powercut::faultfs {

class PoweredFileSystem final : public FileSystem {
 public:
  // The base must outlive it and its files.
  explicit PoweredFileSystem(FileSystem& base) : base_(base) {}

  enum class Moment : unsigned char {
    kBeforeSync,  // the sync has no effect, and all that came before it has been asked of the disk
    kAfterSync,   // the sync is the last thing that happens
  };
  // The power will fail at the so-manieth sync from now on, of a file or a directory, counting from 1; 0: at none.
  void fail_at(Moment moment, std::uint64_t sync);
  void fail_now() { failed_ = true; }

  bool has_failed() const { return failed_; }
  // Syncs that have taken effect since fail_at().
  std::uint64_t syncs() const { return syncs_; }

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
  friend class PoweredFile;

  Result<void> on() const;
  template <class Sync>
  Result<void> synced(const Sync& sync);

  FileSystem& base_;
  Moment moment_ = Moment::kAfterSync;
  std::uint64_t fails_at_ = 0;  // 0: at no sync
  std::uint64_t syncs_ = 0;
  bool failed_ = false;
};

}  // namespace powercut::faultfs
