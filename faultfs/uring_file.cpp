#include "faultfs/uring_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace powercut::faultfs {
namespace {

constexpr std::uint32_t kUsualUnit = 4096;                 // where the kernel does not tell (before Linux 6.1, and tmpfs)
constexpr std::size_t kMostBytes = std::size_t{1} << 30U;  // in one request, whose length has 32 bits

unsigned length_of(std::span<const byte> bytes) { return static_cast<unsigned>(bytes.size()); }

}  // namespace

UringHandle::UringHandle(UringShared& shared, Descriptor descriptor) : shared_(shared), descriptor_(std::move(descriptor)) {
  if (shared_.options.registered_files == 0) return;
  if (shared_.free_slots.empty()) {
    shared_.notes.say("io_uring: more files are open than were to be registered; the others are not");
    return;
  }
  const int failed = shared_.ring->set_file(shared_.free_slots.back(), descriptor_.number());
  if (failed < 0) {
    shared_.notes.say(std::string("io_uring: registering a file was refused: ") + std::strerror(-failed) + "; not registered");
    return;
  }
  slot_ = shared_.free_slots.back();
  shared_.free_slots.pop_back();
}

UringHandle::~UringHandle() {
  // A place that cannot be cleared is not used again: the kernel would keep the file open.
  if (slot_ != kNone && shared_.ring->set_file(slot_, -1) >= 0) shared_.free_slots.push_back(slot_);
}

void UringHandle::use_in(io_uring_sqe& entry) const {
  entry.fd = slot_ == kNone ? descriptor_.number() : static_cast<int>(slot_);
  if (slot_ != kNone) entry.flags = static_cast<std::uint8_t>(entry.flags | IOSQE_FIXED_FILE);
}

UringFile::UringFile(UringShared& shared, Descriptor buffered, std::string path)
    : shared_(shared), path_(std::move(path)), buffered_(shared, std::move(buffered)) {}

void UringFile::go_direct(OpenMode mode) {
  // The same file, whatever has become of its name.
  const std::string same = "/proc/self/fd/" + std::to_string(buffered_.number());
  const int flags = O_CLOEXEC | O_DIRECT | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR);
  const int opened =
      shared_.run("open", path_, [&](io_uring_sqe& entry) { io_uring_prep_openat(&entry, AT_FDCWD, same.c_str(), flags, 0); });
  if (opened < 0) {
    shared_.notes.say(std::string("O_DIRECT was refused: ") + std::strerror(-opened) + "; through the page cache");
    return;
  }
  direct_ = std::make_unique<UringHandle>(shared_, Descriptor(opened));
  struct statx status {};
  offset_unit_ = memory_unit_ = kUsualUnit;
#ifdef STATX_DIOALIGN
  if (::statx(opened, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 && (status.stx_mask & STATX_DIOALIGN) != 0) {
    offset_unit_ = status.stx_dio_offset_align;
    memory_unit_ = status.stx_dio_mem_align;
  }
#endif
  if (offset_unit_ != 0) return;
  shared_.notes.say("O_DIRECT was refused for a file by its file system; through the page cache");
  direct_.reset();
}

bool UringFile::fits_direct(std::uint64_t offset, std::uint64_t bytes) const {
  return direct_ != nullptr && offset % offset_unit_ == 0 && bytes % offset_unit_ == 0;
}

bool UringFile::lies_direct(std::span<const byte> memory) const {
  return reinterpret_cast<std::uintptr_t>(memory.data()) % memory_unit_ == 0;
}

template <class Prepare>
int UringFile::transfer(std::string_view call, bool direct, const Prepare& prepare) {
  const auto whole = [&](io_uring_sqe& entry) {
    prepare(entry);
    (direct ? *direct_ : buffered_).use_in(entry);
  };
  if (direct && shared_.ring->uses_polled()) {
    const UringWait wait(call, path_);
    const int result = shared_.ring->run(wait, whole, true);
    if (result != -EINTR && result != -EAGAIN && result != -EOPNOTSUPP) return result;
    if (result == -EOPNOTSUPP) {
      shared_.notes.say("io_uring: the device or file system has no polled completions (IOPOLL); without them");
      shared_.ring->drop_polled();
    }
  }
  return shared_.run(call, path_, whole);
}

