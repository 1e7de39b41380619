// A file mapped into memory, as a kernel would do it: a page is read from the file when it is first touched, a page that is
// written through the mapping becomes dirty and goes to the file later, and a page that lies wholly beyond the end of the file
// cannot be touched at all.
//
// The owner calls fault() from a handler of SIGSEGV. The memory is mapped twice: as LMDB sees it, and as the kernel does, who may
// always write. A fork of this process has neither.
#pragma once

#include "faultfs/file_system.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace powercut::engine {

class LmdbPages {
 public:
  static constexpr std::size_t kPageBytes = 4096;

  // Room for so many bytes, whole pages.
  explicit LmdbPages(std::size_t bytes);
  ~LmdbPages();
  LmdbPages(const LmdbPages&) = delete;
  LmdbPages& operator=(const LmdbPages&) = delete;

  std::byte* memory() const { return memory_; }
  std::size_t bytes() const { return states_.size() * kPageBytes; }
  std::uint64_t begin() const { return reinterpret_cast<std::uint64_t>(memory_); }
  bool holds(std::uint64_t address) const { return address - begin() < bytes(); }

  // How the touch of a page ends.
  enum class Touch : unsigned char {
    kGoOn,       // it can be touched now
    kBeyondEnd,  // the page lies beyond the end of the file: SIGBUS
    kForbidden,  // a write to a mapping that is for reading: SIGSEGV
  };

  // A page was touched as it may not be yet. An error of the file is one that the kernel would answer with SIGBUS.
  Result<Touch> fault(faultfs::File& file, std::uint64_t address, bool writable);

  // Maps the first pages at once, as a kernel does with what it holds in memory: the owner has read some of each. As far as the
  // file goes, and not if it cannot be read; then fault() says so.
  void map_first(faultfs::File& file, std::uint32_t count);

  // These bytes of the file were written by a call; the mapping shows them.
  void show(std::uint64_t offset, std::span<const std::byte> bytes);
  // Pages that are not dirty are read again when they are touched.
  void forget_clean();

  // The dirty pages in [from, to), in ascending order; they are clean afterwards.
  std::vector<std::uint32_t> take_dirty(std::uint64_t from, std::uint64_t to);
  std::span<const std::byte> page(std::uint32_t number) const { return {kernel_ + number * kPageBytes, kPageBytes}; }

  // No page is there.
  void clear();

 private:
  enum class State : unsigned char { kAbsent, kClean, kDirty };

  void protect(std::uint32_t first, std::uint32_t count, int protection) const;
  // Reads an absent page, which is still to be allowed. 0 bytes: it lies beyond the end.
  Result<std::size_t> read_page(faultfs::File& file, std::uint32_t number);

  std::byte* memory_;  // as LMDB sees it
  std::byte* kernel_;
  std::vector<State> states_;
  std::vector<std::uint32_t> there_;  // pages that are not absent, in the order in which they were read
};

}  // namespace powercut::engine
