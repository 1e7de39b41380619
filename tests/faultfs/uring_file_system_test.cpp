#include "faultfs/uring_file_system.h"

#include "faultfs/random.h"
#include "tests/faultfs/backends.h"
#include "tests/support/property.h"

#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>

namespace powercut::testing {
namespace {
using namespace faultfs;

constexpr std::size_t kPart = 16384;  // of each file, for each fiber

// Reads, writes and syncs in its own part of some files, beside a model of them in memory.
void use_parts(std::span<const std::unique_ptr<File>> files, std::span<std::vector<byte>> models, std::size_t fiber,
               std::uint64_t seed, std::span<byte> registered) {
  Random random(seed);
  std::vector<byte> own(kPart + 4096);
  for (int step = 0; step < 12; ++step) {
    const std::size_t which = random.below(static_cast<std::uint32_t>(files.size()));
    const std::uint32_t unit = random.below(2) == 0 ? 4096 : 1;
    const std::size_t within = random.below(kPart / unit) * std::size_t{unit};
    const std::size_t bytes = random.below(static_cast<std::uint32_t>((kPart - within) / unit) + 1) * std::size_t{unit};
    const std::size_t offset = fiber * kPart + within;
    // Each fiber has a little of the registered memory too.
    std::span<byte> part(own.data() + random.below(4096), bytes);
    if (random.below(2) == 0 && bytes <= registered.size()) part = registered.first(bytes);
    const auto expected = models[which].begin() + static_cast<std::ptrdiff_t>(offset);
    File& file = *files[which];
    switch (random.below(5)) {
      case 0:
      case 1:
        RC_ASSERT(read_full(file, offset, part).value() == bytes);
        RC_ASSERT(std::equal(part.begin(), part.end(), expected));
        break;
      case 2:
        RC_ASSERT(file.sync(random.below(2) == 0 ? SyncKind::kData : SyncKind::kFull).has_value());
        break;
      default:
        for (byte& one : part) one = static_cast<byte>(random.below(256));
        std::copy(part.begin(), part.end(), expected);
        RC_ASSERT((random.below(3) == 0 ? file.write_durably(offset, part) : write_full(file, offset, part)).has_value());
    }
  }
}

void many_fibers(const std::string& place, UringOptions options, std::uint64_t seed) {
  constexpr std::size_t kFibers = 30;
  constexpr std::size_t kFiles = 3;
  Random random(seed);
  options.depth = 1U << random.below(4);
  options.memory_bytes = kFibers * 4096;
  const TemporaryDirectory directory(place);
  Scheduler scheduler;
  const auto files = std::move(UringFileSystem::open(directory.path(), options, &scheduler)).value();
  std::vector<std::unique_ptr<File>> open;
  std::vector<std::vector<byte>> models(kFiles, std::vector<byte>(kFibers * kPart));
  for (std::size_t file = 0; file < kFiles; ++file) {
    open.push_back(std::move(files->open(std::to_string(file), OpenMode::kCreateNew)).value());
    RC_ASSERT(open.back()->allocate(0, kFibers * kPart).has_value());
  }
  std::exception_ptr failed;
  for (std::size_t fiber = 0; fiber < kFibers; ++fiber) {
    scheduler.spawn("fiber", [&, fiber] {
      try {
        use_parts(open, models, fiber, combine(seed, fiber), files->memory().subspan(fiber * 4096, 4096));
      } catch (...) {
        failed = std::current_exception();
      }
    });
  }
  FirstChoice first;
  RandomChoices any(seed);
  RC_ASSERT(scheduler.run(random.below(2) == 0 ? static_cast<Choices&>(first) : any).has_value());
  if (failed) std::rethrow_exception(failed);
  for (std::size_t file = 0; file < kFiles; ++file) {
    std::vector<byte> all(kFibers * kPart);
    RC_ASSERT(read_full(*open[file], 0, all).value() == all.size());
    RC_ASSERT(all == models[file]);
  }
}

}  // namespace

TEST_CASE("many fibers each read what they wrote, with a queue shorter than they are many") {
  for (const std::string& place : real_places()) {
    for (const NamedOptions& way : uring_ways()) {
      property(
          "many fibers, " + way.name + ", on " + place, [&](std::uint64_t seed) { many_fibers(place, way.options, seed); }, 0.04);
    }
  }
}

TEST_CASE("while a fiber waits for the disk another runs, and who asks is told for what") {
  for (const NamedOptions& way : uring_ways()) {
    INFO(way.name);
    const TemporaryDirectory directory;
    Scheduler scheduler;
    const auto files = std::move(UringFileSystem::open(directory.path(), way.options, &scheduler)).value();
    const auto file = std::move(files->open("file", OpenMode::kCreate)).value();
    bool ended = false;
    std::string waits;
    scheduler.spawn("syncs", [&] {
      CHECK(file->write_durably(0, as_bytes("abc")).has_value());
      CHECK(file->sync(SyncKind::kFull).has_value());
      ended = true;
    });
    scheduler.spawn("looks", [&] {
      while (!ended) {
        if (scheduler.is_parked(0)) waits = scheduler.waits_for(0);
        scheduler.yield("look");
      }
    });
    FirstChoice choices;
    REQUIRE(scheduler.run(choices).has_value());
    CHECK(waits == "fsync of " + directory.path() + "/file");
  }
}

TEST_CASE("a fiber that is stopped while the kernel uses its memory waits for the kernel") {
  for (const NamedOptions& way : uring_ways()) {
    INFO(way.name);
    const TemporaryDirectory directory;
    Scheduler scheduler;
    const auto files = std::move(UringFileSystem::open(directory.path(), way.options, &scheduler)).value();
    const auto file = std::move(files->open("file", OpenMode::kCreate)).value();
    constexpr std::size_t kBytes = std::size_t{1} << 20U;
    int written = 0;
    for (std::size_t fiber = 0; fiber < 4; ++fiber) {
      scheduler.spawn("writes", [&, fiber] {
        std::vector<byte> bytes(kBytes, static_cast<byte>('a' + fiber));
        written += write_full(*file, fiber * kBytes, bytes).has_value() && file->sync(SyncKind::kData).has_value() ? 1 : 0;
        std::fill(bytes.begin(), bytes.end(), byte{0});
      });
    }
    scheduler.spawn("stops", [&] { scheduler.stop(); });
    FirstChoice choices;
    REQUIRE(scheduler.run(choices).has_value());
    CHECK(written == 4);
    std::vector<byte> all(4 * kBytes);
    REQUIRE(read_full(*file, 0, all).value() == all.size());
    for (std::size_t at = 0; at < all.size(); at += 512) REQUIRE(all[at] == static_cast<byte>('a' + at / kBytes));
  }
}

TEST_CASE("a full device and a full file system have no space") {
  for (const NamedOptions& way : uring_ways()) {
    INFO(way.name);
    const auto devices = std::move(UringFileSystem::open("/dev", way.options)).value();
    const auto full = std::move(devices->open("full", OpenMode::kReadWrite)).value();
    CHECK(full->write(0, as_bytes("abc")).error().code() == ErrorCode::kNoSpace);
    const TemporaryDirectory directory;
    if (mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=256k") != 0) {
      WARN("not tested on a full tmpfs: mount: " << std::strerror(errno));
      continue;
    }
    {
      const auto files = std::move(UringFileSystem::open(directory.path(), way.options)).value();
      const auto file = std::move(files->open("file", OpenMode::kCreate)).value();
      const std::string bytes(std::size_t{1} << 20U, 'x');
      CHECK(write_full(*file, 0, as_bytes(bytes)).error().code() == ErrorCode::kNoSpace);
      CHECK(file->write_durably(0, as_bytes(bytes)).error().code() == ErrorCode::kNoSpace);
      CHECK(file->allocate(0, bytes.size()).error().code() == ErrorCode::kNoSpace);
    }
    // The kernel closes files late when a thread of its own has used them.
    CHECK(umount2(directory.path().c_str(), MNT_DETACH) == 0);
  }
}

TEST_CASE("what was asked for and refused is left out and noted once") {
  if (uring_ways().empty()) return;
  const auto notes_about = [](const UringFileSystem& files, std::string_view what) {
    return std::count_if(files.notes().begin(), files.notes().end(),
                         [&](const std::string& line) { return line.find(what) != std::string::npos; });
  };
  const TemporaryDirectory directory;
  UringOptions options;
  options.direct = true;
  {
    const auto devices = std::move(UringFileSystem::open("/dev", options)).value();
    CHECK(devices->open("full", OpenMode::kReadWrite).has_value());
    CHECK(devices->open("full", OpenMode::kReadWrite).has_value());
    CHECK(notes_about(*devices, "O_DIRECT was refused") == 1);
  }
  options.registered_files = 1;
  {
    const auto files = std::move(UringFileSystem::open(directory.path(), options)).value();
    for (int time = 0; time < 3; ++time) {
      const auto file = std::move(files->open("file", OpenMode::kCreate)).value();
      CHECK(file->write_durably(0, as_bytes("abc")).has_value());
      CHECK(notes_about(*files, "more files are open") == 1);
    }
  }
  options = {};
  options.polled = true;
  CHECK(notes_about(*std::move(UringFileSystem::open(directory.path(), options)).value(), "only direct") == 1);
}

TEST_CASE("two hundred fibers share a queue of two") {
  constexpr std::size_t kFibers = 200;
  constexpr std::size_t kBytes = 4096;
  for (const std::string& place : real_places()) {
    for (NamedOptions way : uring_ways()) {
      INFO(way.name << " on " << place);
      way.options.depth = 2;
      const TemporaryDirectory directory(place);
      Scheduler scheduler;
      const auto files = std::move(UringFileSystem::open(directory.path(), way.options, &scheduler)).value();
      const auto file = std::move(files->open("file", OpenMode::kCreateNew)).value();
      std::size_t right = 0;
      for (std::size_t fiber = 0; fiber < kFibers; ++fiber) {
        scheduler.spawn("fiber", [&, fiber] {
          const std::vector<byte> bytes(kBytes, static_cast<byte>(fiber + 1));
          std::vector<byte> found(kBytes);
          const bool written = fiber % 2 == 0 ? file->write_durably(fiber * kBytes, bytes).has_value()
                                              : write_full(*file, fiber * kBytes, bytes).has_value();
          const auto got = read_full(*file, fiber * kBytes, found);
          right += written && got.has_value() && found == bytes ? 1 : 0;
        });
      }
      RandomChoices any(1);
      REQUIRE(scheduler.run(any).has_value());
      CHECK(right == kFibers);
    }
  }
}

TEST_CASE("signals that interrupt the waits for the kernel change nothing") {
  static volatile std::sig_atomic_t signals = 0;
  struct sigaction counts {};
  counts.sa_handler = [](int) { signals = signals + 1; };  // without SA_RESTART: system calls end with EINTR
  struct sigaction before {};
  REQUIRE(sigaction(SIGALRM, &counts, &before) == 0);
  const itimerval often{{0, 150}, {0, 150}};
  const itimerval never{};
  for (const NamedOptions& way : uring_ways()) {
    INFO(way.name);
    signals = 0;
    REQUIRE(setitimer(ITIMER_REAL, &often, nullptr) == 0);
    bool same = true;
    {
      const TemporaryDirectory directory;
      const auto files = std::move(UringFileSystem::open(directory.path(), way.options)).value();
      const auto file = std::move(files->open("file", OpenMode::kCreateNew)).value();
      std::vector<byte> found(8192);
      for (std::size_t time = 0; time < 100 || (signals < 20 && time < 5000); ++time) {
        const std::vector<byte> bytes(8192, static_cast<byte>(time));
        same = same && file->write_durably(0, bytes).has_value() && file->sync(SyncKind::kFull).has_value();
        same = same && read_full(*file, 0, found).has_value() && found == bytes;
      }
      for (std::uint64_t seed = 0; seed < 3; ++seed) many_fibers(directory.path(), way.options, seed);
    }
    REQUIRE(setitimer(ITIMER_REAL, &never, nullptr) == 0);
    CHECK(same);
    CHECK(signals > 0);
  }
  REQUIRE(sigaction(SIGALRM, &before, nullptr) == 0);
}

TEST_CASE("a write that the kernel takes in part is gone on with, and what it does not take is an error") {
  constexpr std::size_t kMost = 8192;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const NamedOptions& way : uring_ways()) {
    INFO(way.name);
    const TemporaryDirectory directory;
    const auto files = std::move(UringFileSystem::open(directory.path(), way.options)).value();
    const auto file = std::move(files->open("file", OpenMode::kCreateNew)).value();
    const std::vector<byte> bytes(2 * kMost, byte{7});
    const rlimit small{kMost, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto taken = file->write(0, bytes);
    const auto all = write_full(*file, 0, bytes);
    const auto durably = file->write_durably(0, bytes);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    REQUIRE(taken.has_value());
    CHECK(taken.value() == kMost);
    REQUIRE(all.has_error());
    CHECK(all.error().code() == ErrorCode::kNoSpace);
    REQUIRE(durably.has_error());
    CHECK(durably.error().code() == ErrorCode::kNoSpace);
    CHECK(file->size().value() == kMost);
    CHECK(write_full(*file, 0, bytes).has_value());
    std::vector<byte> found(3 * kMost);
    CHECK(read_full(*file, 0, found).value() == 2 * kMost);
  }
  std::signal(SIGXFSZ, handler);
}

namespace {

// Runs in a process of its own, because what it gives up it does not get back. 0: what was to hold did; 2: not possible here.
int status_of(const std::function<int()>& work) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(work());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

// From now on this system call of the process fails with EPERM: always, or where its second argument is one of these.
bool refuse(long call, const std::vector<__u32>& arguments = {}) {
  const auto load = [](std::size_t offset) { return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<__u32>(offset)); };
  const auto jump = [](__u32 value, std::size_t if_equal, std::size_t if_not) {
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, static_cast<__u8>(if_equal), static_cast<__u8>(if_not));
  };
  const std::size_t count = arguments.size();
  std::vector<sock_filter> steps{load(offsetof(seccomp_data, nr)), jump(static_cast<__u32>(call), 0, count == 0 ? 1 : count + 2)};
  if (count > 0) steps.push_back(load(offsetof(seccomp_data, args) + sizeof(__u64)));
  for (std::size_t at = 0; at < count; ++at) steps.push_back(jump(arguments[at], count - 1 - at, at + 1 == count ? 1 : 0));
  steps.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  steps.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(steps.size()), steps.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Whether registering was refused with so many lines, and files work all the same.
bool works_unregistered(const std::string& directory, std::size_t notes) {
  UringOptions options;
  options.registered_memory = true;
  options.memory_bytes = 8192;
  options.registered_files = 8;
  const auto files = UringFileSystem::open(directory, options);
  if (files.has_error()) return false;
  const auto refused = std::count_if(files.value()->notes().begin(), files.value()->notes().end(), [](const std::string& line) {
    return line.find("was refused") != std::string::npos && line.find("not registered") != std::string::npos;
  });
  const auto file = std::move(files.value()->open("file", OpenMode::kCreate)).value();
  const auto memory = files.value()->memory().first(4096);
  std::fill(memory.begin(), memory.end(), byte{'x'});
  std::vector<byte> found(4096);
  return static_cast<std::size_t>(refused) == notes && file->write_durably(0, memory).has_value() &&
         read_full(*file, 0, found).has_value() && std::equal(found.begin(), found.end(), memory.begin());
}

}  // namespace

