// A file of UringFileSystem, and what its files share with it.
#pragma once

#include "faultfs/directory_lock.h"
#include "faultfs/host_calls.h"
#include "faultfs/read_ahead.h"
#include "faultfs/uring_file_system.h"
#include "faultfs/uring_memory.h"
#include "faultfs/uring_ring.h"

#include <optional>

namespace powercut::faultfs {

// "pwrite of /srv/db/log", for who asks what a fiber waits for. Both must outlive it.
class UringWait final : public Scheduler::Wait {
 public:
  UringWait(std::string_view call, std::string_view path) : call_(call), path_(path) {}
  std::string text() const override { return std::string(call_) + " of " + std::string(path_); }

 private:
  std::string_view call_;
  std::string_view path_;
};

struct UringShared {
  explicit UringShared(const UringOptions& asked) : options(asked), memory(asked.memory_bytes) {}

  // Runs a request; one that was interrupted, or for which there was no room, again.
  template <class Prepare>
  int run(std::string_view call, std::string_view path, Prepare&& prepare) {
    const UringWait wait(call, path);
    for (;;) {
      const int result = ring->run(wait, prepare);
      if (result != -EINTR && result != -EAGAIN) return result;
    }
  }

  UringOptions options;
  UringNotes notes;
  std::optional<DirectoryLock> lock;  // these two before the ring, which must not outlive them
  UringMemory memory;
  std::unique_ptr<UringRing> ring;
  bool has_registered_memory = false;
  std::vector<std::uint32_t> free_slots;  // of the kernel's table of files
};

// A descriptor, in the kernel's table if there is a place.
class UringHandle {
 public:
  UringHandle(UringShared& shared, Descriptor descriptor);
  UringHandle(const UringHandle&) = delete;
  UringHandle& operator=(const UringHandle&) = delete;
  ~UringHandle();

  int number() const { return descriptor_.number(); }
  // After io_uring_prep_…, which clears it.
  void use_in(io_uring_sqe& entry) const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  UringShared& shared_;
  Descriptor descriptor_;
  std::uint32_t slot_ = kNone;
};

class UringFile final : public File {
 public:
  UringFile(UringShared& shared, Descriptor buffered, std::string path);

  // Goes past the page cache from here on, where the file system lets it; notes it if not.
  void go_direct(OpenMode mode);

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override;
  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override;
  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override;
  Result<void> write_durably(std::uint64_t offset, std::span<const byte> from) override;
  Result<void> write_each(std::span<const WriteAt> writes) override;
  Result<void> sync(SyncKind kind) override;
  Result<void> resize(std::uint64_t bytes) override;
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override;
  Result<std::uint64_t> size() override;
  // Into the page cache, also if direct: reads of these bytes go through it.
  void will_read(std::uint64_t offset, std::uint64_t bytes) override;
  std::size_t preferred_read_bytes() const override { return kHostReadBytes; }
  std::size_t preferred_write_unit() const override { return direct_ == nullptr ? 1 : offset_unit_; }

 private:
  enum class How : unsigned char { kWrite, kDurably, kLinked };

  bool fits_direct(std::uint64_t offset, std::uint64_t bytes) const;
  bool lies_direct(std::span<const byte> memory) const;
  template <class Prepare>
  int transfer(std::string_view call, bool direct, const Prepare& prepare);
  // Bytes, or -errno. The memory lies as it must if it is direct.
  int read_some(bool direct, std::uint64_t offset, std::span<byte> into);
  void prepare_write(io_uring_sqe& entry, std::uint64_t offset, std::span<const byte> from) const;
  int write_some(bool direct, std::uint64_t offset, std::span<const byte> from, How how);
  // The same from any memory; of a long one that is copied only the begin.
  int put(std::uint64_t offset, std::span<const byte> from, How how);
  void begin_write_back();

  UringShared& shared_;
  std::string path_;
  UringHandle buffered_;
  std::unique_ptr<UringHandle> direct_;
  std::uint32_t offset_unit_ = 0;  // of direct I/O (bytes)
  std::uint32_t memory_unit_ = 0;
  ReadAhead ahead_;
};

}  // namespace powercut::faultfs
