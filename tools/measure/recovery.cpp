#include "tools/measure/recovery.h"

#include "engine/engine.h"
#include "engine/ledger/control.h"
#include "engine/ledger/log_reader.h"
#include "engine/row.h"
#include "faultfs/posix_file_system.h"
#include "faultfs/random.h"
#include "recovery/ledger_engine.h"
#include "tools/measure/unsynced_file_system.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <vector>

namespace powercut::measure {
namespace {

using ledger::ControlRecord;
using ledger::raw;

constexpr std::string_view kDatabase = "db";
constexpr std::int64_t kOpeningBalance = 1000;
constexpr std::uint64_t kRowsPerTransaction = 100;  // while the tables are filled
// Read at a time when nothing is done but reading and checking.
constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;
constexpr std::size_t kPage = 4096;

std::string key_of(std::uint64_t row) {
  char text[24];
  std::snprintf(text, sizeof text, "%09llu", static_cast<unsigned long long>(row));
  return text;
}

struct OpenEngine {
  std::unique_ptr<engine::EngineKind> kind = recovery::make_ledger_kind();
  std::unique_ptr<engine::Engine> engine;
};

Result<OpenEngine> make_engine(const RecoveryLoad& load) {
  const std::vector<engine::Option> options{{"frames", std::to_string(load.frames)},
                                            {"segment", std::to_string(load.segment_bytes)}};
  OpenEngine made;
  POWERCUT_TRY(made.engine, made.kind->make(options, {}));
  return made;
}

Result<void> fill(engine::Session& session, std::string_view table, std::uint64_t rows) {
  std::string row;
  engine::encode_row({kOpeningBalance}, row);
  for (std::uint64_t at = 0; at < rows; ++at) {
    if (at % kRowsPerTransaction == 0) POWERCUT_TRYV(session.begin());
    POWERCUT_TRYV(session.insert(table, key_of(at), row));
    if (at % kRowsPerTransaction == kRowsPerTransaction - 1 || at + 1 == rows) POWERCUT_TRYV(session.commit());
  }
  return success();
}

// Moves 1 from one account to another and notes the transfer's number in the row that is next in a ring of markers.
Result<void> transfer(engine::Session& session, Random& random, std::uint64_t rows, std::uint64_t number, std::string& row) {
  POWERCUT_TRYV(session.begin());
  const std::uint64_t from = random.below(static_cast<std::uint32_t>(rows));
  const std::uint64_t to = random.below(static_cast<std::uint32_t>(rows));
  for (const auto& [account, amount] : {std::pair{from, std::int64_t{-1}}, std::pair{to, std::int64_t{1}}}) {
    const std::string key = key_of(account);
    POWERCUT_TRYV(session.get("accounts", key, row, engine::RowLock::kUpdate));
    const auto balance = engine::integer_column(row, 0);
    if (!balance) return Error(ErrorCode::kCorrupt, "accounts[" + key + "] is not a balance");
    engine::encode_row({*balance + amount}, row);
    POWERCUT_TRYV(session.update("accounts", key, row));
  }
  engine::encode_row({static_cast<std::int64_t>(number)}, row);
  POWERCUT_TRYV(session.update("markers", key_of(number % rows), row));
  return session.commit();
}

Result<ControlRecord> read_control(faultfs::FileSystem& files) {
  const ledger::Defects defects;
  ledger::Control control(files, std::string(kDatabase), defects);
  POWERCUT_TRY(const bool exists, control.read());
  if (!exists) return Error(ErrorCode::kNotFound, std::string(kDatabase) + ": no database");
  return control.record();
}

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A line of /proc/self/status (bytes).
std::uint64_t memory_of_process(std::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) * 1024;
  }
  return 0;
}

// How much the process grows from here on, at most.
class PeakMemory {
 public:
  PeakMemory() {
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5";
    before_ = memory_of_process("VmRSS");
  }
  std::uint64_t bytes() const {
    const std::uint64_t peak = memory_of_process("VmHWM");
    return peak > before_ ? peak - before_ : 0;
  }