int UringFile::read_some(bool direct, std::uint64_t offset, std::span<byte> into) {
  into = into.first(std::min(into.size(), kMostBytes));
  const bool registered = shared_.has_registered_memory && shared_.memory.holds(into);
  return transfer("read", direct, [&](io_uring_sqe& entry) {
    if (registered) {
      io_uring_prep_read_fixed(&entry, -1, into.data(), length_of(into), offset, 0);
    } else {
      io_uring_prep_read(&entry, -1, into.data(), length_of(into), offset);
    }
  });
}

void UringFile::prepare_write(io_uring_sqe& entry, std::uint64_t offset, std::span<const byte> from) const {
  if (shared_.has_registered_memory && shared_.memory.holds(from)) {
    io_uring_prep_write_fixed(&entry, -1, from.data(), length_of(from), offset, 0);
  } else {
    io_uring_prep_write(&entry, -1, from.data(), length_of(from), offset);
  }
}

int UringFile::write_some(bool direct, std::uint64_t offset, std::span<const byte> from, How how) {
  from = from.first(std::min(from.size(), kMostBytes));
  const auto prepare = [&](io_uring_sqe& entry) {
    prepare_write(entry, offset, from);
    if (how == How::kDurably) entry.rw_flags = RWF_DSYNC;
  };
  if (how != How::kLinked) return transfer("write", direct, prepare);

  const UringHandle& handle = direct ? *direct_ : buffered_;
  const UringWait wait("write and sync", path_);
  for (;;) {
    const auto done = shared_.ring->run_linked(
        wait,
        [&](io_uring_sqe& entry) {
          prepare(entry);
          handle.use_in(entry);
        },
        [&](io_uring_sqe& entry) {
          io_uring_prep_fsync(&entry, -1, IORING_FSYNC_DATASYNC);
          buffered_.use_in(entry);
        });
    if (done.first == -EINTR || done.first == -EAGAIN) continue;
    if (done.first < 0) return done.first;
    // A short write cancels the sync; that of the rest covers both.
    const bool is_short = static_cast<std::size_t>(done.first) < from.size();
    if (done.second < 0 && !(is_short && done.second == -ECANCELED)) return done.second;
    return done.first;
  }
}

int UringFile::put(std::uint64_t offset, std::span<const byte> from, How how) {
  if (!fits_direct(offset, from.size())) return write_some(false, offset, from, how);
  if (lies_direct(from)) return write_some(true, offset, from, how);
  const UringMemory::Slot slot(shared_.memory, from.size());
  std::memcpy(slot.bytes().data(), from.data(), slot.bytes().size());
  return write_some(true, offset, slot.bytes(), how);
}

Result<std::size_t> UringFile::read(std::uint64_t offset, std::span<byte> into) {
  const bool announced = ahead_.covers(offset, into.size());
  const auto some = [&]() -> int {
    if (announced || !fits_direct(offset, into.size())) return read_some(false, offset, into);
    if (lies_direct(into)) return read_some(true, offset, into);
    const UringMemory::Slot slot(shared_.memory, into.size());
    const int got = read_some(true, offset, slot.bytes());
    if (got > 0) std::memcpy(into.data(), slot.bytes().data(), static_cast<std::size_t>(got));
    return got;
  };
  const int got = into.empty() ? 0 : some();
  if (got < 0) return system_error(path_, "read", -got);
  return static_cast<std::size_t>(got);
}

Result<std::size_t> UringFile::write(std::uint64_t offset, std::span<const byte> from) {
  const int taken = put(offset, from, How::kWrite);
  if (taken < 0) return system_error(path_, "write", -taken);
  return static_cast<std::size_t>(taken);
}

Result<std::size_t> UringFile::write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) {
  std::uint64_t total = 0;
  bool direct = true;
  std::vector<iovec> vectors;
  for (const auto& buffer : buffers.first(std::min<std::size_t>(buffers.size(), IOV_MAX))) {
    vectors.push_back({const_cast<byte*>(buffer.data()), buffer.size()});
    total += buffer.size();
    direct = direct && fits_direct(offset, buffer.size()) && lies_direct(buffer);
  }
  if (!direct && fits_direct(offset, total)) {
    // Together they fit: their begin, as much as a slot holds.
    const UringMemory::Slot slot(shared_.memory, static_cast<std::size_t>(total));
    std::size_t filled = 0;
    for (const iovec& vector : vectors) {
      const std::size_t part = std::min(vector.iov_len, slot.bytes().size() - filled);
      if (part > 0) std::memcpy(slot.bytes().data() + filled, vector.iov_base, part);
      filled += part;
    }
    return write(offset, slot.bytes());
  }
  const int taken = transfer("write", direct && !vectors.empty(), [&](io_uring_sqe& entry) {
    io_uring_prep_writev(&entry, -1, vectors.data(), static_cast<unsigned>(vectors.size()), offset);
  });
  if (taken < 0) return system_error(path_, "write", -taken);
  return static_cast<std::size_t>(taken);
}

