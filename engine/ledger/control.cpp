#include "engine/ledger/control.h"

#include "engine/ledger/final_sync.h"
#include "faultfs/hash.h"

#include <algorithm>
#include <array>
#include <optional>

namespace powercut::ledger {
namespace {

using faultfs::OpenMode;
using faultfs::SyncKind;

constexpr std::uint64_t kMagic = 0x6c72746e6f43504cULL;  // "LPContrl"
using Slot = std::array<byte, kControlRecordBytes>;

Slot encode(const ControlRecord& record) {
  Slot slot{};
  store(slot.data(), kMagic);
  store(slot.data() + 8, kFormatVersion);
  store(slot.data() + 12, record.segment_bytes);
  store(slot.data() + 16, record.sequence);
  store(slot.data() + 24, record.database_id);
  store(slot.data() + 32, raw(record.checkpoint));
  store(slot.data() + 40, raw(record.redo));
  store(slot.data() + 48, record.epoch);
  store(slot.data() + 60, crc32c(~0U, std::span(slot).first(60)));
  return slot;
}

// Magic, version and checksum are the same in every version. 0 if it is no control record at all.
std::uint32_t version_of(const Slot& slot) {
  if (load<std::uint64_t>(slot.data()) != kMagic) return 0;
  if (load<std::uint32_t>(slot.data() + 60) != crc32c(~0U, std::span(slot).first(60))) return 0;
  return load<std::uint32_t>(slot.data() + 8);
}

std::optional<ControlRecord> decode(const Slot& slot) {
  if (version_of(slot) != kFormatVersion) return std::nullopt;
  ControlRecord record;
  record.segment_bytes = load<std::uint32_t>(slot.data() + 12);
  record.sequence = load<std::uint64_t>(slot.data() + 16);
  record.database_id = load<std::uint64_t>(slot.data() + 24);
  record.checkpoint = static_cast<Lsn>(load<std::uint64_t>(slot.data() + 32));
  record.redo = static_cast<Lsn>(load<std::uint64_t>(slot.data() + 40));
  record.epoch = load<std::uint32_t>(slot.data() + 48);
  const bool sound =
      record.segment_bytes >= kLeastSegmentBytes && record.segment_bytes <= kMostSegmentBytes && record.segment_bytes % 4096 == 0;
  return sound ? std::optional(record) : std::nullopt;
}

}  // namespace

Result<bool> Control::read() {
  auto opened = files_.open(path(kControlName), OpenMode::kReadWrite);
  if (opened.has_error()) {
    if (opened.error().code() == ErrorCode::kNotFound || defects_.unreadable_is_new) return false;
    return opened.error();
  }
  file_ = std::move(opened).value();
  std::optional<ControlRecord> newest;
  std::uint32_t other_version = 0;
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    Slot bytes{};
    POWERCUT_TRY(const std::size_t got, read_full(*file_, slot * kControlSlotBytes, bytes));
    if (got < bytes.size()) continue;
    if (version_of(bytes) != kFormatVersion) other_version = std::max(other_version, version_of(bytes));
    const auto record = decode(bytes);
    if (record && (!newest || (record->sequence > newest->sequence) != defects_.stale_control_slot)) newest = record;
  }
  if (!newest && other_version != 0) {
    return Error(ErrorCode::kUnsupported, path(kControlName) + ": a database of format version " + std::to_string(other_version) +
                                              "; this engine reads version " + std::to_string(kFormatVersion));
  }
  if (!newest) {
    return Error(ErrorCode::kCorrupt, path(kControlName) + ": neither slot (at byte 0 and 4096) holds a control record of format " +
                                          std::to_string(kFormatVersion) + " with a matching checksum");
  }
  record_ = *newest;
  name_is_durable_ = record_.sequence > 0;
  return true;
}

Result<void> Control::create() {
  POWERCUT_TRY(file_, files_.open(path(kControlTemporaryName), OpenMode::kCreate));
  POWERCUT_TRYV(file_->resize(2 * kControlSlotBytes));
  const Slot slot = encode(record_);
  POWERCUT_TRYV(write_full(*file_, record_.sequence % 2 * kControlSlotBytes, slot));
  if (!defects_.control_unsynced_rename) POWERCUT_TRYV(file_->sync(SyncKind::kFull));
  POWERCUT_TRYV(files_.rename(path(kControlTemporaryName), path(kControlName)));
  if (!defects_.control_name_unsynced) POWERCUT_TRYV(files_.sync_directory(directory_));
  name_is_durable_ = true;
  POWERCUT_TRY(file_, files_.open(path(kControlName), OpenMode::kReadWrite));
  return success();
}

Result<void> Control::checkpointed(Lsn checkpoint, Lsn redo) {
  ControlRecord next = record_;
  next.checkpoint = checkpoint;
  next.redo = redo;
  return write(next);
}

Result<void> Control::next_epoch() {
  // Whoever made the file may have died before its name was durable.
  if (!name_is_durable_) POWERCUT_TRYV(final_sync_directory(files_, directory_));
  name_is_durable_ = true;
  ControlRecord next = record_;
  ++next.epoch;
  return write(next);
}

Result<void> Control::write(ControlRecord next) {
  ++next.sequence;
  const Slot slot = encode(next);
  std::uint64_t offset = next.sequence % 2 * kControlSlotBytes;
  if (defects_.control_rewritten) {
    POWERCUT_TRYV(file_->resize(0));
    offset = 0;
  }
  POWERCUT_TRYV(write_full(*file_, offset, slot));
  POWERCUT_TRYV(final_sync(*file_, SyncKind::kData));
  record_ = next;
  return success();
}

}  // namespace powercut::ledger
