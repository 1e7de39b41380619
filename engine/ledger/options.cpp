#include "engine/ledger/options.h"

#include <array>
#include <charconv>

namespace powercut::ledger {
namespace {

using engine::Needs;

struct Switch {
  engine::Defect text;
  bool Defects::*flag;
};

constexpr auto kSwitches = std::to_array<Switch>({
    {{"ack-before-sync", "a commit is acknowledged before the log is synced"}, &Defects::ack_before_sync},
    {{"page-before-log", "a dirty page may be written before the log that describes it"}, &Defects::page_before_log},
    {{"no-page-image", "the first change of a page after a checkpoint logs no full page image"}, &Defects::no_page_image},
    {{"redo-without-page-test", "redo applies every record, whatever the dirty page table and the page LSN say"},
     &Defects::redo_without_page_test},
    {{"undo-without-clr", "recovery undoes without writing compensation log records"}, &Defects::undo_without_clr},
    {{"no-undo", "recovery does not undo transactions that had not committed"}, &Defects::no_undo},
    {{"undo-oldest-first", "recovery undoes a transaction's changes in the order they were made"}, &Defects::undo_oldest_first},
    {{"savepoint-unlogged", "rollback to a savepoint changes the pages but not the log"}, &Defects::savepoint_unlogged},
    {{"clr-not-redone", "redo skips compensation log records"}, &Defects::clr_not_redone},
    {{"checkpoint-trusts-too-much", "a checkpoint claims that no page is dirty although some stay unwritten"},
     &Defects::checkpoint_trusts_too_much},
    {{"checkpoint-forgets-active", "a checkpoint leaves out the transactions that are active"},
     &Defects::checkpoint_forgets_active},
    {{"checkpoint-before-data-sync", "a checkpoint is recorded before the data file is synced"},
     &Defects::checkpoint_before_data_sync},
    {{"control-rewritten", "the control record is truncated and written again in place"}, &Defects::control_rewritten},
    {{"control-unsynced-rename", "the new control file is renamed into place without syncing its contents"},
     &Defects::control_unsynced_rename},
    {{"segment-name-unsynced", "a log segment is created but its directory never synced"}, &Defects::segment_name_unsynced},
    {{"recycle-too-early", "log segments are recycled although redo and undo still need them"}, &Defects::recycle_too_early},
    {{"torn-record-accepted", "a log record is trusted without its checksum"}, &Defects::torn_record_accepted},
    {{"split-not-atomic", "the pages of a B+tree split are logged one by one"}, &Defects::split_not_atomic},
    {{"drop-frees-early", "dropping a table frees its pages before the transaction commits"}, &Defects::drop_frees_early},
    {{"free-list-unlogged", "the allocation of a page is not logged"}, &Defects::free_list_unlogged},
    {{"unique-index-unlogged", "changes of a unique index are applied but not logged"}, &Defects::unique_index_unlogged},
    {{"torn-record-skipped", "a log record whose checksum does not match is skipped, and what follows is read"},
     &Defects::torn_record_skipped},
    {{"checksum-of-first-sector", "the checksum of a log record covers its first 512 bytes only"},
     &Defects::checksum_of_first_sector},
    {{"segment-end-ends-log", "the log is taken to end where a segment ends without a pad"}, &Defects::segment_end_ends_log},
    {{"checkpoint-end-unflushed", "the control record names a checkpoint whose END is not durable"},
     &Defects::checkpoint_end_unflushed},
    {{"checkpoint-syncs-own-writes", "a checkpoint syncs the data file only if it wrote a page itself, not for what was evicted"},
     &Defects::checkpoint_syncs_own_writes},
    {{"dirty-page-table-full", "a checkpoint's dirty page table has room for four pages and leaves out the rest"},
     &Defects::dirty_page_table_full},
    {{"rec-lsn-after-image", "a page counts as dirty from the record after its full page image"}, &Defects::rec_lsn_after_image},
    {{"redirtied-page-late",
      "a page that is changed again after it was written counts as dirty from that change only, not from its image"},
     &Defects::redirtied_page_late},
    {{"redo-starts-late", "redo starts with the record after the one that the checkpoint names"}, &Defects::redo_starts_late},
    {{"clr-without-undo-next", "a compensation log record names the record before it, not the one that is to be undone next"},
     &Defects::clr_without_undo_next},
    {{"redone-log-released", "recovery gives up the log that it redid before the pages are durable"},
     &Defects::redone_log_released},
    {{"recycle-off-by-one", "the log segment that holds the oldest record still needed is recycled too"},
     &Defects::recycle_off_by_one},
    {{"recycle-before-undo", "log segments are recycled once redo does not need them, whatever undo of an active transaction does",
      Needs::kCoincidence},
     &Defects::recycle_before_undo},
    {{"stale-control-slot", "of two sound control records recovery takes the older"}, &Defects::stale_control_slot},
    {{"control-name-unsynced", "the control file is renamed into place but its directory never synced"},
     &Defects::control_name_unsynced},
    {{"database-name-unsynced", "the database's directory is made but the one above it never synced"},
     &Defects::database_name_unsynced},
    {{"ack-of-earlier-record", "a commit is acknowledged once the record before it is durable"}, &Defects::ack_of_earlier_record},
    {{"checksum-without-place", "a log record's checksum does not cover its place, so what a recycled segment held passes for new"},
     &Defects::checksum_without_place},
    {{"epoch-unchecked", "a log record of an earlier incarnation passes for one of this", Needs::kCoincidence},
     &Defects::epoch_unchecked},
    {{"epoch-not-bumped", "recovery does not begin a new incarnation of the log", Needs::kCoincidence}, &Defects::epoch_not_bumped},
    {{"torn-tail-kept", "the first record after recovery is written over half a record, which is not wiped out before",
      Needs::kCoincidence},
     &Defects::torn_tail_kept},
    {{"log-sync-retried", "after a failed sync of the log it is synced again, and if that succeeds all seems well", Needs::kFault},
     &Defects::log_sync_retried},
    {{"data-sync-retried", "after a failed sync of the data file a checkpoint syncs it again, and if that succeeds all seems well",
      Needs::kFault},
     &Defects::data_sync_retried},
    {{"full-disk-skipped", "when the disk is full the log goes on behind the half of a record that was written", Needs::kFault},
     &Defects::full_disk_skipped},
    {{"page-write-error-ignored", "an error of the write of a page is ignored, and the page counts as clean", Needs::kFault},
     &Defects::page_write_error_ignored},
    {{"page-written-short", "how much of a page was written is not looked at", Needs::kFault}, &Defects::page_written_short},
    {{"read-error-ends-log", "an error of a read of the log is taken for its end", Needs::kFault}, &Defects::read_error_ends_log},
    {{"unreadable-is-new", "a control file that cannot be opened is taken for a database that does not exist", Needs::kFault},
     &Defects::unreadable_is_new},
    {{"recovered-log-unsynced", "what recovery read of the log counts as durable, though it may be in the page cache only",
      Needs::kFault},
     &Defects::recovered_log_unsynced},
    {{"log-read-once", "a read of the log that gives fewer bytes than asked is taken for the end of a segment", Needs::kFault},
     &Defects::log_read_once},
    {{"page-place-unchecked", "a page is not asked whether it is the one that should stand there", Needs::kFault},
     &Defects::page_place_unchecked},
    {{"newer-page-accepted", "a page may tell of records that the log does not have", Needs::kFault},
     &Defects::newer_page_accepted},
    {{"page-checksum-unchecked", "a page's checksum is not looked at when it is read", Needs::kFault},
     &Defects::page_checksum_unchecked},
    {{"locks-before-log", "a commit gives its locks back before its log is durable", Needs::kSessions}, &Defects::locks_before_log},
    {{"range-unlocked", "a serializable scan locks the rows that it finds, but not the gaps between them", Needs::kSessions},
     &Defects::range_unlocked},
    {{"ack-of-other-sync", "who waits for the log is told that it is durable after a sync that began before", Needs::kSessions},
     &Defects::ack_of_other_sync},
    {{"write-lock-short", "a written row is unlocked when its statement ends, and a rollback undoes what others wrote",
      Needs::kSessions},
     &Defects::write_lock_short},
    {{"deadlock-undetected", "nobody looks for a circle of waits", Needs::kSessions}, &Defects::deadlock_undetected},
    {{"victim-half-undone", "who gives way in a deadlock keeps what its earlier statements changed", Needs::kSessions},
     &Defects::victim_half_undone},
    {{"read-lock-short", "at repeatable read a row is unlocked when it has been read", Needs::kSessions},
     &Defects::read_lock_short},
    {{"committed-read-unlocked", "at read committed a row is read whoever holds it", Needs::kSessions},
     &Defects::committed_read_unlocked},
    {{"unique-value-unlocked", "a unique value is free as soon as its row is deleted, whether that commits or not",
      Needs::kSessions},
     &Defects::unique_value_unlocked},
    {{"reference-unlocked", "the row that a FOREIGN KEY refers to may be deleted before the reference commits", Needs::kSessions},
     &Defects::reference_unlocked},
    {{"checkpoint-lists-committing", "a checkpoint counts as active who waits for the sync of its COMMIT", Needs::kSessions},
     &Defects::checkpoint_lists_committing},
    {{"savepoint-gives-locks-back", "a rollback to a savepoint gives all locks of its transaction back", Needs::kSessions},
     &Defects::savepoint_gives_locks_back},
});

constexpr auto kDefectTexts = [] {
  std::array<engine::Defect, kSwitches.size()> texts{};
  for (std::size_t at = 0; at < texts.size(); ++at) texts[at] = kSwitches[at].text;
  return texts;
}();

const std::array<engine::Tunable, 7>& tunable_table() {
  static const std::array<engine::Tunable, 7> kTunables{{
      {"frames", "pages that the buffer pool holds", "64", {"8", "16", "64", "256"}},
      {"segment", "bytes of a log segment", "65536", {"16384", "65536"}},
      {"check-log-end",
       "look behind the end of the log for records that show it to be damaged, not torn: reads all that is there",
       "yes",
       {},
       "no"},
      {"log-block", "writes of the log begin and end at multiples of so many bytes, or of the block of direct I/O", "1", {}},
      {"zero-segments", "write a new log segment once before it is used, so that later writes change no metadata", "no", {}},
      {"page-batch", "pages that are written together, where I/O lets other sessions run", "128", {}},
      {"early-release", "a commit gives its locks back when it is in the log, before that is durable", "no", {}},
  }};
  return kTunables;
}

Result<bool> yes_or_no(const engine::Option& option) {
  if (option.value == "yes" || option.value == "no") return option.value == "yes";
  return Error(ErrorCode::kInvalidArgument, "engine option " + option.name + ": '" + option.value + "' is not yes or no");
}

Result<std::uint32_t> number_in(const engine::Option& option, std::uint32_t least, std::uint32_t most) {
  std::uint32_t value = 0;
  const char* const end = option.value.data() + option.value.size();
  const auto parsed = std::from_chars(option.value.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < least || value > most) {
    return Error(ErrorCode::kInvalidArgument, "engine option " + option.name + ": '" + option.value + "' is not a number from " +
                                                  std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

}  // namespace

std::span<const engine::Tunable> tunables() { return tunable_table(); }

std::span<const engine::Defect> defects() { return kDefectTexts; }

Result<Options> parse_options(std::span<const engine::Option> options, std::span<const std::string> defect_names) {
  Options parsed;
  for (const engine::Option& option : options) {
    if (option.name == "frames") {
      POWERCUT_TRY(parsed.frames, number_in(option, kLeastFrames, kMostFrames));
    } else if (option.name == "segment") {
      POWERCUT_TRY(parsed.segment_bytes, number_in(option, kLeastSegmentBytes, kMostSegmentBytes));
      if (parsed.segment_bytes % 4096 != 0) {
        return Error(ErrorCode::kInvalidArgument, "engine option segment: '" + option.value + "' is not a multiple of 4096");
      }
    } else if (option.name == "check-log-end") {
      POWERCUT_TRY(parsed.check_log_end, yes_or_no(option));
    } else if (option.name == "log-block") {
      POWERCUT_TRY(parsed.log_block, number_in(option, 1, kMostLogBlock));
      if (kMostLogBlock % parsed.log_block != 0) {
        return Error(ErrorCode::kInvalidArgument, "engine option log-block: '" + option.value + "' is not a power of two up to " +
                                                      std::to_string(kMostLogBlock));
      }
    } else if (option.name == "zero-segments") {
      POWERCUT_TRY(parsed.zero_segments, yes_or_no(option));
    } else if (option.name == "page-batch") {
      POWERCUT_TRY(parsed.page_batch, number_in(option, 1, kMostPageBatch));
    } else if (option.name == "early-release") {
      POWERCUT_TRY(parsed.early_release, yes_or_no(option));
    } else {
      std::string message = "ledger has no option '" + option.name + "'; there are:";
      for (const auto& known : tunable_table()) message.append(" ").append(known.name);
      return Error(ErrorCode::kInvalidArgument, message);
    }
  }
  if (parsed.segment_bytes < least_segment_bytes(parsed.frames)) {
    return Error(ErrorCode::kInvalidArgument,
                 "engine options: " + std::to_string(parsed.frames) + " frames need segments of at least " +
                     std::to_string(least_segment_bytes(parsed.frames)) + " bytes, not " + std::to_string(parsed.segment_bytes));
  }
  for (const std::string& name : defect_names) {
    bool found = false;
    for (const Switch& known : kSwitches) {
      if (known.text.name != name) continue;
      parsed.defects.*known.flag = true;
      found = true;
    }
    if (found) continue;
    std::string message = "ledger has no defect '" + name + "'; there are:";
    for (const Switch& known : kSwitches) message.append(" ").append(known.text.name);
    return Error(ErrorCode::kInvalidArgument, message);
  }
  return parsed;
}

}  // namespace powercut::ledger
