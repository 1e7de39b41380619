#include "faultfs/uring_file_system.h"

#include "faultfs/uring_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace powercut::faultfs {
namespace {

// How long the kernel may take to end the requests of a process that was killed.
constexpr std::chrono::seconds kLockLimit{10};

Result<void> lock(const std::string& root, UringShared& shared) {
  auto taken = DirectoryLock::take(root, kLockLimit);
  if (taken.has_value()) {
    shared.lock.emplace(std::move(taken).value());
  } else if (taken.error().code() == ErrorCode::kTimeout) {
    return taken.error();
  } else {
    shared.notes.say("locking the directory was refused: " + taken.error().message() + "; not locked");
  }
  return success();
}

}  // namespace

Result<std::unique_ptr<UringFileSystem>> UringFileSystem::open(std::string root, const UringOptions& options,
                                                               Scheduler* scheduler) {
  POWERCUT_TRYV(check_root(root));
  auto shared = std::make_unique<UringShared>(options);
  UringRing::Setup setup;
  setup.depth = std::max(options.depth, 2U);  // a linked write and sync go together
  setup.submission_thread = options.submission_thread;
  setup.polled = options.polled && options.direct;
  if (options.polled && !options.direct)
    shared->notes.say("io_uring: only direct I/O has polled completions (IOPOLL); without them");
  POWERCUT_TRY(shared->ring, UringRing::open(setup, scheduler, shared->notes));
  const auto refused = [&](const char* what, int number) {
    shared->notes.say(std::string("io_uring: registering ") + what + " was refused: " + std::strerror(-number) +
                      "; not registered");
  };
  if (options.registered_memory) {
    const int failed = shared->ring->register_memory(shared->memory.all());
    shared->has_registered_memory = failed == 0;
    if (failed != 0) refused("memory", failed);
  }
  POWERCUT_TRYV(lock(root, *shared));
  const int failed = shared->ring->register_files(options.registered_files, shared->lock ? shared->lock->descriptor() : -1);
  if (failed != 0) {
    refused("files", failed);
    shared->options.registered_files = 0;
  }
  for (std::uint32_t slot = shared->options.registered_files; slot > 0; --slot) shared->free_slots.push_back(slot - 1);
  return std::unique_ptr<UringFileSystem>(new UringFileSystem(std::move(root), std::move(shared), scheduler));
}

UringFileSystem::UringFileSystem(std::string root, std::unique_ptr<UringShared> shared, Scheduler* scheduler)
    : root_(std::move(root)), shared_(std::move(shared)), scheduler_(scheduler) {
  if (scheduler_ == nullptr) return;
  POWERCUT_ASSERT(!scheduler_->has_completions(), "a scheduler waits in one place");
  scheduler_->set_completions(shared_->ring.get());
}

UringFileSystem::~UringFileSystem() {
  if (scheduler_ != nullptr) scheduler_->set_completions(nullptr);
}

std::span<byte> UringFileSystem::memory() const { return shared_->memory.for_caller(); }
const std::vector<std::string>& UringFileSystem::notes() const { return shared_->notes.lines(); }
std::uint32_t UringFileSystem::ring_flags() const { return shared_->ring->flags(); }

Result<std::unique_ptr<File>> UringFileSystem::open(std::string_view path, OpenMode mode) {
  POWERCUT_TRY(std::string host, host_path(root_, path));
  const int opened = shared_->run(
      "open", host, [&](io_uring_sqe& entry) { io_uring_prep_openat(&entry, AT_FDCWD, host.c_str(), open_flags(mode), 0666); });
  if (opened < 0) return system_error(host, "open", -opened);
  Descriptor descriptor(opened);
  struct stat status {};
  if (::fstat(opened, &status) == 0 && S_ISDIR(status.st_mode)) {
    return Error(ErrorCode::kInvalidArgument, host + ": a directory, not a file");
  }
  auto file = std::make_unique<UringFile>(*shared_, std::move(descriptor), host);
  if (shared_->options.direct) file->go_direct(mode);
  return std::unique_ptr<File>(std::move(file));
}

Result<void> UringFileSystem::rename(std::string_view from, std::string_view to) {
  POWERCUT_TRY(const std::string source, host_path(root_, from));
  POWERCUT_TRY(const std::string target, host_path(root_, to));
  const int failed = shared_->run("rename", source, [&](io_uring_sqe& entry) {
    io_uring_prep_renameat(&entry, AT_FDCWD, source.c_str(), AT_FDCWD, target.c_str(), 0);
  });
  if (failed < 0) return system_error(source, "rename", -failed);
  return success();
}

Result<void> UringFileSystem::remove(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  const int failed =
      shared_->run("unlink", host, [&](io_uring_sqe& entry) { io_uring_prep_unlinkat(&entry, AT_FDCWD, host.c_str(), 0); });
  if (failed < 0) return system_error(host, "unlink", -failed);
  return success();
}

Result<bool> UringFileSystem::exists(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  struct statx status {};
  const int failed = shared_->run(
      "stat", host, [&](io_uring_sqe& entry) { io_uring_prep_statx(&entry, AT_FDCWD, host.c_str(), 0, STATX_TYPE, &status); });
  if (failed == -ENOENT) return false;
  if (failed < 0) return system_error(host, "stat", -failed);
  return true;
}

Result<void> UringFileSystem::make_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  const int failed =
      shared_->run("mkdir", host, [&](io_uring_sqe& entry) { io_uring_prep_mkdirat(&entry, AT_FDCWD, host.c_str(), 0777); });
  if (failed < 0) return system_error(host, "mkdir", -failed);
  return success();
}

Result<void> UringFileSystem::remove_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  const int failed = shared_->run(
      "rmdir", host, [&](io_uring_sqe& entry) { io_uring_prep_unlinkat(&entry, AT_FDCWD, host.c_str(), AT_REMOVEDIR); });
  if (failed < 0) return system_error(host, "rmdir", -failed);
  return success();
}

Result<std::vector<DirectoryEntry>> UringFileSystem::list(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  return list_host_directory(host);
}

Result<void> UringFileSystem::sync_directory(std::string_view path) {
  POWERCUT_TRY(const std::string host, host_path(root_, path));
  const int opened = shared_->run("open", host, [&](io_uring_sqe& entry) {
    io_uring_prep_openat(&entry, AT_FDCWD, host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  });
  if (opened < 0) return system_error(host, "open", -opened);
  const Descriptor directory(opened);
  const UringWait wait("fsync", host);
  const int failed = shared_->ring->run(wait, [&](io_uring_sqe& entry) { io_uring_prep_fsync(&entry, opened, 0); });
  if (failed < 0) return system_error(host, "fsync", -failed);
  return success();
}

}  // namespace powercut::faultfs