 private:
  std::uint64_t before_ = 0;
};

// What is clean of the database's files leaves the page cache.
Result<void> drop_cache(const RecoveryLoad& load) {
  POWERCUT_TRY(const auto files, faultfs::PosixFileSystem::open(load.directory));
  POWERCUT_TRY(const auto entries, files->list(kDatabase));
  for (const auto& entry : entries) {
    const std::string path = load.directory + "/" + std::string(kDatabase) + "/" + entry.name;
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return Error(ErrorCode::kIo, path + ": cannot be opened");
    const bool dropped = ::fsync(descriptor) == 0 && ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0;
    ::close(descriptor);
    if (!dropped) return Error(ErrorCode::kIo, path + ": cannot leave the page cache");
  }
  return success();
}

struct Checked {
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
};

// Reads a segment from an offset in pieces and checks its records' checksums. Whether the log goes on behind it.
Result<bool> check_segment(faultfs::File& file, const ControlRecord& control, std::uint64_t segment, std::uint64_t offset,
                           std::span<byte> buffer, Checked& checked) {
  const ledger::Defects defects;
  std::size_t begin = 0;  // of what is not checked yet, in the buffer
  std::size_t end = 0;
  std::uint64_t read_to = offset;
  for (;;) {
    // What is left of the piece before lies so that the next begins at a page of memory, as direct I/O wants it.
    const std::size_t left = end - begin;
    end = (left + kPage - 1) / kPage * kPage;
    std::memmove(buffer.data() + end - left, buffer.data() + begin, left);
    begin = end - left;
    const std::uint64_t until = std::min<std::uint64_t>((read_to / kPieceBytes + 1) * kPieceBytes, control.segment_bytes);
    POWERCUT_TRY(const std::size_t got, read_full(file, read_to, buffer.subspan(end, until - read_to)));
    read_to += got;
    end += got;
    file.will_read(read_to, kPieceBytes);
    for (;;) {
      if (control.segment_bytes - offset < ledger::kRecordHeaderBytes) return true;
      if (end - begin < ledger::kRecordHeaderBytes) break;
      const byte* const record = buffer.data() + begin;
      const auto length = load<std::uint32_t>(record + 4);
      const bool pad = record[12] == static_cast<byte>(ledger::RecordType::kPad);
      const std::size_t needed = pad ? ledger::kRecordHeaderBytes : length;
      if (length < ledger::kRecordHeaderBytes || needed > kPieceBytes) return false;
      if (end - begin < needed) break;
      const auto place = static_cast<ledger::Lsn>(segment * control.segment_bytes + offset);
      const auto checksum = record_checksum(buffer.subspan(begin, needed), control.database_id, place, defects);
      if (load<std::uint32_t>(record) != checksum) return false;
      checked.bytes += length;
      ++checked.records;
      if (pad) return true;
      offset += length;
      begin += length;
    }
    if (got == 0) return false;
  }
}

Result<Checked> read_and_check(faultfs::FileSystem& files, const ControlRecord& control) {
  Checked checked;
  const std::unique_ptr<byte[], decltype(&std::free)> memory(static_cast<byte*>(std::aligned_alloc(kPage, 2 * kPieceBytes + kPage)),
                                                             &std::free);
  const std::span buffer(memory.get(), 2 * kPieceBytes + kPage);
  std::uint64_t segment = raw(control.redo) / control.segment_bytes;
  std::uint64_t offset = raw(control.redo) % control.segment_bytes;
  for (bool more = true; more; ++segment, offset = ledger::kSegmentHeaderBytes) {
    auto file = files.open(std::string(kDatabase) + "/" + ledger::segment_name(segment), faultfs::OpenMode::kRead);
    if (file.has_error()) break;
    POWERCUT_TRY(more, check_segment(*file.value(), control, segment, offset, buffer, checked));
  }
  return checked;
}

}  // namespace

