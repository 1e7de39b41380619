// powercut bench recovery: how fast a database opens after a crash, for logs of several sizes.
#include "command.h"

#include "engine/ledger/options.h"
#include "faultfs/posix_file_system.h"
#include "faultfs/scratch_directory.h"
#include "tools/measure/recovery.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <functional>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using measure::PageCache;
using measure::RecoveryFigures;
using measure::RecoveryLoad;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

// "16M" or "1G"; bytes without a letter.
Result<std::uint64_t> bytes_of(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  const unsigned shift = unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : 0;
  if (parsed.ec != std::errc() || (shift == 0 && !unit.empty()) || value == 0 || value > (std::uint64_t{1} << 40U) >> shift) {
    return Error(ErrorCode::kInvalidArgument, "--log-bytes: '" + std::string(text) + "' is not a size such as 64M");
  }
  return value << shift;
}

Result<std::vector<std::uint64_t>> sizes_of(std::string_view list) {
  std::vector<std::uint64_t> sizes;
  for (;;) {
    const auto comma = list.find(',');
    POWERCUT_TRY(const std::uint64_t bytes, bytes_of(list.substr(0, comma)));
    sizes.push_back(bytes);
    if (comma == std::string_view::npos) return sizes;
    list.remove_prefix(comma + 1);
  }
}

// An eighth of the log, so that no checkpoint comes; whole MiB.
std::uint32_t segment_bytes_for(std::uint64_t log_bytes) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>((log_bytes / 8 / kMiB + 1) * kMiB, ledger::kMostSegmentBytes));
}

struct Size {
  RecoveryLoad load;
  std::vector<RecoveryFigures> rounds;
};

struct Spread {
  double least = 0;
  double median = 0;
  double most = 0;
};

Spread spread(const std::vector<RecoveryFigures>& rounds, const std::function<double(const RecoveryFigures&)>& of) {
  std::vector<double> values;
  for (const RecoveryFigures& round : rounds) values.push_back(of(round));
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

struct Summary {
  Spread ratio;
  double recovery_mb = 0;  // a second
  double check_mb = 0;
  double records = 0;
  double cpu = 0;        // of the time of recovery
  double cpu_ratio = 0;  // the ratio, of processor time instead of time
  double memory_mib = 0;
};

Summary summary_of(const Size& size) {
  const auto median = [&](auto of) { return spread(size.rounds, of).median; };
  Summary all;
  all.ratio = spread(size.rounds, [](const RecoveryFigures& f) { return f.read_and_check_seconds / f.seconds; });
  all.recovery_mb = median([](const RecoveryFigures& f) { return static_cast<double>(f.log_bytes) / f.seconds / 1e6; });
  all.check_mb = median([](const RecoveryFigures& f) { return static_cast<double>(f.log_bytes) / f.read_and_check_seconds / 1e6; });
  all.records = median([](const RecoveryFigures& f) { return static_cast<double>(f.records) / f.seconds; });
  all.cpu = median([](const RecoveryFigures& f) { return f.cpu_seconds / f.seconds; });
  all.cpu_ratio = median([](const RecoveryFigures& f) { return f.read_and_check_cpu_seconds / f.cpu_seconds; });
  all.memory_mib =
      median([](const RecoveryFigures& f) { return static_cast<double>(f.peak_memory_bytes) / static_cast<double>(kMiB); });
  return all;
}

void print_text(const std::vector<Size>& sizes, std::string_view cache) {
  const RecoveryLoad& load = sizes.front().load;
  fmt::print("recovery of transfers over {} rows, {} frames ({} MiB) · {} · page cache {} · {} rounds\n", load.rows, load.frames,
             std::uint64_t{load.frames} * 4096 / kMiB, to_string(load.backend), cache, sizes.front().rounds.size());
  fmt::print(
      "ratio: its speed to that of reading the same bytes and checking each record's CRC-32C (median; least to most);\nCPU ratio: "
      "the same of the processor's time\n\n");
  fmt::print("{:>9}  {:>5}  {:>12}  {:>9}  {:>9}  {:>10}  {:>11}  {:>5}  {:>11}\n", "log MiB", "ratio", "", "CPU ratio", "MB/s",
             "read, MB/s", "records/s", "CPU", "memory MiB");
  for (const Size& size : sizes) {
    const Summary all = summary_of(size);
    fmt::print("{:>9.1f}  {:>5.2f}  {:>4.2f} to {:>4.2f}  {:>9.2f}  {:>9.0f}  {:>10.0f}  {:>11.0f}  {:>5.2f}  {:>11.1f}\n",
               static_cast<double>(size.rounds.front().log_bytes) / static_cast<double>(kMiB), all.ratio.median, all.ratio.least,
               all.ratio.most, all.cpu_ratio, all.recovery_mb, all.check_mb, all.records, all.cpu, all.memory_mib);
  }
}

void print_csv(const std::vector<Size>& sizes, std::string_view cache) {
  fmt::print(
      "backend,cache,rows,frames,round,log_bytes,records,seconds,cpu_seconds,read_and_check_seconds,read_and_check_cpu_seconds,"
      "ratio,peak_memory_bytes\n");
  for (const Size& size : sizes) {
    for (std::size_t round = 0; round < size.rounds.size(); ++round) {
      const RecoveryFigures& figures = size.rounds[round];
      fmt::print("{},{},{},{},{},{},{},{:.6f},{:.6f},{:.6f},{:.6f},{:.4f},{}\n", to_string(size.load.backend), cache,
                 size.load.rows, size.load.frames, round, figures.log_bytes, figures.records, figures.seconds, figures.cpu_seconds,
                 figures.read_and_check_seconds, figures.read_and_check_cpu_seconds,
                 figures.read_and_check_seconds / figures.seconds, figures.peak_memory_bytes);
    }
  }
}

void print_json(const std::vector<Size>& sizes, std::string_view cache) {
  const RecoveryLoad& load = sizes.front().load;
  nlohmann::ordered_json document;
  document["command"] = "bench recovery";
  document["backend"] = to_string(load.backend);
  document["cache"] = cache;
  document["rows"] = load.rows;
  document["frames"] = load.frames;
  document["rounds"] = sizes.front().rounds.size();
  document["sizes"] = nlohmann::ordered_json::array();
  for (const Size& size : sizes) {
    const Summary all = summary_of(size);
    nlohmann::ordered_json of_size;
    of_size["log_bytes"] = size.rounds.front().log_bytes;
    of_size["records"] = size.rounds.front().records;
    of_size["ratio"] = {{"median", all.ratio.median}, {"least", all.ratio.least}, {"most", all.ratio.most}};
    of_size["cpu_ratio"] = all.cpu_ratio;
    of_size["megabytes_per_second"] = all.recovery_mb;
    of_size["read_and_check_megabytes_per_second"] = all.check_mb;
    of_size["records_per_second"] = all.records;
    of_size["cpu"] = all.cpu;
    of_size["peak_memory_mebibytes"] = all.memory_mib;
    document["sizes"].push_back(of_size);
  }
  fmt::print("{}\n", document.dump(2));
}

// All sizes are measured in each round, so that what disturbs the machine disturbs them alike.
Result<void> measure_all(std::vector<Size>& sizes, PageCache cache, std::uint32_t rounds, const std::atomic<bool>& interrupted) {
  for (Size& size : sizes) {
    POWERCUT_TRYV(make_log(size.load));
    POWERCUT_TRYV(check_recovered(size.load));
  }
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (Size& size : sizes) {
      if (interrupted) return Error(ErrorCode::kStopped, "interrupted");
      // What was used last stays in memory, and that may be another size.
      if (cache == PageCache::kWarm) POWERCUT_TRYV(measure_recovery(size.load, cache, false));
      POWERCUT_TRY(const RecoveryFigures figures, measure_recovery(size.load, cache, round % 2 == 1));
      size.rounds.push_back(figures);
    }
  }
  return success();
}

