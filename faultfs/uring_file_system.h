// A real directory through io_uring (liburing): many fibers, one thread, one ring.
//
// From a fiber of its scheduler every operation suspends that fiber and nobody else; from elsewhere it blocks, as
// PosixFileSystem does. Through the ring go open, read, write, sync, allocate, rename, remove, exists, and making, removing and
// syncing a directory. Plain calls are left where io_uring of Linux 6.1 has no operation or nothing is waited for: list,
// resize, size, close.
//
// With `direct`, a request goes past the page cache (O_DIRECT) if its offset and length are multiples of what the file system
// asks for (512 or 4096 bytes); memory that does not lie so is copied through memory that does. Every other request goes
// through a second, buffered descriptor of the same file, whole: nothing is read and written back around it, so its neighbours
// are never at risk. Linux keeps the two alike: before direct I/O it writes back the range's dirty pages, and a direct write
// drops the cached ones, so a request sees every one that returned before it began. "Applications should avoid mixing" them,
// says open(2), for speed and because not every file system does so well when they overlap in time: callers do not let a
// direct and another write of the same 4096 bytes be under way together. (ext4 and XFS would keep even these apart, by the
// inode's lock.)
//
// Where many small writes go to the page cache together (write_each), the kernel begins to write them at once. A long durable
// write goes in pieces that are under way together.
//
// The root directory is locked while it is open (directory_lock.h), so that nothing that the kernel still writes for a process
// that was killed meets the work of the next.
//
// What is asked for and refused, by the kernel or by the file system, is left out and noted. Everything in the thread that
// opened it.
#pragma once

#include "faultfs/file_system.h"
#include "faultfs/scheduler.h"

namespace powercut::faultfs {

struct UringShared;

struct UringOptions {
  // How write_durably() makes bytes durable.
  enum class Durable : unsigned char {
    kOneWrite,  // a write with RWF_DSYNC
    kLinked,    // a write, and an fdatasync that the kernel begins when it is done
  };

  std::uint32_t depth = 64;            // requests that are queued before the kernel must take them, at least 2
  bool direct = false;                 // O_DIRECT, as above
  bool registered_memory = false;      // memory() and what is copied through is pinned once, not for each request
  std::size_t memory_bytes = 0;        // of memory()
  std::uint32_t registered_files = 0;  // so many descriptors (two a file when direct) are looked up by the kernel once
  bool submission_thread = false;      // a thread of the kernel submits (IORING_SETUP_SQPOLL)
  bool polled = false;  // completions of direct I/O are polled for (IORING_SETUP_IOPOLL): the device needs poll queues
  Durable durable = Durable::kOneWrite;
};

class UringFileSystem final : public FileSystem {
 public:
  // `root` is a directory that exists; paths are below it. Becomes the scheduler's source of completions until it is
  // destroyed, which is not while fibers run. The scheduler must outlive it, and it its files.
  //
  // kNotFound, kInvalidArgument if it is no directory; kTimeout if another UringFileSystem, of whatever process, has the same
  // root and does not end within ten seconds; kUnsupported if io_uring is refused: PosixFileSystem does the same.
  static Result<std::unique_ptr<UringFileSystem>> open(std::string root, const UringOptions& options = {},
                                                       Scheduler* scheduler = nullptr);
  ~UringFileSystem() override;

  // Page-aligned memory for the caller, as much as was asked for: reads into it and writes from it are not copied.
  std::span<byte> memory() const;
  // A line for each thing that was asked for and refused so far; some show only at the first request.
  const std::vector<std::string>& notes() const;
  // IORING_SETUP_… that the kernel took.
  std::uint32_t ring_flags() const;

  bool lets_others_run() const override { return scheduler_ != nullptr; }
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> remove_directory(std::string_view path) override;
  Result<std::vector<DirectoryEntry>> list(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;

 private:
  UringFileSystem(std::string root, std::unique_ptr<UringShared> shared, Scheduler* scheduler);

  std::string root_;
  std::unique_ptr<UringShared> shared_;
  Scheduler* scheduler_;
};

}  // namespace powercut::faultfs
