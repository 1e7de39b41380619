#include "faultfs/posix_file_system.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/property.h"
#include "tests/support/temporary_directory.h"

#include <filesystem>

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
    switch (random.below(9)) {
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

TEST_CASE("a real directory and the simulator answer alike") {
  property("real and simulated", [](std::uint64_t seed) {
    const TemporaryDirectory directory;
    const auto real = std::move(PosixFileSystem::open(directory.path())).value();
    SimDisk disk;
    SimFileSystem simulated(disk);
    RC_ASSERT(run(*real, seed) == run(simulated, seed));
  });
}

TEST_CASE("a path cannot leave the root") {
  const TemporaryDirectory directory;
  const auto files = std::move(PosixFileSystem::open(directory.path())).value();
  for (const std::string_view path : {"../x", "/etc/passwd", "a/../../x", "a//b", "."}) {
    CHECK(files->open(path, OpenMode::kCreate).error().code() == ErrorCode::kInvalidArgument);
  }
  CHECK(PosixFileSystem::open(directory.path() + "/none").error().code() == ErrorCode::kNotFound);
}

}  // namespace powercut::testing
