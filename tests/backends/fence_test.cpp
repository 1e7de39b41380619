// What the kernel still writes for a process that was killed is over before the next opens the directory.
#include "faultfs/directory_lock.h"
#include "faultfs/uring_file_system.h"
#include "tests/backends/real_places.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace powercut::testing {
namespace {

using namespace faultfs;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kBytes = std::size_t{1} << 20U;

bool shell(const std::string& command) { return std::system(("(" + command + ") >/dev/null 2>&1").c_str()) == 0; }

// An ext4 in a file of another ext4 in a file: while the outer one is frozen, no request to the inner one's device ends.
class DeviceThatStops {
 public:
  DeviceThatStops()
      : directory_(POWERCUT_BUILD_DIRECTORY), outer_(directory_.path() + "/outer"), inner_(directory_.path() + "/inner") {
    const auto mounted = [](const std::string& image, const char* size, const std::string& on) {
      return shell("mkdir " + on + " && truncate -s " + size + " " + image + " && mkfs.ext4 -q " + image + " && mount -o loop " +
                   image + " " + on);
    };
    works_ = mounted(directory_.path() + "/image", "64M", outer_) && mounted(outer_ + "/image", "32M", inner_);
    if (!works_) WARN("not tested: mounting a file system is not permitted");
  }
  DeviceThatStops(const DeviceThatStops&) = delete;
  DeviceThatStops& operator=(const DeviceThatStops&) = delete;
  ~DeviceThatStops() {
    go_on();
    umount2(inner_.c_str(), MNT_DETACH);
    umount2(outer_.c_str(), MNT_DETACH);
  }

  bool works() const { return works_; }
  const std::string& path() const { return inner_; }
  bool stop() { return change(FIFREEZE); }
  bool go_on() { return change(FITHAW); }

 private:
  bool change(unsigned long how) {
    const Descriptor opened(::open(outer_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return opened.number() >= 0 && ::ioctl(opened.number(), how, 0) == 0;
  }

  TemporaryDirectory directory_;
  std::string outer_;
  std::string inner_;
  bool works_ = false;
};

// Writes 'a', durably, tells its parent, waits for it, and overwrites that with 'b'.
[[noreturn]] void overwrite(const std::string& directory, int to_parent, int from_parent) {
  UringOptions options;
  options.direct = true;
  options.memory_bytes = kBytes;
  const auto files = UringFileSystem::open(directory, options);
  if (files.has_error()) _exit(1);
  const auto file = std::move(files.value()->open("file", OpenMode::kCreateNew)).value();
  const auto memory = files.value()->memory();
  std::fill(memory.begin(), memory.end(), byte{'a'});
  char signal = file->write_durably(0, memory).has_value() ? 'y' : 'n';
  if (write(to_parent, &signal, 1) != 1 || read(from_parent, &signal, 1) != 1) _exit(1);
  std::fill(memory.begin(), memory.end(), byte{'b'});
  static_cast<void>(file->write(0, memory).has_value());
  _exit(0);
}

}  // namespace

TEST_CASE("a directory stays locked while the kernel still writes for a process that was killed") {
  const bool has_uring = UringFileSystem::open(POWERCUT_BUILD_DIRECTORY).has_value();
  if (!has_uring) {
    WARN("not tested: io_uring is refused");
    return;
  }
  DeviceThatStops device;
  if (!device.works()) return;
  int to_parent[2];
  int to_child[2];
  REQUIRE((pipe(to_parent) == 0 && pipe(to_child) == 0));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) overwrite(device.path(), to_parent[1], to_child[0]);
  char signal = 'n';
  CHECK((read(to_parent[0], &signal, 1) == 1 && signal == 'y'));
  CHECK(device.stop());
  CHECK(write(to_child[1], &signal, 1) == 1);
  std::this_thread::sleep_for(milliseconds(200));
  CHECK(kill(child, SIGKILL) == 0);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  for (const int end : {to_parent[0], to_parent[1], to_child[0], to_child[1]}) close(end);

  const auto too_early = DirectoryLock::take(device.path(), milliseconds(300));
  CHECK(device.go_on());
  REQUIRE(too_early.has_error());
  CHECK(too_early.error().code() == ErrorCode::kTimeout);
  CHECK(too_early.error().message().find(device.path()) != std::string::npos);

  const auto files = std::move(UringFileSystem::open(device.path())).value();
  const auto file = std::move(files->open("file", OpenMode::kRead)).value();
  std::vector<byte> found(kBytes);
  REQUIRE(read_full(*file, 0, found).value() == kBytes);
  CHECK(std::count(found.begin(), found.end(), byte{'b'}) == kBytes);
}

TEST_CASE("a directory is one file system's until that is closed, also within a process") {
  const TemporaryDirectory directory;
  {
    const auto files = UringFileSystem::open(directory.path());
    if (files.has_error()) {
      WARN("not tested: io_uring is refused");
      return;
    }
    const auto second = DirectoryLock::take(directory.path(), milliseconds(20));
    REQUIRE(second.has_error());
    CHECK(second.error().code() == ErrorCode::kTimeout);
  }
  CHECK(DirectoryLock::take(directory.path(), milliseconds(0)).has_value());
  CHECK(std::filesystem::is_empty(directory.path()));
}

}  // namespace powercut::testing