Result<void> UringFile::write_durably(std::uint64_t offset, std::span<const byte> from) {
  const How how = shared_.options.durable == UringOptions::Durable::kLinked ? How::kLinked : How::kDurably;
  while (!from.empty()) {
    const int taken = put(offset, from, how);
    if (taken == -EOPNOTSUPP && how == How::kDurably) {
      shared_.notes.say("RWF_DSYNC was refused by the file system; a write, then a sync");
      return File::write_durably(offset, from);
    }
    if (taken < 0) return system_error(path_, "durable write", -taken);
    if (taken == 0) return Error(ErrorCode::kIo, path_ + ": a write took no bytes");
    offset += static_cast<std::uint64_t>(taken);
    from = from.subspan(static_cast<std::size_t>(taken));
  }
  return success();
}

Result<void> UringFile::write_each(std::span<const WriteAt> writes) {
  if (shared_.ring->uses_polled()) return File::write_each(writes);
  const UringWait wait("write", path_);
  std::vector<int> results(writes.size());
  shared_.ring->run_each(wait, results, [&](io_uring_sqe& entry, std::size_t at) {
    const auto [offset, bytes] = writes[at];
    const auto some = bytes.first(std::min(bytes.size(), kMostBytes));
    prepare_write(entry, offset, some);
    (fits_direct(offset, some.size()) && lies_direct(some) ? *direct_ : buffered_).use_in(entry);
  });
  for (std::size_t at = 0; at < writes.size(); ++at) {
    const int taken = results[at] == -EINTR || results[at] == -EAGAIN ? 0 : results[at];
    if (taken < 0) return system_error(path_, "write", -taken);
    const auto [offset, bytes] = writes[at];
    POWERCUT_TRYV(write_full(*this, offset + static_cast<std::uint64_t>(taken), bytes.subspan(static_cast<std::size_t>(taken))));
  }
  if (direct_ == nullptr) begin_write_back();
  return success();
}

// Of all that is dirty in the page cache: left there, it would go to the device in one go with the next sync, and every write of
// other files behind it. A hint: that sync reports what fails here.
void UringFile::begin_write_back() {
  const UringWait wait("sync_file_range", path_);
  shared_.ring->run(wait, [&](io_uring_sqe& entry) {
    io_uring_prep_sync_file_range(&entry, -1, 0, 0, SYNC_FILE_RANGE_WRITE);
    buffered_.use_in(entry);
  });
}

Result<void> UringFile::sync(SyncKind kind) {
  const std::string_view call = kind == SyncKind::kData ? "fdatasync" : "fsync";
  const UringWait wait(call, path_);
  // Not repeated, whatever the reason: after a failed sync the kernel may have dropped the pages, and a second one would lie.
  const int failed = shared_.ring->run(wait, [&](io_uring_sqe& entry) {
    io_uring_prep_fsync(&entry, -1, kind == SyncKind::kData ? IORING_FSYNC_DATASYNC : 0);
    buffered_.use_in(entry);
  });
  if (failed < 0) return system_error(path_, call, -failed);
  return success();
}

Result<void> UringFile::resize(std::uint64_t bytes) {
  if (uninterrupted([&] { return ::ftruncate(buffered_.number(), static_cast<off_t>(bytes)); }) != 0) {
    return system_error(path_, "ftruncate");
  }
  return success();
}

Result<void> UringFile::allocate(std::uint64_t offset, std::uint64_t bytes) {
  int failed = shared_.run("fallocate", path_, [&](io_uring_sqe& entry) {
    io_uring_prep_fallocate(&entry, -1, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes));
    buffered_.use_in(entry);
  });
  // The library writes a byte into each block where the file system has no such call.
  while (failed == -EOPNOTSUPP || failed == -EINTR) {
    failed = -::posix_fallocate(buffered_.number(), static_cast<off_t>(offset), static_cast<off_t>(bytes));
  }
  if (failed < 0) return system_error(path_, "fallocate", -failed);
  return success();
}

void UringFile::will_read(std::uint64_t offset, std::uint64_t bytes) { ahead_.announce(buffered_.number(), offset, bytes); }

Result<std::uint64_t> UringFile::size() {
  struct stat status {};
  if (::fstat(buffered_.number(), &status) != 0) return system_error(path_, "fstat");
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace powercut::faultfs
