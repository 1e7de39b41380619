// The simulated file system with faults: a decorator that hits the operations which its faults name.
//
// Reported faults give an error of the interface. The others change what the simulated disk keeps: it goes on showing what
// was written, as the page cache of a kernel does, but a crash shows what was really there.
#pragma once

#include "faultfs/fault.h"
#include "faultfs/sim_file_system.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace powercut::faultfs {

class FaultyFileSystem final : public FileSystem {
 public:
  // Both must outlive this and its files. Only the faults of one phase count.
  FaultyFileSystem(SimFileSystem& inner, SimDisk& disk, std::span<const Fault> faults, bool in_recovery);

  // A step of the workload has ended: space may have been freed.
  void step_ended();
  // No fault from here on, and the disk has space.
  void heal();

  bool fired() const { return fired_; }
  // Some operation from here on may still be hit, or the disk is full.
  bool active() const;
  // How many operations a fault of this kind could have hit so far.
  std::uint32_t eligible(FaultKind kind) const { return seen_[static_cast<std::size_t>(kind)]; }

  bool lets_others_run() const override { return inner_.lets_others_run(); }
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> remove_directory(std::string_view path) override;
  Result<std::vector<DirectoryEntry>> list(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;

 private:
  friend class FaultyFile;
  static constexpr std::size_t kKinds = 11;

  // Counts an operation that a fault of this kind may hit; true if it does.
  bool hits(FaultKind kind);
  bool is_full();

  SimFileSystem& inner_;
  SimDisk& disk_;
  std::vector<Fault> faults_;
  std::array<std::uint32_t, kKinds> seen_{};
  bool fired_ = false;
  bool healed_ = false;
  std::uint32_t full_for_ = 0;  // steps
  // Places on the disk that read wrong, by file and sector of 512 bytes.
  std::map<std::pair<InodeId, std::uint64_t>, FaultKind> bad_;
};

}  // namespace powercut::faultfs
