// What the kernel rarely answers: requests that are to be asked again, and those done in part.
#include "faultfs/uring_file.h"
#include "tests/faultfs/backends.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace powercut::testing {
namespace {

using namespace faultfs;

constexpr std::size_t kBytes = 65536;
constexpr std::uint32_t kPart = 4096;

// A file of 64 KiB, and the ring below it.
struct OnRing {
  explicit OnRing(const UringOptions& options) : shared(options) {
    shared.ring = std::move(UringRing::open({}, nullptr, shared.notes)).value();
    const std::string path = directory.path() + "/file";
    file.emplace(shared, Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)), path);
    if (options.direct) file->go_direct(OpenMode::kCreate);
    REQUIRE(write_full(*file, 0, std::vector<byte>(kBytes, byte{'.'})).has_value());
  }

  TemporaryDirectory directory;
  UringShared shared;
  std::optional<UringFile> file;
};

std::vector<UringOptions> ways() {
  std::vector<UringOptions> all;
  if (uring_ways().empty()) return all;
  for (const bool direct : {false, true}) {
    for (const auto durable : {UringOptions::Durable::kOneWrite, UringOptions::Durable::kLinked}) {
      UringOptions options;
      options.direct = direct;
      options.durable = durable;
      all.push_back(options);
    }
  }
  return all;
}

// Every way to write, each over the whole file, and what is read after it.
void check_reads_and_writes(OnRing& on) {
  const auto check = [&](char letter, const auto& write) {
    INFO(letter);
    const std::vector<byte> bytes(kBytes, static_cast<byte>(letter));
    REQUIRE(write(bytes).has_value());
    std::vector<byte> found(kBytes);
    REQUIRE(read_full(*on.file, 0, found).value() == kBytes);
    CHECK(found == bytes);
  };
  const auto halves = [](const std::vector<byte>& bytes) {
    const std::span<const byte> all(bytes);
    return std::array{all.first(kBytes / 2), all.subspan(kBytes / 2)};
  };
  check('a', [&](const auto& bytes) { return write_full(*on.file, 0, bytes); });
  check('b', [&](const auto& bytes) { return on.file->write_durably(0, bytes); });
  check('c', [&](const auto& bytes) {
    const auto [first, second] = halves(bytes);
    return on.file->write_each(std::array{WriteAt{0, first}, WriteAt{kBytes / 2, second}});
  });
  check('d', [&](const auto& bytes) -> Result<void> {
    const auto both = halves(bytes);
    POWERCUT_TRY(const std::size_t taken, on.file->write_many(0, both));
    return write_full(*on.file, taken, std::span(bytes).subspan(taken));
  });
}

}  // namespace

TEST_CASE("a request that the kernel has no room for, or that a signal interrupts, is made again") {
  for (const UringOptions& options : ways()) {
    CAPTURE(options.direct, options.durable == UringOptions::Durable::kLinked);
    for (const int refusal : {-EAGAIN, -EINTR}) {
      OnRing on(options);
      std::uint64_t asked = 0;
      std::uint64_t refused = 0;
      on.shared.ring->set_fault([&](const io_uring_sqe& entry) {
        if (entry.opcode == IORING_OP_FSYNC || ++asked % 3 == 0) return 0;
        ++refused;
        return refusal;
      });
      check_reads_and_writes(on);
      CHECK(on.file->allocate(kBytes, kBytes).has_value());
      CHECK(on.file->size().value() == 2 * kBytes);
      CHECK(refused > 10);
    }
  }
}

TEST_CASE("a request that is done in part is gone on with") {
  for (const UringOptions& options : ways()) {
    CAPTURE(options.direct, options.durable == UringOptions::Durable::kLinked);
    OnRing on(options);
    std::uint64_t shortened = 0;
    on.shared.ring->set_fault([&](io_uring_sqe& entry) {
      const bool has_vectors = entry.opcode == IORING_OP_WRITEV;
      if (entry.opcode != IORING_OP_READ && entry.opcode != IORING_OP_WRITE && !has_vectors) return 0;
      const std::uint32_t most = has_vectors ? 1 : kPart;
      shortened += entry.len > most ? 1 : 0;
      entry.len = std::min(entry.len, most);
      return 0;
    });
    check_reads_and_writes(on);
    CHECK(shortened > 4 * kBytes / kPart);
  }
}

TEST_CASE("a sync that fails is not made again, whatever the reason") {
  for (const UringOptions& options : ways()) {
    OnRing on(options);
    for (const int refusal : {-EAGAIN, -EINTR, -EIO}) {
      int syncs = 0;
      on.shared.ring->set_fault(
          [&](const io_uring_sqe& entry) { return entry.opcode == IORING_OP_FSYNC && ++syncs == 1 ? refusal : 0; });
      CHECK(on.file->sync(SyncKind::kFull).error().code() == ErrorCode::kIo);
      CHECK(syncs == 1);
    }
  }
}

TEST_CASE("a long durable write that must be copied goes slot by slot, and what the kernel leaves of one is written again") {
  constexpr std::size_t kLong = 3 * UringMemory::kSlotBytes + 5 * std::size_t{4096};
  for (const UringOptions& options : ways()) {
    CAPTURE(options.direct, options.durable == UringOptions::Durable::kLinked);
    OnRing on(options);
    std::uint64_t writes = 0;
    on.shared.ring->set_fault([&](io_uring_sqe& entry) {
      if (entry.opcode != IORING_OP_WRITE) return 0;
      ++writes;
      if (options.durable == UringOptions::Durable::kOneWrite) CHECK(entry.rw_flags == RWF_DSYNC);
      if (writes == 2) entry.len = kPart;
      return writes == 4 ? -EAGAIN : 0;
    });
    // Not as direct I/O wants it in memory.
    std::vector<byte> memory(kLong + 1);
    for (std::size_t at = 0; at < kLong; ++at) memory[at + 1] = static_cast<byte>(at / 4096 % 251);
    const auto bytes = std::span<const byte>(memory).subspan(1);
    REQUIRE(on.file->write_durably(4096, bytes).has_value());
    std::vector<byte> found(kLong);
    REQUIRE(read_full(*on.file, 4096, found).value() == kLong);
    CHECK(std::equal(found.begin(), found.end(), bytes.begin()));
    const bool in_pieces = on.file->preferred_write_unit() > 1 && options.durable == UringOptions::Durable::kOneWrite;
    if (in_pieces) CHECK(writes == 6);
  }
}

TEST_CASE("what goes to the page cache in many places does not wait there for the next sync") {
  for (const UringOptions& options : ways()) {
    OnRing on(options);
    std::uint64_t begun = 0;
    on.shared.ring->set_fault([&](const io_uring_sqe& entry) {
      begun += entry.opcode == IORING_OP_SYNC_FILE_RANGE ? 1 : 0;
      return 0;
    });
    const std::vector<byte> bytes(kPart);
    REQUIRE(on.file->write_each(std::array{WriteAt{0, bytes}, WriteAt{2 * kPart, bytes}}).has_value());
    CHECK(begun == (on.file->preferred_write_unit() > 1 ? 0 : 1));
  }
}

}  // namespace powercut::testing