TEST_CASE("where the kernel registers nothing, files work without, and a line says so for each") {
  if (uring_ways().empty()) return;
  const TemporaryDirectory directory;
  const int status = status_of([&] {
    const std::vector<__u32> registering{IORING_REGISTER_BUFFERS, IORING_REGISTER_BUFFERS2, IORING_REGISTER_FILES,
                                         IORING_REGISTER_FILES2};
    if (!refuse(__NR_io_uring_register, registering)) return 2;
    return works_unregistered(directory.path(), 2) ? 0 : 1;
  });
  if (status == 2) WARN("not tested: this process may not filter its system calls");
  CHECK(status != 1);
}

TEST_CASE("where memory may not be pinned, files work without, and a line says so") {
  if (uring_ways().empty()) return;
  const TemporaryDirectory directory;
  REQUIRE(chmod(directory.path().c_str(), 0777) == 0);
  const int status = status_of([&] {
    constexpr uid_t kNobody = 65534;
    constexpr rlim_t kForTheRing = rlim_t{1} << 20U;
    const rlimit little{kForTheRing, kForTheRing};
    if (setrlimit(RLIMIT_MEMLOCK, &little) != 0) return 2;
    // Root may pin whatever the limit.
    if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) return 2;
    return works_unregistered(directory.path(), 1) ? 0 : 1;
  });
  if (status == 2) WARN("not tested: this process may not give its rights up");
  CHECK(status != 1);
}

TEST_CASE("where io_uring is refused, opening says so") {
  const TemporaryDirectory directory;
  const auto says = [&](std::string_view why) {
    UringOptions options;
    options.submission_thread = true;
    const auto refused = UringFileSystem::open(directory.path(), options);
    const bool told = refused.has_error() && refused.error().code() == ErrorCode::kUnsupported &&
                      refused.error().message().find(why) != std::string::npos;
    return told ? 0 : 1;
  };
  const auto check = [](int status) {
    if (status == 2) WARN("not tested: this process may not filter its system calls");
    CHECK(status != 1);
  };
  check(status_of([&] { return refuse(__NR_io_uring_setup) ? says("Operation not permitted") : 2; }));
  if (!uring_ways().empty()) check(status_of([&] { return refuse(__NR_io_uring_register) ? says("io_uring_register") : 2; }));
}

}  // namespace powercut::testing
