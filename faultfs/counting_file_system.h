// A decorator that counts what reaches the file system under it: for benchmarks, what a commit costs in bytes and syncs.
// Every call goes on as the one call that it is, so that a backend's single request stays one.
#pragma once

#include "faultfs/file_system.h"

#include <cstdint>

namespace powercut::faultfs {

// Only of what succeeded; bytes as the backend took or gave them.
struct IoCounts {
  std::uint64_t reads = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t writes = 0;          // durable ones not included
  std::uint64_t durable_writes = 0;  // each makes its bytes durable, and is no sync
  std::uint64_t bytes_written = 0;   // of both
  std::uint64_t syncs = 0;           // of files and directories

  friend bool operator==(const IoCounts&, const IoCounts&) = default;
  friend IoCounts operator-(const IoCounts& later, const IoCounts& earlier);
};

class CountingFileSystem final : public FileSystem {
 public:
  // The base must outlive it, and it its files.
  explicit CountingFileSystem(FileSystem& base) : base_(base) {}

  // Since it was made.
  const IoCounts& counts() const { return counts_; }

  bool lets_others_run() const override { return base_.lets_others_run(); }
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override { return base_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return base_.remove(path); }
  Result<bool> exists(std::string_view path) override { return base_.exists(path); }
  Result<void> make_directory(std::string_view path) override { return base_.make_directory(path); }
  Result<void> remove_directory(std::string_view path) override { return base_.remove_directory(path); }
  Result<std::vector<DirectoryEntry>> list(std::string_view path) override { return base_.list(path); }
  Result<void> sync_directory(std::string_view path) override;

 private:
  FileSystem& base_;
  IoCounts counts_;
};

}  // namespace powercut::faultfs
