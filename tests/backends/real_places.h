// A file system of each kind over an empty root of its own: on the disk that holds the build tree, in memory, and simulated.
#pragma once

#include "faultfs/posix_file_system.h"
#include "faultfs/scheduler.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/uring_file_system.h"
#include "tests/support/temporary_directory.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace powercut::testing {

struct Place {
  enum class Kind : unsigned char { kSimulated, kPosix, kUring, kUringDirect };
  std::string name;
  Kind kind = Kind::kSimulated;
  std::string directory;  // below which it is, if it is real
};

// Whether sessions side by side suspend for the disk, where the file system can do that.
enum class Suspends : unsigned char { kNo, kYes };

// What a place gives: the file system and what it stands on. Fibers run on the scheduler.
struct Ground {
  explicit Ground(const Place& place, Suspends suspends = Suspends::kNo) {
    using Kind = Place::Kind;
    if (place.kind == Kind::kSimulated) {
      disk = std::make_unique<faultfs::SimDisk>();
      files = std::make_unique<faultfs::SimFileSystem>(*disk);
      return;
    }
    directory = std::make_unique<TemporaryDirectory>(place.directory);
    if (place.kind == Kind::kPosix) {
      files = std::move(faultfs::PosixFileSystem::open(directory->path())).value();
      return;
    }
    faultfs::UringOptions options;
    options.direct = place.kind == Kind::kUringDirect;
    files = std::move(faultfs::UringFileSystem::open(directory->path(), options, suspends == Suspends::kYes ? &scheduler : nullptr))
                .value();
  }

  faultfs::Scheduler scheduler;
  std::unique_ptr<TemporaryDirectory> directory;
  std::unique_ptr<faultfs::SimDisk> disk;
  std::unique_ptr<faultfs::FileSystem> files;
};

// Without those that need io_uring, with a message, where it is refused.
inline std::vector<Place> real_places_of_tests() {
  using Kind = Place::Kind;
  std::vector<Place> places;
  const auto refused = faultfs::UringFileSystem::open("/");
  if (refused.has_error()) WARN("not tested: " << refused.error().message());
  std::vector<std::string> directories{POWERCUT_BUILD_DIRECTORY};
  if (std::filesystem::is_directory("/dev/shm")) directories.emplace_back("/dev/shm");
  for (const std::string& directory : directories) {
    places.push_back({"POSIX on " + directory, Kind::kPosix, directory});
    if (refused.has_error()) continue;
    places.push_back({"io_uring on " + directory, Kind::kUring, directory});
    places.push_back({"io_uring, direct, on " + directory, Kind::kUringDirect, directory});
  }
  return places;
}

inline Place simulated_place() { return {"the simulator", Place::Kind::kSimulated, {}}; }

}  // namespace powercut::testing