Result<void> make_log(const RecoveryLoad& load) {
  POWERCUT_TRY(const auto posix, faultfs::PosixFileSystem::open(load.directory));
  UnsyncedFileSystem files(*posix);
  POWERCUT_TRY(const OpenEngine ledger, make_engine(load));
  POWERCUT_TRY(const auto database, ledger.engine->open(files, kDatabase));
  POWERCUT_TRY(const auto session, database->new_session());
  for (const std::string_view table : {"accounts", "markers"}) {
    POWERCUT_TRYV(session->create_table({std::string(table), {{"amount", engine::ColumnType::kInteger, true, false, {}, {}}}}));
    POWERCUT_TRYV(fill(*session, table, load.rows));
  }
  // Twice, so that no page is dirty when the second begins, and redo starts there.
  POWERCUT_TRYV(database->close());
  POWERCUT_TRYV(database->close());
  Random random(load.rows);
  std::string row;
  constexpr std::uint64_t kTransfersPerLook = 1024;
  const std::uint64_t before = files.bytes_of_log();
  for (std::uint64_t number = 0;; ++number) {
    if (number % kTransfersPerLook == 0) {
      if (load.interrupted != nullptr && *load.interrupted) return Error(ErrorCode::kStopped, "interrupted");
      if (files.bytes_of_log() - before >= load.log_bytes) break;
    }
    POWERCUT_TRYV(transfer(*session, random, load.rows, number, row));
  }
  return files.sync_all(kDatabase);
}

Result<RecoveryFigures> measure_recovery(const RecoveryLoad& load, PageCache cache, bool recovery_first) {
  POWERCUT_TRY(const auto files, faultfs::open_host_backend(load.backend, load.directory));
  POWERCUT_TRY(const ControlRecord control, read_control(*files));
  RecoveryFigures figures;
  const auto check = [&]() -> Result<void> {
    if (cache == PageCache::kCold) POWERCUT_TRYV(drop_cache(load));
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    POWERCUT_TRY(const Checked checked, read_and_check(*files, control));
    figures.read_and_check_seconds = seconds_of(CLOCK_MONOTONIC) - begin;
    figures.read_and_check_cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    figures.log_bytes = checked.bytes;
    figures.records = checked.records;
    return success();
  };
  const auto recover = [&]() -> Result<void> {
    if (cache == PageCache::kCold) POWERCUT_TRYV(drop_cache(load));
    const PeakMemory memory;
    POWERCUT_TRY(const OpenEngine ledger, make_engine(load));
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    POWERCUT_TRY(const auto database, ledger.engine->open(*files, kDatabase));
    figures.seconds = seconds_of(CLOCK_MONOTONIC) - begin;
    figures.cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    figures.peak_memory_bytes = memory.bytes();
    return success();
  };
  if (recovery_first) POWERCUT_TRYV(recover());
  POWERCUT_TRYV(check());
  if (!recovery_first) POWERCUT_TRYV(recover());
  return figures;
}

Result<void> check_recovered(const RecoveryLoad& load) {
  POWERCUT_TRY(const auto files, faultfs::open_host_backend(load.backend, load.directory));
  POWERCUT_TRY(const OpenEngine ledger, make_engine(load));
  POWERCUT_TRY(const auto database, ledger.engine->open(*files, kDatabase));
  POWERCUT_TRY(const auto session, database->new_session());
  std::int64_t total = 0;
  POWERCUT_TRYV(session->scan("accounts", {}, {}, [&](std::string_view, std::string_view row) {
    total += engine::integer_column(row, 0).value_or(0);
    return true;
  }));
  const auto expected = static_cast<std::int64_t>(load.rows) * kOpeningBalance;
  if (total == expected) return success();
  return Error(ErrorCode::kCorrupt, "the recovered accounts hold " + std::to_string(total) + ", not " + std::to_string(expected));
}

}  // namespace powercut::measure
