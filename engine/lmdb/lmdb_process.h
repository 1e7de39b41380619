// What LMDB takes for the process and the kernel under it: descriptors, a mapping and memory of its own, over a FileSystem.
//
// LMDB runs inside of run() and nowhere else. There the calls that it makes (lmdb_redirect.h) and the pages that it touches
// (lmdb_signals.h) come here; what the rest of the program calls goes to the operating system. One process has one file open.
//
// LMDB may die: a page beyond the end of the file or one that cannot be read is SIGBUS, a damaged pointer SIGSEGV, a failed
// assertion SIGABRT. Then run() leaves LMDB where it stands, every later run() says kStopped, and clear() frees what it held.
#pragma once

#include "engine/lmdb/lmdb_memory.h"
#include "engine/lmdb/lmdb_pages.h"
#include "faultfs/file_system.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace powercut::engine {

class LmdbProcess {
 public:
  // A file may be mapped up to so many bytes.
  explicit LmdbProcess(std::size_t map_bytes) : pages_(map_bytes) {}

  // A new process, for one file. The file system must live until clear().
  void start(faultfs::FileSystem& files, std::string path);
  // The process is dead: nothing reaches the file any more, and everything is freed.
  void clear();

  // Runs a piece of LMDB, which gives one of its codes. An error of the file system that it met is the result if it gave
  // another code than success. What `body` holds across LMDB's calls must need no destructor.
  template <class Body>
  Result<int> run(std::string_view doing, Body&& body) {
    return answer(doing, enter([](void* of) { return (*static_cast<std::remove_reference_t<Body>*>(of))(); }, &body));
  }

  // Every dirty page of the mapping is written, as a kernel may do at any time, and not synced. A failure is told to the next
  // msync.
  void write_back_all() { write_back(0, pages_.bytes()); }

  // Reads the bytes, as who was given them by LMDB will. To be called inside of run().
  static void touch(const void* from, std::size_t bytes);

  // The process whose LMDB runs in this thread, or null.
  static LmdbProcess* running() { return running_; }

  // --- The kernel's side: only for calls of the LMDB that runs. As the system calls do, they give -1 and set errno. ---

  int open(int flags);
  int close(int descriptor);
  ssize_t read(std::uint64_t offset, std::span<std::byte> into);
  ssize_t write(int descriptor, std::uint64_t offset, std::span<const std::byte> from);
  ssize_t write_many(int descriptor, const iovec* buffers, int count);
  off_t seek(off_t offset);
  int sync(faultfs::SyncKind kind);
  int resize(std::uint64_t bytes);
  off_t size();
  void* map(std::size_t bytes, bool writable);
  int unmap();
  int sync_map(void* address, std::size_t bytes, bool wait);

  LmdbMemory& memory() { return memory_; }

  // A signal that LMDB caused at this address; does not return if it dies of it.
  void signal(int number, std::uint64_t address);
  // Does not return if LMDB dies of it: one of the ranges begins in what LMDB holds and ends beyond, where others' memory is.
  void check_copy(const void* to, const void* from, std::size_t bytes);
  // An assertion of LMDB failed.
  [[noreturn]] void assertion_failed(std::string_view message);

 private:
  // LMDB waits while the kernel works. What works there may run other processes.
  class InKernel;

  int enter(int (*body)(void*), void* of);
  Result<int> answer(std::string_view doing, int code);
  bool resolve(int number, std::uint64_t address);
  bool runs_out(const void* from, std::size_t bytes) const;
  [[noreturn]] void die();

  int fail(Error error);
  bool failed(const Result<void>& result);
  void write_back(std::uint64_t from, std::uint64_t to);
  // LMDB leaves addresses of its own in unused parts of pages; in a file they are offsets.
  void hide_address(std::span<std::byte> page) const;

  static thread_local LmdbProcess* running_;

  LmdbMemory memory_;
  LmdbPages pages_;
  faultfs::FileSystem* files_ = nullptr;
  std::string path_;
  std::unique_ptr<faultfs::File> data_;
  std::unique_ptr<faultfs::File> meta_;  // opened with O_DSYNC
  std::uint64_t position_ = 0;           // of data_
  bool mapped_ = false;
  bool writable_ = false;
  bool dead_ = false;
  std::optional<Error> failure_;             // the first that the call met
  std::optional<Error> write_back_failure_;  // to be told to the next msync
  std::jmp_buf death_;
};

}  // namespace powercut::engine
