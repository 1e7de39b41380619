// What the benchmarks of speed share: the bank workload that they run, and the bare loop that they are held against, the
// least that can be done with the bytes of a crash state. The ratio is what counts; rates are of this machine and this
// moment.
//
// bank with 64 accounts, 200 transfers, a checkpoint every 50; the power fails before the sync of every tenth commit.
#pragma once

#include "engine/ledger/catalogue.h"
#include "engine/ledger/control.h"
#include "engine/ledger/core.h"
#include "engine/ledger/log_reader.h"
#include "engine/ledger/log_record.h"
#include "engine/row.h"
#include "faultfs/assert.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "properties/step.h"
#include "properties/timeline.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

namespace powercut::bench {

using namespace ledger;
using properties::CrashMoment;
using properties::OperationKind;
using properties::Step;
using properties::StepKind;
using properties::Steps;

inline constexpr std::uint32_t kAccounts = 64;
inline constexpr std::uint32_t kTransfers = 200;
inline constexpr std::uint32_t kTransfersPerCheckpoint = 50;
inline constexpr std::uint32_t kTransfersPerMoment = 10;
inline constexpr std::size_t kMostPages = 64;  // more than this workload ever has
inline constexpr std::int64_t kTotal = std::int64_t{kAccounts} * 100;

inline Steps bank_steps() {
  Random random(1);
  Steps steps;
  Step set_up;
  set_up.kind = StepKind::kSetUp;
  set_up.count = kAccounts;
  steps.push_back(set_up);
  for (std::uint32_t transfer = 1; transfer <= kTransfers; ++transfer) {
    Step step;
    const std::uint32_t from = random.below(kAccounts);
    step.operations.push_back({OperationKind::kTransfer, 1, from, (from + 1 + random.below(kAccounts - 1)) % kAccounts, 1});
    steps.push_back(step);
    if (transfer % kTransfersPerCheckpoint != 0) continue;
    Step checkpoint;
    checkpoint.kind = StepKind::kCheckpoint;
    steps.push_back(checkpoint);
  }
  return steps;
}

// Whether this is the sync of every tenth commit; `last_step` is the caller's, 0 at first.
inline bool is_bench_moment(const CrashMoment& moment, std::size_t& last_step) {
  const bool before_commit_sync = moment.where == "before a sync" && moment.interrupted.kind == StepKind::kTransaction;
  if (!before_commit_sync || moment.step == last_step || moment.step % kTransfersPerMoment != 0) return false;
  last_step = moment.step;
  return true;
}

inline std::vector<byte> contents(faultfs::FileSystem& files, const std::string& path) {
  auto file = std::move(files.open(path, faultfs::OpenMode::kRead)).value();
  std::vector<byte> bytes(file->size().value());
  bytes.resize(read_full(*file, 0, bytes).value());
  return bytes;
}

// The bytes of one crash state, and the least that can be done with them.
class BareLoop {
 public:
  explicit BareLoop(const faultfs::SimDisk& crashed) {
    faultfs::RecordedChoices newest({});
    faultfs::SimDisk disk;
    disk.boot(crashed, newest);
    faultfs::SimFileSystem files(disk);
    const Defects none;
    Control control(files, "db", none);
    POWERCUT_ASSERT(control.read().has_value(), "the benchmark's database exists");
    control_ = control.record();
    data_ = contents(files, "db/data");
    const std::uint64_t redo = control_.redo == Lsn::kNone ? raw(Log::first_lsn(control_.segment_bytes)) : raw(control_.redo);
    for (std::uint64_t segment = redo / control_.segment_bytes;; ++segment) {
      const std::string path = "db/" + segment_name(segment);
      if (!files.exists(path).value()) break;
      const auto bytes = contents(files, path);
      log_.insert(log_.end(), bytes.begin(), bytes.end());
    }
    first_segment_ = redo / control_.segment_bytes;
    redo_offset_ = redo % control_.segment_bytes;
    // Pages that redo makes lie beyond the file.
    scratch_.resize(std::max<std::size_t>(data_.size(), kMostPages * kPageBytes));
    apply_log();
    accounts_ = root_of("accounts");
  }

  std::int64_t cycle() {
    copy_touched_pages();
    apply_log();
    return sum(accounts_);
  }

 private:
  // In full: a page that redo touches is copied back before each cycle.
  void copy_touched_pages() {
    for (const std::uint32_t page : touched_) {
      const std::size_t at = std::size_t{page} * kPageBytes;
      if (at + kPageBytes <= data_.size()) std::memcpy(scratch_.data() + at, data_.data() + at, kPageBytes);
    }
  }

