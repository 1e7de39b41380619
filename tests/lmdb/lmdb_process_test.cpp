// What LMDB takes for its process: pages that are read when they are touched, and the ways to die.
#include "engine/lmdb/lmdb_process.h"
#include "engine/lmdb/lmdb_signals.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/property.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <csignal>
#include <cstring>

namespace powercut::testing {
namespace {

using engine::LmdbProcess;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMapped = 16 * kPage;
volatile std::uintptr_t nowhere = 16;  // no page, and the compiler cannot know

// A process with a file of three and a half pages, the n-th full of n + 1, mapped.
struct Mapped {
  explicit Mapped(bool writable) : files(disk), process(kMapped) {
    engine::catch_lmdb_signals();
    auto file = std::move(files.open("data", faultfs::OpenMode::kCreate)).value();
    std::vector<byte> bytes(3 * kPage + kPage / 2);
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = static_cast<byte>(at / kPage + 1);
    REQUIRE(write_full(*file, 0, bytes).has_value());
    process.start(files, "data");
    REQUIRE(process
                .run("mapping",
                     [&] {
                       process.open(O_RDWR);
                       map = static_cast<volatile byte*>(process.map(kMapped, writable));
                       return 0;
                     })
                .has_value());
  }

  // The byte as the file has it.
  byte in_file(std::uint64_t offset) {
    auto file = std::move(files.open("data", faultfs::OpenMode::kRead)).value();
    byte read{};
    REQUIRE(file->read(offset, {&read, 1}).has_value());
    return read;
  }

  faultfs::SimDisk disk;
  faultfs::SimFileSystem files;
  LmdbProcess process;
  volatile byte* map = nullptr;
};

}  // namespace

TEST_CASE("a page of LMDB's mapping is read when it is touched, and shows what is written later") {
  Mapped mapped(false);
  byte seen[4]{};
  const auto look = [&] {
    return mapped.process.run("looking", [&] {
      for (std::size_t at = 0; at < 4; ++at) seen[at] = mapped.map[at * kPage + 5];
      return 0;
    });
  };
  REQUIRE(look().has_value());
  for (std::size_t at = 0; at < 4; ++at) CHECK(seen[at] == static_cast<byte>(at + 1));

  const byte written[2]{byte{99}, byte{98}};
  REQUIRE(
      mapped.process.run("writing", [&] { return mapped.process.write(1000, 2 * kPage + 5, written) == 2 ? 0 : -1; }).has_value());
  REQUIRE(look().has_value());
  CHECK(seen[2] == byte{99});
}

TEST_CASE("LMDB dies where it touches a page beyond the end of the file, and stays dead") {
  Mapped mapped(false);
  const auto died = mapped.process.run("looking", [&] { return static_cast<int>(mapped.map[5 * kPage]); });
  REQUIRE(died.has_error());
  CHECK(died.error().code() == ErrorCode::kCorrupt);
  CHECK(died.error().context().find("SIGBUS") != std::string::npos);
  const auto later = mapped.process.run("looking", [] { return 0; });
  REQUIRE(later.has_error());
  CHECK(later.error().code() == ErrorCode::kStopped);
}

TEST_CASE("LMDB dies of a write to a mapping for reading, and of a damaged pointer") {
  for (const bool outside : {false, true}) {
    Mapped mapped(false);
    const auto died = mapped.process.run("writing", [&] {
      volatile byte* const wild = outside ? reinterpret_cast<volatile byte*>(nowhere) : mapped.map;
      *wild = byte{1};
      return 0;
    });
    REQUIRE(died.has_error());
    CHECK(died.error().context().find("SIGSEGV") != std::string::npos);
  }
}

TEST_CASE("LMDB dies of a copy that runs out of what it holds, and not of one that does not") {
  for (const std::size_t too_many : {0, 1}) {
    for (const bool memory : {false, true}) {
      Mapped mapped(false);
      const auto* const begin =
          memory ? reinterpret_cast<const byte*>(mapped.process.memory().begin()) : const_cast<const byte*>(mapped.map);
      const std::size_t held = memory ? engine::LmdbMemory::bytes() : kMapped;
      byte other{};
      for (const bool into : {false, true}) {
        const void* const at = begin + 7;
        const auto copied = mapped.process.run("copying", [&] {
          mapped.process.check_copy(into ? const_cast<void*>(at) : &other, into ? &other : at, held - 7 + too_many);
          return 0;
        });
        CHECK(copied.has_error() == (too_many > 0));
      }
    }
  }
}

TEST_CASE("what is written through LMDB's mapping reaches the file when it is written back, in ascending order") {
  Mapped mapped(true);
  REQUIRE(mapped.process
              .run("writing",
                   [&] {
                     mapped.map[2 * kPage + 7] = byte{77};
                     mapped.map[7] = byte{76};
                     return 0;
                   })
              .has_value());
  CHECK(mapped.in_file(7) == byte{1});
  const auto before = mapped.disk.operations();
  mapped.process.write_back_all();
  CHECK(mapped.disk.operations() == before + 2);
  CHECK(mapped.in_file(7) == byte{76});
  CHECK(mapped.in_file(2 * kPage + 7) == byte{77});
  // Clean pages are not written again, and those that are touched again are.
  mapped.process.write_back_all();
  CHECK(mapped.disk.operations() == before + 2);
  REQUIRE(mapped.process
              .run("writing",
                   [&] {
                     mapped.map[8] = byte{75};
                     return 0;
                   })
              .has_value());
  mapped.process.write_back_all();
  CHECK(mapped.in_file(8) == byte{75});
}

TEST_CASE("addresses that LMDB leaves in a page are offsets in the file") {
  Mapped mapped(false);
  const auto map = reinterpret_cast<std::uint64_t>(const_cast<byte*>(mapped.map));
  for (const auto& [address, offset] :
       {std::pair{mapped.process.memory().begin() + 123, std::uint64_t{123}}, std::pair{map + kPage, std::uint64_t{kPage}}}) {
    std::vector<byte> page(kPage);
    store(page.data() + 48, address);
    REQUIRE(mapped.process.run("writing", [&] { return mapped.process.write(1000, 0, page) == kPage ? 0 : -1; }).has_value());
    CHECK(mapped.in_file(48) == static_cast<byte>(offset % 256));
    CHECK(mapped.in_file(49) == static_cast<byte>(offset / 256));
    CHECK(mapped.in_file(53) == byte{0});
  }
}

TEST_CASE("mistakes of others than LMDB go where they went before") {
  Mapped mapped(false);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, [](int) { _exit(42); });  // the test's own
    engine::catch_lmdb_signals();
    *reinterpret_cast<volatile int*>(nowhere) = 1;
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}

}  // namespace powercut::testing
