// What does a durable write cost on a device, and which way of asking for it is cheapest? Overwrites of a preallocated file,
// one after another, in rounds of all ways in turn, so that a slow moment of the machine hits them alike; each figure is the
// median of five rounds. The ratio to a write and an fdatasync is what counts; rates are of this machine and this moment.
//
//   bench_device [--dir PATH] [--seconds S]    S: of a round of one way at one size
#include "faultfs/assert.h"
#include "faultfs/host_calls.h"
#include "faultfs/uring_file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <liburing.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace powercut {
namespace {

using faultfs::Descriptor;
using faultfs::File;
using faultfs::OpenMode;
using faultfs::SyncKind;
using faultfs::UringFileSystem;
using faultfs::UringOptions;

constexpr std::size_t kSizes[] = {512, 4096, 65536, 524288};
constexpr std::size_t kFileBytes = std::size_t{32} << 20U;
constexpr int kRounds = 5;
constexpr std::string_view kName = "powercut-device-probe";

// Writes bytes at an offset, durable when it returns.
using DurableWrite = std::function<void(std::uint64_t offset, std::span<const byte> bytes)>;

struct Way {
  std::string name;
  std::span<byte> memory;
  DurableWrite write;
};

// Of the device below a directory, from /sys/dev/block; none for tmpfs and the like.
struct DeviceCounts {
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
};
std::optional<DeviceCounts> counts_of(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return std::nullopt;
  std::ifstream file(fmt::format("/sys/dev/block/{}:{}/stat", major(status.st_dev), minor(status.st_dev)));
  std::vector<std::uint64_t> fields;
  for (std::uint64_t field = 0; file >> field;) fields.push_back(field);
  if (fields.size() < 16) return std::nullopt;
  return DeviceCounts{fields[4], fields[15]};
}

void must(bool done, std::string_view what) {
  if (done) return;
  fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
  std::exit(3);
}

struct Figures {
  std::vector<double> rates;  // of each round
  std::uint64_t writes = 0;
  std::uint64_t device_writes = 0;
  std::uint64_t device_flushes = 0;
};

void one_round(const Way& way, std::size_t bytes, double seconds, const std::string& directory, Figures& figures) {
  using Clock = std::chrono::steady_clock;
  const auto before = counts_of(directory);
  const auto begin = Clock::now();
  std::uint64_t writes = 0;
  double took = 0;
  std::uint64_t offset = 0;
  while (took < seconds) {
    way.write(offset, way.memory.first(bytes));
    offset = (offset + bytes) % kFileBytes;
    ++writes;
    took = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  const auto after = counts_of(directory);
  figures.rates.push_back(static_cast<double>(writes) / took);
  figures.writes += writes;
  if (!before || !after) return;
  figures.device_writes += after->writes - before->writes;
  figures.device_flushes += after->flushes - before->flushes;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int run(const std::string& directory, double seconds) {
  const std::string path = directory + "/" + std::string(kName);
  const Descriptor buffered(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  must(buffered.number() >= 0, path);
  must(::posix_fallocate(buffered.number(), 0, kFileBytes) == 0, "posix_fallocate");
  void* aligned = nullptr;
  must(::posix_memalign(&aligned, 4096, kSizes[3]) == 0, "posix_memalign");
  const std::span<byte> plain(static_cast<byte*>(aligned), kSizes[3]);
  // Blocks that were never written are marked as written by the first write, which costs more.
  for (std::uint64_t offset = 0; offset < kFileBytes; offset += plain.size()) {
    std::fill(plain.begin(), plain.end(), byte{'x'});
    must(::pwrite(buffered.number(), plain.data(), plain.size(), static_cast<off_t>(offset)) > 0, "pwrite");
  }
  must(::fsync(buffered.number()) == 0, "fsync");

  std::vector<Way> ways;
  ways.push_back({"pwrite, fdatasync", plain, [&](std::uint64_t offset, std::span<const byte> bytes) {
                    must(::pwrite(buffered.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                             static_cast<ssize_t>(bytes.size()),
                         "pwrite");
                    must(::fdatasync(buffered.number()) == 0, "fdatasync");
                  }});
  const Descriptor direct(::open(path.c_str(), O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC));
  if (direct.number() < 0) fmt::print("O_DIRECT | O_DSYNC was refused: {}; not measured\n", std::strerror(errno));
  if (direct.number() >= 0) {
    ways.push_back({"O_DIRECT | O_DSYNC pwrite", plain, [&](std::uint64_t offset, std::span<const byte> bytes) {
                      must(::pwrite(direct.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                               static_cast<ssize_t>(bytes.size()),
                           "pwrite");
                    }});
  }

  std::vector<std::unique_ptr<UringFileSystem>> systems;
  std::vector<std::unique_ptr<File>> files;
  std::uint32_t flags = 0;
  const auto add_uring = [&](const std::string& name, const UringOptions& options, bool separately) {
    auto opened = UringFileSystem::open(directory, options);
    if (opened.has_error()) {
      fmt::print("{}: {}; not measured\n", name, opened.error().message());
      return;
    }
    systems.push_back(std::move(opened).value());
    flags = systems.back()->ring_flags();
    files.push_back(std::move(systems.back()->open(kName, OpenMode::kReadWrite)).value());
    const auto memory = options.memory_bytes > 0 ? systems.back()->memory() : plain;
    std::fill(memory.begin(), memory.end(), byte{'y'});
    ways.push_back({name, memory, [file = files.back().get(), separately](std::uint64_t offset, std::span<const byte> bytes) {
                      const auto done = separately ? file->File::write_durably(offset, bytes) : file->write_durably(offset, bytes);
                      if (done.has_error()) fmt::print(stderr, "{}\n", done.error().message());
                      POWERCUT_ASSERT(done.has_value(), "a durable write of the probe succeeds");
                    }});
  };
  UringOptions options;
  add_uring("io_uring: write, then fdatasync", options, true);
  options.durable = UringOptions::Durable::kLinked;
  add_uring("io_uring: linked write and fdatasync", options, false);
  options.direct = true;
  options.registered_memory = true;
  options.memory_bytes = kSizes[3];
  options.registered_files = 4;
  add_uring("io_uring: the same, O_DIRECT, registered", options, false);
  options.durable = UringOptions::Durable::kOneWrite;
  add_uring("io_uring: O_DIRECT, RWF_DSYNC, registered", options, false);
  options.submission_thread = true;
  add_uring("io_uring: the same, submission thread", options, false);
  options.submission_thread = false;
  options.polled = true;
  add_uring("io_uring: the same, polled if it can be", options, false);

  std::vector<std::vector<Figures>> figures(std::size(kSizes), std::vector<Figures>(ways.size()));
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t size = 0; size < std::size(kSizes); ++size) {
      for (std::size_t way = 0; way < ways.size(); ++way) {
        one_round(ways[way], kSizes[size], seconds, directory, figures[size][way]);
      }
    }
  }
  files.clear();
  ::unlink(path.c_str());
  std::free(aligned);

  const auto table = [&](std::string_view title, const std::function<std::string(const Figures&, const Figures&)>& cell) {
    fmt::print("\n{:<44}", title);
    for (const std::size_t bytes : kSizes) fmt::print("{:>9}", bytes);
    fmt::print("\n");
    for (std::size_t way = 0; way < ways.size(); ++way) {
      fmt::print("{:<44}", ways[way].name);
      for (const auto& of_size : figures) fmt::print("{:>9}", cell(of_size[way], of_size[0]));
      fmt::print("\n");
    }
  };
  table("durable writes, ratio to the first; bytes:",
        [](const Figures& way, const Figures& first) { return fmt::format("{:.2f}", median(way.rates) / median(first.rates)); });
  table("a second", [](const Figures& way, const Figures&) { return fmt::format("{:.0f}", median(way.rates)); });
  if (counts_of(directory)) {
    table("device flushes for a write", [](const Figures& way, const Figures&) {
      return fmt::format("{:.2f}", static_cast<double>(way.device_flushes) / static_cast<double>(way.writes));
    });
    table("device writes for a write", [](const Figures& way, const Figures&) {
      return fmt::format("{:.2f}", static_cast<double>(way.device_writes) / static_cast<double>(way.writes));
    });
    fmt::print("\nMore than 1.00 flush: the way needs it, or somebody else used the device meanwhile.\n");
  } else {
    fmt::print("\n{} is on no block device: nothing to count.\n", directory);
  }
  fmt::print("ring flags: {:#x}{}{}{}\n", flags, (flags & IORING_SETUP_SINGLE_ISSUER) != 0 ? " SINGLE_ISSUER" : "",
             (flags & IORING_SETUP_DEFER_TASKRUN) != 0 ? " DEFER_TASKRUN" : "",
             (flags & IORING_SETUP_COOP_TASKRUN) != 0 ? " COOP_TASKRUN" : "");
  for (const auto& system : systems) {
    for (const std::string& note : system->notes()) fmt::print("note: {}\n", note);
  }
  return 0;
}

}  // namespace
}  // namespace powercut

int main(int argc, char** argv) {
  std::string directory = ".";
  double seconds = 0.2;
  for (int at = 1; at < argc; ++at) {
    const std::string_view argument = argv[at];
    if (argument == "--") continue;
    if (argument == "--dir" && at + 1 < argc) {
      directory = argv[++at];
    } else if (argument == "--seconds" && at + 1 < argc) {
      seconds = std::atof(argv[++at]);
    } else {
      fmt::print(stderr, "usage: bench_device [--dir PATH] [--seconds S]\n");
      return 2;
    }
  }
  return powercut::run(directory, seconds);
}
