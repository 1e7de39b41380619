#include "faultfs/posix_file_system.h"

#include "faultfs/host_calls.h"
#include "faultfs/read_ahead.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>

namespace powercut::faultfs {
namespace {

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    const auto got =
        uninterrupted([&] { return ::pread(descriptor_.number(), into.data(), into.size(), static_cast<off_t>(offset)); });
    if (got < 0) return system_error(path_, "pread");
    return static_cast<std::size_t>(got);
  }

  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
    const auto taken =
        uninterrupted([&] { return ::pwrite(descriptor_.number(), from.data(), from.size(), static_cast<off_t>(offset)); });
    if (taken < 0) return system_error(path_, "pwrite");
    return static_cast<std::size_t>(taken);
  }

  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    std::vector<iovec> vectors;
    for (const auto& buffer : buffers.first(std::min<std::size_t>(buffers.size(), IOV_MAX))) {
      vectors.push_back({const_cast<byte*>(buffer.data()), buffer.size()});
    }
    const auto taken = uninterrupted([&] {
      return ::pwritev(descriptor_.number(), vectors.data(), static_cast<int>(vectors.size()), static_cast<off_t>(offset));
    });
    if (taken < 0) return system_error(path_, "pwritev");
    return static_cast<std::size_t>(taken);
  }

  Result<void> sync(SyncKind kind) override {
    // Not repeated: after a failed sync the kernel may have dropped the pages, and a second one would lie.
    const int failed = kind == SyncKind::kData ? ::fdatasync(descriptor_.number()) : ::fsync(descriptor_.number());
    if (failed != 0) return system_error(path_, kind == SyncKind::kData ? "fdatasync" : "fsync");
    return success();
  }

  Result<void> write_durably(std::uint64_t offset, std::span<const byte> from) override {
    while (!from.empty()) {
      const iovec vector{const_cast<byte*>(from.data()), from.size()};
      const auto taken =
          uninterrupted([&] { return ::pwritev2(descriptor_.number(), &vector, 1, static_cast<off_t>(offset), RWF_DSYNC); });
      if (taken < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) return File::write_durably(offset, from);
      if (taken < 0) return system_error(path_, "pwritev2");
      if (taken == 0) return Error(ErrorCode::kIo, path_ + ": a write took no bytes");
      offset += static_cast<std::uint64_t>(taken);
      from = from.subspan(static_cast<std::size_t>(taken));
    }
    return success();
  }

  Result<void> resize(std::uint64_t bytes) override {
    if (uninterrupted([&] { return ::ftruncate(descriptor_.number(), static_cast<off_t>(bytes)); }) != 0) {
      return system_error(path_, "ftruncate");
    }
    return success();
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    for (;;) {
      const int failed = ::posix_fallocate(descriptor_.number(), static_cast<off_t>(offset), static_cast<off_t>(bytes));
      if (failed == EINTR) continue;
      if (failed != 0) return system_error(path_, "posix_fallocate", failed);
      return success();
    }
  }

  Result<std::uint64_t> size() override {
    struct stat status {};
    if (::fstat(descriptor_.number(), &status) != 0) return system_error(path_, "fstat");
    return static_cast<std::uint64_t>(status.st_size);
  }

  void will_read(std::uint64_t offset, std::uint64_t bytes) override { ahead_.announce(descriptor_.number(), offset, bytes); }

  std::size_t preferred_read_bytes() const override { return kHostReadBytes; }

 private:
  Descriptor descriptor_;
  std::string path_;
  ReadAhead ahead_;
};

}  // namespace

Result<std::unique_ptr<PosixFileSystem>> PosixFileSystem::open(std::string root) {
  POWERCUT_TRYV(check_root(root));
  return std::unique_ptr<PosixFileSystem>(new PosixFileSystem(std::move(root)));
}

Result<std::unique_ptr<File>> PosixFileSystem::open(std::string_view path, OpenMode mode) {
  POWERCUT_TRY(std::string host, host_path(root_, path));
  const int descriptor = uninterrupted([&] { return ::open(host.c_str(), open_flags(mode), 0666); });
  if (descriptor < 0) return system_error(host, "open");
  auto file = std::make_unique<PosixFile>(descriptor, host);
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
    return Error(ErrorCode::kInvalidArgument, host + ": a directory, not a file");
  }
  return std::unique_ptr<File>(std::move(file));
}

Result<void> PosixFileSystem::rename(std::string_view from, std::string_view to) {
  POWERCUT_TRY(const std::string source, host_path(root_, from));
  POWERCUT_TRY(const std::string target, host_path(root_, to));
  if (::rename(source.c_str(), target.c_str()) != 0) return system_error(source, "rename");
  return success();
}

Result<void> PosixFileSystem::remove(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  if (::unlink(host.c_str()) != 0) return system_error(host, "unlink");
  return success();
}

Result<bool> PosixFileSystem::exists(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  struct stat status {};
  if (::stat(host.c_str(), &status) == 0) return true;
  if (errno == ENOENT) return false;
  return system_error(host, "stat");
}

Result<void> PosixFileSystem::make_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  if (::mkdir(host.c_str(), 0777) != 0) return system_error(host, "mkdir");
  return success();
}

Result<void> PosixFileSystem::remove_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  if (::rmdir(host.c_str()) != 0) return system_error(host, "rmdir");
  return success();
}

Result<std::vector<DirectoryEntry>> PosixFileSystem::list(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  return list_host_directory(host);
}

Result<void> PosixFileSystem::sync_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  const Descriptor directory(uninterrupted([&] { return ::open(host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (directory.number() < 0) return system_error(host, "open");
  if (::fsync(directory.number()) != 0) return system_error(host, "fsync");
  return success();
}

}  // namespace powercut::faultfs
