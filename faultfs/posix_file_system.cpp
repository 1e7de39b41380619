#include "faultfs/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

namespace powercut::faultfs {
namespace {

Error system_error(std::string_view path, std::string_view call, int number) {
  ErrorCode code = ErrorCode::kIo;
  if (number == ENOENT) code = ErrorCode::kNotFound;
  if (number == EEXIST) code = ErrorCode::kAlreadyExists;
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) code = ErrorCode::kNoSpace;
  if (number == EINVAL || number == ENOTDIR || number == EISDIR || number == ENOTEMPTY || number == ENAMETOOLONG) {
    code = ErrorCode::kInvalidArgument;
  }
  return {code, std::string(path) + ": " + std::string(call) + ": " + std::strerror(number)};
}

Error system_error(std::string_view path, std::string_view call) { return system_error(path, call, errno); }

// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

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

  std::size_t preferred_read_bytes() const override { return std::size_t{1} << 20U; }

 private:
  Descriptor descriptor_;
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<PosixFileSystem>> PosixFileSystem::open(std::string root) {
  struct stat status {};
  if (::stat(root.c_str(), &status) != 0) return system_error(root, "stat");
  if (!S_ISDIR(status.st_mode)) return Error(ErrorCode::kInvalidArgument, root + ": not a directory");
  return std::unique_ptr<PosixFileSystem>(new PosixFileSystem(std::move(root)));
}

Result<std::string> PosixFileSystem::host_path(std::string_view path) const {
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.empty() || name == "." || name == "..") {
      return Error(ErrorCode::kInvalidArgument, std::string(path) + ": a path is names separated by single slashes");
    }
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  }
  return path.empty() ? root_ : root_ + "/" + std::string(path);
}

Result<std::unique_ptr<File>> PosixFileSystem::open(std::string_view path, OpenMode mode) {
  POWERCUT_TRY(std::string host, host_path(path));
  int flags = O_CLOEXEC | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR);
  if (mode == OpenMode::kCreate) flags |= O_CREAT;
  if (mode == OpenMode::kCreateNew) flags |= O_CREAT | O_EXCL;
  const int descriptor = uninterrupted([&] { return ::open(host.c_str(), flags, 0666); });
  if (descriptor < 0) return system_error(host, "open");
  auto file = std::make_unique<PosixFile>(descriptor, host);
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
    return Error(ErrorCode::kInvalidArgument, host + ": a directory, not a file");
  }
  return std::unique_ptr<File>(std::move(file));
}

Result<void> PosixFileSystem::rename(std::string_view from, std::string_view to) {
  POWERCUT_TRY(const std::string source, host_path(from));
  POWERCUT_TRY(const std::string target, host_path(to));
  if (::rename(source.c_str(), target.c_str()) != 0) return system_error(source, "rename");
  return success();
}

Result<void> PosixFileSystem::remove(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(path));
  if (::unlink(host.c_str()) != 0) return system_error(host, "unlink");
  return success();
}

Result<bool> PosixFileSystem::exists(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(path));
  struct stat status {};
  if (::stat(host.c_str(), &status) == 0) return true;
  if (errno == ENOENT) return false;
  return system_error(host, "stat");
}

Result<void> PosixFileSystem::make_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(path));
  if (::mkdir(host.c_str(), 0777) != 0) return system_error(host, "mkdir");
  return success();
}

Result<void> PosixFileSystem::remove_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(path));
  if (::rmdir(host.c_str()) != 0) return system_error(host, "rmdir");
  return success();
}

Result<std::vector<DirectoryEntry>> PosixFileSystem::list(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(path));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(host.c_str()), &::closedir);
  if (directory == nullptr) return system_error(host, "opendir");
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    const bool is_directory = ::stat((host + "/" + name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    entries.push_back({name, is_directory});
  }
  if (errno != 0) return system_error(host, "readdir");
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Result<void> PosixFileSystem::sync_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(path));
  const Descriptor directory(uninterrupted([&] { return ::open(host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (directory.number() < 0) return system_error(host, "open");
  if (::fsync(directory.number()) != 0) return system_error(host, "fsync");
  return success();
}

}  // namespace powercut::faultfs
