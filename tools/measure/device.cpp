#include "tools/measure/device.h"

#include "faultfs/host_calls.h"
#include "faultfs/uring_file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>

namespace powercut::measure {
namespace {

using faultfs::Descriptor;
using faultfs::system_error;
using faultfs::uninterrupted;
using faultfs::UringFileSystem;
using faultfs::UringOptions;

constexpr std::size_t kSizes[] = {512, 4096, 65536, 524288};
constexpr std::size_t kMostBytes = 524288;
constexpr std::size_t kFileBytes = std::size_t{32} << 20U;
constexpr std::size_t kAlignment = 4096;
constexpr std::string_view kName = "powercut-device-probe";

struct Way {
  std::string_view name;
  std::span<byte> memory;
  // Durable when it returns.
  std::function<Result<void>(std::uint64_t offset, std::span<const byte> bytes)> write;
};

struct Free {
  void operator()(byte* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<byte, Free>;

// Removes the file when all is done.
class ProbeFile {
 public:
  explicit ProbeFile(std::string path) : path_(std::move(path)) {}
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;
  ~ProbeFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::uint64_t flushes_below(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return 0;
  // A partition has no count of flushes of its own: its parent directory is the device.
  const std::string device = fmt::format("/sys/dev/block/{}:{}", major(status.st_dev), minor(status.st_dev));
  const bool is_partition = ::access((device + "/partition").c_str(), F_OK) == 0;
  std::ifstream file(device + (is_partition ? "/../stat" : "/stat"));
  constexpr std::size_t kFlushes = 15;  // Documentation/block/stat.rst
  std::uint64_t field = 0;
  for (std::size_t at = 0; at <= kFlushes; ++at) {
    if (!(file >> field)) return 0;
  }
  return field;
}

// Seconds that this thread has been ready to run without running.
double waited_for_core() {
  std::ifstream file("/proc/thread-self/schedstat");
  double ran = 0;
  double waited = 0;
  return file >> ran >> waited ? waited / 1e9 : 0;
}

Result<void> write_plainly(int file, const std::string& path, std::uint64_t offset, std::span<const byte> bytes) {
  const ssize_t taken = uninterrupted([&] { return ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
  if (taken < 0) return system_error(path, "pwrite");
  if (static_cast<std::size_t>(taken) != bytes.size()) return Error(ErrorCode::kIo, path + ": pwrite: took a part only");
  return success();
}

// Blocks that are only allocated are marked as written by the first write, so that they are written here.
Result<void> fill(int file, const std::string& path, std::span<byte> memory) {
  const int refused = ::posix_fallocate(file, 0, kFileBytes);
  if (refused != 0) return system_error(path, "posix_fallocate", refused);
  std::fill(memory.begin(), memory.end(), byte{0});
  for (std::uint64_t offset = 0; offset < kFileBytes; offset += memory.size()) {
    POWERCUT_TRYV(write_plainly(file, path, offset, memory));
  }
  if (::fsync(file) != 0) return system_error(path, "fsync");
  return success();
}

struct UringProbe {
  std::unique_ptr<UringFileSystem> system;
  std::unique_ptr<faultfs::File> file;  // before its system in destruction
};
Result<UringProbe> open_uring(const std::string& directory, UringOptions::Durable durable) {
  UringOptions options;
  options.direct = true;
  options.registered_memory = true;
  options.memory_bytes = kMostBytes;
  options.registered_files = 4;
  options.durable = durable;
  UringProbe probe;
  POWERCUT_TRY(probe.system, UringFileSystem::open(directory, options));
  POWERCUT_TRY(probe.file, probe.system->open(kName, faultfs::OpenMode::kReadWrite));
  return probe;
}

bool is_over(const DeviceLoad& load) { return load.interrupted != nullptr && *load.interrupted; }

Result<DeviceRate> repeat(const Way& way, std::size_t bytes, const DeviceLoad& load) {
  using Clock = std::chrono::steady_clock;
  const std::uint64_t flushes = flushes_below(load.directory);
  const double waited = waited_for_core();
  const auto begin = Clock::now();
  std::uint64_t writes = 0;
  double took = 0;
  while (took < load.seconds && !is_over(load)) {
    POWERCUT_TRYV(way.write(writes * bytes % kFileBytes, way.memory.first(bytes)));
    ++writes;
    took = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  DeviceRate rate;
  rate.way = way.name;
  rate.bytes = bytes;
  rate.device_flushes = flushes_below(load.directory) - flushes;
  if (writes == 0) return rate;
  rate.writes_a_second = static_cast<double>(writes) / took;
  rate.without_core = (waited_for_core() - waited) / took;
  return rate;
}

}  // namespace

Result<std::vector<DeviceRate>> measure_device(const DeviceLoad& load) {
  const ProbeFile probe(load.directory + "/" + std::string(kName));
  const std::string& path = probe.path();
  const Descriptor buffered(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (buffered.number() < 0) return system_error(path, "open");
  const AlignedMemory aligned(static_cast<byte*>(std::aligned_alloc(kAlignment, kMostBytes)));
  const std::span<byte> memory(aligned.get(), kMostBytes);
  POWERCUT_TRYV(fill(buffered.number(), path, memory));

  std::vector<Way> ways;
  ways.push_back({kWriteAndSync, memory, [&](std::uint64_t offset, std::span<const byte> bytes) -> Result<void> {
                    POWERCUT_TRYV(write_plainly(buffered.number(), path, offset, bytes));
                    if (::fdatasync(buffered.number()) != 0) return system_error(path, "fdatasync");
                    return success();
                  }});
  const Descriptor direct(::open(path.c_str(), O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC));
  if (direct.number() >= 0) {
    ways.push_back({kDirect, memory, [&](std::uint64_t offset, std::span<const byte> bytes) {
                      return write_plainly(direct.number(), path, offset, bytes);
                    }});
  }

  std::vector<DeviceRate> rates;
  const auto measure = [&](const Way& way, std::size_t bytes) -> Result<void> {
    // Some file systems that open with O_DIRECT take only larger blocks.
    if (is_over(load) || (bytes < kAlignment && way.write(0, way.memory.first(bytes)).has_error())) return success();
    POWERCUT_TRY(DeviceRate rate, repeat(way, bytes, load));
    rates.push_back(std::move(rate));
    return success();
  };
  constexpr std::pair<std::string_view, UringOptions::Durable> kThroughUring[] = {{kUringDirect, UringOptions::Durable::kOneWrite},
                                                                                  {kUringLinked, UringOptions::Durable::kLinked}};
  for (const std::size_t bytes : kSizes) {
    for (const Way& way : ways) POWERCUT_TRYV(measure(way, bytes));
    if (direct.number() < 0) continue;
    // One after the other: each has the directory to itself.
    for (const auto& [name, durable] : kThroughUring) {
      const auto opened = open_uring(load.directory, durable);
      if (opened.has_error()) continue;
      const auto write = [&](std::uint64_t offset, std::span<const byte> from) {
        return opened.value().file->write_durably(offset, from);
      };
      POWERCUT_TRYV(measure({name, opened.value().system->memory(), write}, bytes));
    }
  }
  return rates;
}

}  // namespace powercut::measure