  Page page(std::uint32_t number) {
    if (!is_touched_[number]) {
      is_touched_[number] = true;
      touched_.push_back(number);
      const std::size_t at = std::size_t{number} * kPageBytes;
      if (at + kPageBytes <= data_.size()) std::memcpy(scratch_.data() + at, data_.data() + at, kPageBytes);
    }
    return Page(scratch_.data() + std::size_t{number} * kPageBytes);
  }

  // The bytes of the images as they are, unchecked.
  void apply_images(std::span<const byte> body, Lsn lsn) {
    ByteReader reader(body);
    for (std::uint16_t count = reader.get<std::uint16_t>(); count > 0; --count) {
      Page restored = page(reader.get<std::uint32_t>());
      const auto hole_begin = reader.get<std::uint16_t>();
      const auto hole_end = reader.get<std::uint16_t>();
      std::memcpy(restored.data(), reader.take(hole_begin).data(), hole_begin);
      const auto tail = reader.take(kPageBytes - hole_end);
      if (!tail.empty()) std::memcpy(restored.data() + hole_end, tail.data(), tail.size());
      restored.set_lsn(lsn);
    }
  }

  // The row change, unchecked.
  void apply_row(RecordType type, std::span<const byte> body, Lsn lsn) {
    ByteReader reader(body);
    if (type == RecordType::kCompensation) reader.take(sizeof(Lsn));
    const auto action = static_cast<RowAction>(reader.get<std::uint8_t>());
    reader.take(1);
    const auto slot = reader.get<std::uint16_t>();
    reader.take(sizeof(PageId));
    Page changed = page(reader.get<std::uint32_t>());
    const auto key_bytes = reader.get<std::uint16_t>();
    const auto before_bytes = reader.get<std::uint16_t>();
    const auto after_bytes = reader.get<std::uint16_t>();
    if (changed.lsn() >= lsn) return;
    const auto key = reader.take_text(key_bytes);
    reader.take(before_bytes);
    const auto after = reader.take_text(after_bytes);
    if (action == RowAction::kInsert) {
      changed.insert(slot, key, after);
    } else if (action == RowAction::kUpdate) {
      changed.replace(slot, after);
    } else {
      changed.erase(slot);
    }
    changed.set_lsn(lsn);
  }

  void apply_log() {
    std::size_t at = redo_offset_;
    while (at + kRecordHeaderBytes <= log_.size()) {
      const auto header = decode_header(std::span<const byte>(log_).subspan(at, kRecordHeaderBytes));
      if (header.length < kRecordHeaderBytes || header.length > log_.size() - at) break;
      const auto record = std::span<const byte>(log_).subspan(at, header.length);
      const Lsn lsn = static_cast<Lsn>(first_segment_ * control_.segment_bytes + at);
      if (header.crc != record_checksum(record, control_.database_id, lsn)) break;
      const auto body = record.subspan(kRecordHeaderBytes);
      if (header.type == RecordType::kImages) {
        apply_images(body, lsn);
      } else if (header.type == RecordType::kRow || header.type == RecordType::kCompensation) {
        apply_row(header.type, body, lsn);
      }
      at += header.length;
      if (at % control_.segment_bytes == 0) at += kSegmentHeaderBytes;
    }
  }

  PageId root_of(std::string_view table) {
    const Page catalogue = page(raw(kCatalogueRoot));
    const Page::Place place = catalogue.search(table);
    POWERCUT_ASSERT(place.found, "the benchmark's table exists");
    return decode_table(table, catalogue.value(place.slot)).value().root;
  }

  std::int64_t sum(PageId root) {
    const Page here = page(raw(root));
    std::int64_t total = 0;
    if (here.type() == PageType::kLeaf) {
      for (std::size_t slot = 0; slot < here.count(); ++slot) total += engine::integer_column(here.value(slot), 0).value_or(0);
    } else {
      for (std::size_t child = 0; child <= here.count(); ++child) total += sum(here.child(child));
    }
    return total;
  }

  ControlRecord control_;
  std::vector<byte> data_;
  std::vector<byte> log_;
  std::uint64_t first_segment_ = 0;
  std::size_t redo_offset_ = 0;
  std::vector<byte> scratch_;
  std::vector<std::uint32_t> touched_;
  std::vector<bool> is_touched_ = std::vector<bool>(kMostPages, false);
  PageId accounts_{};
};

template <class Body>
double seconds(Body&& body) {
  const auto began = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace powercut::bench
