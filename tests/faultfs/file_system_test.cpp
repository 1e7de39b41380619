// What every backend promises, tested of each.
#include "faultfs/file_system.h"

#include "faultfs/random.h"
#include "tests/faultfs/backends.h"
#include "tests/support/property.h"

#include <sys/resource.h>

#include <csignal>

namespace powercut::testing {
namespace {
using namespace faultfs;

std::string contents(FileSystem& files, std::string_view path) {
  auto file = std::move(files.open(path, OpenMode::kRead)).value();
  std::string bytes(file->size().value(), '\0');
  RC_ASSERT(read_full(*file, 0, {reinterpret_cast<byte*>(bytes.data()), bytes.size()}).value() == bytes.size());
  return bytes;
}

// Names and contents, and how each operation ended.
std::string run(FileSystem& files, std::uint64_t seed) {
  Random random(seed);
  std::string told;
  const auto note = [&](const auto& result) {
    told += result.has_value() ? "ok " : std::string(to_string(result.error().code())) + " ";
  };
  for (int step = 0; step < 30; ++step) {
    static constexpr std::string_view kNames[] = {"a", "b", "d/a", "d/b"};
    const std::string_view name = kNames[random.below(4)];
    const std::string_view other = kNames[random.below(4)];
    const std::uint64_t offset = random.below(3000);
    const std::string bytes(1 + random.below(2000), static_cast<char>('a' + random.below(26)));
    switch (random.below(10)) {
      case 0:
        note(files.make_directory("d"));
        break;
      case 1:
        note(files.remove_directory("d"));
        break;
      case 2:
        note(files.rename(name, other));
        break;
      case 3:
        note(files.remove(name));
        break;
      case 4:
        note(files.sync_directory("d"));
        break;
      case 5: {
        auto file = files.open(name, OpenMode::kReadWrite);
        note(file);
        if (file.has_value()) note(file.value()->resize(offset));
        break;
      }
      case 6: {
        auto file = files.open(name, OpenMode::kReadWrite);
        note(file);
        if (file.has_value()) note(file.value()->allocate(offset, bytes.size()));
        break;
      }
      case 7: {
        auto file = files.open(name, OpenMode::kCreate);
        note(file);
        if (file.has_value()) note(file.value()->write_durably(offset, as_bytes(bytes)));
        break;
      }
      default: {
        auto file = files.open(name, OpenMode::kCreate);
        note(file);
        if (file.has_value()) note(write_full(*file.value(), offset, as_bytes(bytes)));
        if (file.has_value()) note(file.value()->sync(SyncKind::kData));
      }
    }
  }
  for (const std::string_view directory : {"", "d"}) {
    const auto entries = files.list(directory);
    if (entries.has_error()) continue;
    for (const auto& entry : entries.value()) {
      told += "\n" + entry.name;
      const std::string path = directory.empty() ? entry.name : std::string(directory) + "/" + entry.name;
      if (!entry.is_directory) told += " " + contents(files, path);
    }
  }
  return told;
}

}  // namespace

TEST_CASE("every real directory and the simulator answer alike") {
  for (const Backend& backend : real_backends()) {
    property(
        "simulator and " + backend.name,
        [&](std::uint64_t seed) {
          const Storage real = backend.make();
          const Storage simulator = simulated();
          RC_ASSERT(run(*real.files, seed) == run(*simulator.files, seed));
        },
        0.2);
  }
}

TEST_CASE("a path cannot leave the root") {
  for (const Backend& backend : real_backends()) {
    INFO(backend.name);
    const Storage storage = backend.make();
    for (const std::string_view path : {"../x", "/etc/passwd", "a/../../x", "a//b", "."}) {
      CHECK(storage.files->open(path, OpenMode::kCreate).error().code() == ErrorCode::kInvalidArgument);
    }
  }
}

TEST_CASE("the root must be there and a directory") {
  const TemporaryDirectory directory;
  const std::string none = directory.path() + "/none";
  CHECK(PosixFileSystem::open(none).error().code() == ErrorCode::kNotFound);
  CHECK(PosixFileSystem::open("/etc/passwd").error().code() == ErrorCode::kInvalidArgument);
  if (uring_ways().empty()) return;
  CHECK(UringFileSystem::open(none).error().code() == ErrorCode::kNotFound);
  CHECK(UringFileSystem::open("/etc/passwd").error().code() == ErrorCode::kInvalidArgument);
}

// Offsets, lengths and memory that fit direct I/O, and such that do not, in every combination.
TEST_CASE("a read sees every write before it, whichever way each went") {
  constexpr std::size_t kBytes = 40'000;
  for (const Backend& backend : all_backends()) {
    property(
        "one file through " + backend.name,
        [&](std::uint64_t seed) {
          const Storage storage = backend.make();
          const auto file = std::move(storage.files->open("file", OpenMode::kCreateNew)).value();
          std::vector<byte> model(kBytes);
          RC_ASSERT(file->allocate(0, kBytes).has_value());
          alignas(4096) static std::array<byte, kBytes + 4096> memory;
          Random random(seed);
          for (int step = 0; step < 30; ++step) {
            if (random.below(4) == 0) file->will_read(random.below(kBytes), random.below(20'000));
            const std::uint32_t unit = random.below(2) == 0 ? 1 : random.below(2) == 0 ? 512 : 4096;
            const std::size_t offset = random.below(kBytes / unit) * unit;
            const std::size_t bytes = std::min<std::size_t>(kBytes - offset, random.below(20'000 / unit) * std::size_t{unit});
            const std::span<byte> part(memory.data() + (random.below(2) == 0 ? 0 : random.below(4096)), bytes);
            if (random.below(3) == 0) {
              RC_ASSERT(read_full(*file, offset, part).value() == bytes);
              RC_ASSERT(std::equal(part.begin(), part.end(), model.begin() + static_cast<std::ptrdiff_t>(offset)));
              continue;
            }
            for (byte& one : part) one = static_cast<byte>(random.below(256));
            std::copy(part.begin(), part.end(), model.begin() + static_cast<std::ptrdiff_t>(offset));
            switch (random.below(3)) {
              case 0:
                RC_ASSERT(file->write_durably(offset, part).has_value());
                break;
              case 1: {
                // In three pieces; what it does not take, it is given again.
                const std::size_t cut = bytes == 0 ? 0 : random.below(static_cast<std::uint32_t>(bytes));
                const std::span<const byte> pieces[] = {part.first(cut / unit * unit), part.subspan(cut / unit * unit), {}};
                const std::size_t taken = file->write_many(offset, pieces).value();
                RC_ASSERT(taken > 0 || bytes == 0);
                RC_ASSERT(write_full(*file, offset + taken, part.subspan(taken)).has_value());
                break;
              }
              default:
                RC_ASSERT(write_full(*file, offset, part).has_value());
                if (random.below(4) == 0) RC_ASSERT(file->sync(SyncKind::kFull).has_value());
            }
          }
          std::vector<byte> all(kBytes + 100);
          RC_ASSERT(read_full(*file, 0, all).value() == kBytes);
          all.resize(kBytes);
          RC_ASSERT(all == model);
        },
        0.2);
  }
}

TEST_CASE("a durable write makes the file as long as it needs, and one of nothing does nothing") {
  for (const Backend& backend : all_backends()) {
    INFO(backend.name);
    const Storage storage = backend.make();
    const auto file = std::move(storage.files->open("file", OpenMode::kCreate)).value();
    const std::string long_text(700'000, 'x');  // more than one slot of memory holds
    CHECK(file->write_durably(5, as_bytes("abc")).has_value());
    CHECK(file->size().value() == 8);
    CHECK(file->write_durably(4096, as_bytes(long_text)).has_value());
    CHECK(file->write_durably(1'000'000, {}).has_value());
    CHECK(file->size().value() == 4096 + long_text.size());
    CHECK(contents(*storage.files, "file").substr(4096) == long_text);
  }
}

// What it says goes through std::signal and the limit of the process; both as they were at the end.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    static_cast<void>(std::signal(SIGXFSZ, handler_));
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_CASE("a file that may not grow takes what fits and then has no space") {
  for (const Backend& backend : real_backends()) {
    INFO(backend.name);
    const Storage storage = backend.make();
    const auto file = std::move(storage.files->open("file", OpenMode::kCreate)).value();
    const std::string bytes(16384, 'x');
    const FileSizeLimit limit(8192);
    CHECK(write_full(*file, 0, as_bytes(bytes)).error().code() == ErrorCode::kNoSpace);
    CHECK(file->write_durably(0, as_bytes(bytes)).error().code() == ErrorCode::kNoSpace);
    CHECK(file->allocate(0, 16384).error().code() == ErrorCode::kNoSpace);
    CHECK(file->write_durably(4096, as_bytes(bytes).first(4096)).has_value());
    CHECK(file->size().value() == 8192);
  }
}

TEST_CASE("what is no file or may not be done is told alike") {
  for (const Backend& backend : all_backends()) {
    INFO(backend.name);
    const Storage storage = backend.make();
    FileSystem& files = *storage.files;
    REQUIRE(files.make_directory("d").has_value());
    REQUIRE(files.open("d/a", OpenMode::kCreateNew).has_value());
    CHECK(files.open("d", OpenMode::kRead).error().code() == ErrorCode::kInvalidArgument);
    CHECK(files.open("none", OpenMode::kReadWrite).error().code() == ErrorCode::kNotFound);
    CHECK(files.open("d/a", OpenMode::kCreateNew).error().code() == ErrorCode::kAlreadyExists);
    CHECK(files.make_directory("d").error().code() == ErrorCode::kAlreadyExists);
    CHECK(files.remove_directory("d").error().code() == ErrorCode::kInvalidArgument);
    CHECK(files.remove("none").error().code() == ErrorCode::kNotFound);
    CHECK(files.sync_directory("none").error().code() == ErrorCode::kNotFound);
    CHECK_FALSE(files.exists("none").value());
    CHECK(files.exists("d/a").value());
    CHECK(files.sync_directory("d").has_value());
    CHECK(files.sync_directory("").has_value());
  }
}

}  // namespace powercut::testing
