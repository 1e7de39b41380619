// Every backend of FileSystem, each over an empty root of its own: what one promises, all are tested for.
#pragma once

#include "faultfs/posix_file_system.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/uring_file_system.h"
#include "tests/support/temporary_directory.h"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace powercut::testing {

// A file system and what it stands on.
struct Storage {
  std::unique_ptr<TemporaryDirectory> directory;  // of a real one
  std::unique_ptr<faultfs::SimDisk> disk;         // of the simulator
  std::unique_ptr<faultfs::FileSystem> files;
};

struct Backend {
  std::string name;
  std::function<Storage()> make;
};

struct NamedOptions {
  std::string name;
  faultfs::UringOptions options;
};

// Ways to open UringFileSystem; none, with a message, where io_uring is refused.
inline std::vector<NamedOptions> uring_ways() {
  using faultfs::UringOptions;
  const auto tried = faultfs::UringFileSystem::open("/");
  if (tried.has_error()) {
    WARN("not tested: " << tried.error().message());
    return {};
  }
  std::vector<NamedOptions> ways{{"buffered", {}}};
  UringOptions direct;
  direct.direct = true;
  ways.push_back({"direct", direct});
  UringOptions registered = direct;
  registered.registered_memory = true;
  registered.memory_bytes = 65536;
  registered.registered_files = 16;
  ways.push_back({"direct, registered", registered});
  UringOptions linked = registered;
  linked.durable = UringOptions::Durable::kLinked;
  linked.depth = 2;
  ways.push_back({"linked, two deep", linked});
  UringOptions thread = registered;
  thread.submission_thread = true;
  ways.push_back({"submission thread", thread});
  UringOptions polled = registered;
  polled.polled = true;
  ways.push_back({"polled", polled});
  return ways;
}

// On the disk that holds temporary files, and in memory where there is such a file system.
inline std::vector<std::string> real_places() {
  std::vector<std::string> places{std::filesystem::temp_directory_path().string()};
  if (std::filesystem::is_directory("/dev/shm")) places.emplace_back("/dev/shm");
  return places;
}

inline std::vector<Backend> real_backends() {
  using namespace faultfs;
  std::vector<Backend> backends;
  const auto ways = uring_ways();
  for (const std::string& place : real_places()) {
    backends.push_back({"POSIX on " + place, [place] {
                          Storage storage;
                          storage.directory = std::make_unique<TemporaryDirectory>(place);
                          storage.files = std::move(PosixFileSystem::open(storage.directory->path())).value();
                          return storage;
                        }});
    for (const NamedOptions& way : ways) {
      backends.push_back({"io_uring (" + way.name + ") on " + place, [place, way] {
                            Storage storage;
                            storage.directory = std::make_unique<TemporaryDirectory>(place);
                            storage.files = std::move(UringFileSystem::open(storage.directory->path(), way.options)).value();
                            return storage;
                          }});
    }
  }
  return backends;
}

inline Storage simulated() {
  Storage storage;
  storage.disk = std::make_unique<faultfs::SimDisk>();
  storage.files = std::make_unique<faultfs::SimFileSystem>(*storage.disk);
  return storage;
}

inline std::vector<Backend> all_backends() {
  auto backends = real_backends();
  backends.push_back({"the simulator", simulated});
  return backends;
}

}  // namespace powercut::testing
