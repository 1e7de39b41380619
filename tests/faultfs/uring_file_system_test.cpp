#include "faultfs/uring_file_system.h"

#include "faultfs/random.h"
#include "tests/faultfs/backends.h"
#include "tests/support/property.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

TEST_CASE("where io_uring is refused, opening says so") {
  const TemporaryDirectory directory;
  // A process of its own, because the filter stays.
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog filter{static_cast<unsigned short>(std::size(steps)), steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) _exit(2);
    UringOptions options;
    options.submission_thread = true;
    const auto refused = UringFileSystem::open(directory.path(), options);
    const bool says = refused.has_error() && refused.error().code() == ErrorCode::kUnsupported &&
                      refused.error().message().find("Operation not permitted") != std::string::npos;
    _exit(says ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) {
    WARN("not tested: this process may not filter its system calls");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace powercut::testing