Result<void> bench(const Invocation& invocation, const po::variables_map& values, std::string_view format) {
  const auto text = [&](const char* name) { return values[name].as<std::string>(); };
  if (format != "text" && format != "json" && format != "csv") {
    return Error(ErrorCode::kInvalidArgument, "no format is called '" + std::string(format) + "'; there are: text json csv");
  }
  const std::string cache = text("cache");
  if (cache != "cold" && cache != "warm") {
    return Error(ErrorCode::kInvalidArgument, "--cache: '" + cache + "' is not cold or warm");
  }
  POWERCUT_TRY(const auto log_sizes, sizes_of(text("log-bytes")));
  const auto rounds = values["rounds"].as<std::uint32_t>();
  const auto rows = values["rows"].as<std::uint64_t>();
  if (rounds == 0 || rows == 0 || rows > ~std::uint32_t{0}) {
    return Error(ErrorCode::kInvalidArgument, "--rounds and --rows must be 1 or more, rows below 2^32");
  }
  POWERCUT_TRY(const auto backend, faultfs::find_host_backend(text("backend")));
  POWERCUT_TRY(const auto scratch, faultfs::ScratchDirectory::make(text("dir")));
  POWERCUT_TRYV(faultfs::open_host_backend(backend, text("dir")));
  std::vector<Size> sizes;
  for (const std::uint64_t bytes : log_sizes) {
    Size size;
    POWERCUT_TRY(std::string directory, scratch.add(std::to_string(sizes.size())));
    size.load = {std::move(directory),   backend, bytes, rows, values["frames"].as<std::uint32_t>(), segment_bytes_for(bytes),
                 &invocation.interrupted};
    sizes.push_back(std::move(size));
  }
  POWERCUT_TRYV(measure_all(sizes, cache == "cold" ? PageCache::kCold : PageCache::kWarm, rounds, invocation.interrupted));
  (format == "json" ? print_json : format == "csv" ? print_csv : print_text)(sizes, cache);
  return success();
}

}  // namespace

int bench_recovery_command(const Invocation& invocation) {
  po::options_description options("options");
  options.add_options()("log-bytes", po::value<std::string>()->default_value("16M,64M,256M,1G"), "sizes of the log, K, M or G")(
      "dir", po::value<std::string>()->default_value("."), "where; a directory is made there, and removed")(
      "backend", po::value<std::string>()->default_value("posix"), "posix, uring or uring-direct")(
      "cache", po::value<std::string>()->default_value("cold"), "cold: the files leave the page cache first; warm: they are in it")(
      "rows", po::value<std::uint64_t>()->default_value(10000), "rows of each of the two tables")(
      "frames", po::value<std::uint32_t>()->default_value(4096), "pages that the buffer pool holds")(
      "rounds", po::value<std::uint32_t>()->default_value(5), "measurements of each size, in turns");
  const Parsed parsed =
      parse(invocation, "bench recovery [OPTIONS]", "powercut bench recovery --log-bytes 64M,1G --cache warm", options);
  if (parsed.exit_status) return *parsed.exit_status;
  const auto done = bench(invocation, parsed.values, parsed.values["format"].as<std::string>());
  if (done.has_error()) return fail(done.error());
  std::fflush(stdout);
  return kNothingFound;
}

}  // namespace powercut::tools
