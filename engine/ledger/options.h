// What a user can set of the engine, and its planted bugs.
#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <span>
#include <string>

namespace powercut::ledger {

// Planted bugs, each read at one place. They are our proof that the framework finds what it should.
struct Defects {
  bool ack_before_sync = false;
  bool page_before_log = false;
  bool no_page_image = false;
  bool redo_without_page_test = false;
  bool undo_without_clr = false;
  bool no_undo = false;
  bool undo_oldest_first = false;
  bool savepoint_unlogged = false;
  bool clr_not_redone = false;
  bool checkpoint_trusts_too_much = false;
  bool checkpoint_forgets_active = false;
  bool checkpoint_before_data_sync = false;
  bool control_rewritten = false;
  bool control_unsynced_rename = false;
  bool segment_name_unsynced = false;
  bool recycle_too_early = false;
  bool torn_record_accepted = false;
  bool split_not_atomic = false;
  bool drop_frees_early = false;
  bool free_list_unlogged = false;
  bool unique_index_unlogged = false;
  bool torn_record_skipped = false;
  bool checksum_of_first_sector = false;
  bool segment_end_ends_log = false;
  bool checkpoint_end_unflushed = false;
  bool checkpoint_syncs_own_writes = false;
  bool dirty_page_table_full = false;
  bool rec_lsn_after_image = false;
  bool redirtied_page_late = false;
  bool redo_starts_late = false;
  bool clr_without_undo_next = false;
  bool redone_log_released = false;
  bool recycle_off_by_one = false;
  bool recycle_before_undo = false;
  bool stale_control_slot = false;
  bool control_name_unsynced = false;
  bool database_name_unsynced = false;
  bool ack_of_earlier_record = false;
  bool checksum_without_place = false;
  bool epoch_unchecked = false;
  bool epoch_not_bumped = false;
  bool torn_tail_kept = false;
  bool log_sync_retried = false;
  bool data_sync_retried = false;
  bool full_disk_skipped = false;
  bool page_write_error_ignored = false;
  bool page_written_short = false;
  bool read_error_ends_log = false;
  bool unreadable_is_new = false;
  bool recovered_log_unsynced = false;
  bool page_checksum_unchecked = false;
  bool log_read_once = false;
  bool page_place_unchecked = false;
  bool newer_page_accepted = false;
  bool locks_before_log = false;
  bool range_unlocked = false;
  bool ack_of_other_sync = false;
  bool write_lock_short = false;
  bool deadlock_undetected = false;
  bool victim_half_undone = false;
  bool read_lock_short = false;
  bool committed_read_unlocked = false;
  bool unique_value_unlocked = false;
  bool reference_unlocked = false;
  bool checkpoint_lists_committing = false;
  bool savepoint_gives_locks_back = false;
};

struct Options {
  std::uint32_t frames = 64;
  std::uint32_t segment_bytes = 65536;
  // Recovery looks behind the end of the log for records that show it to be damaged, not torn.
  bool check_log_end = true;
  std::uint32_t log_block = 1;     // log writes begin and end at multiples of it, or of what the file prefers if that is more
  bool zero_segments = false;      // a new log segment is written once before it is used
  std::uint32_t page_batch = 128;  // pages that are written together, where I/O suspends fibers
  bool early_release = false;      // a commit gives its locks back before it is durable
  Defects defects;
};

inline constexpr std::uint32_t kLeastFrames = 8;
inline constexpr std::uint32_t kMostFrames = 1U << 20U;
inline constexpr std::uint32_t kLeastSegmentBytes = 16384;
inline constexpr std::uint32_t kMostSegmentBytes = 1U << 30U;
inline constexpr std::uint32_t kMostLogBlock = 4096;
inline constexpr std::uint32_t kMostPageBatch = 4096;

// The smallest log segment for so many frames: a checkpoint's END names every dirty page, and no record is longer than a
// segment.
constexpr std::uint64_t least_segment_bytes(std::uint32_t frames) {
  constexpr std::uint64_t kBytesPerDirtyPage = 12;
  return std::uint64_t{frames} * kBytesPerDirtyPage + 4096;
}

std::span<const engine::Tunable> tunables();
std::span<const engine::Defect> defects();

// kInvalidArgument, with what there is, for an unknown option, value or defect.
Result<Options> parse_options(std::span<const engine::Option> options, std::span<const std::string> defect_names);

}  // namespace powercut::ledger
