#include "recovery/redo.h"

#include "engine/ledger/log_reader.h"
#include "engine/ledger/log_record.h"
#include "recovery/active_table.h"

#include <algorithm>
#include <string>

namespace powercut::recovery {
namespace {

using ledger::ActiveTxn;
using ledger::CheckpointEnd;
using ledger::Core;
using ledger::DirtyPage;
using ledger::LogRecord;
using ledger::Lsn;
using ledger::Page;
using ledger::PageId;
using ledger::raw;
using ledger::RecordType;
using ledger::TxnId;

// Does an update whose row is as long as it was, as most are. False for any other change, and for one that the page cannot
// take: then nothing is done.
bool update_in_place(const ledger::RowChange& change, Page& page) {
  if (change.action != ledger::RowAction::kUpdate || page.type() != ledger::PageType::kLeaf || change.slot >= page.count())
    return false;
  if (page.value(change.slot).size() != change.after.size() || !same_bytes(page.key(change.slot), change.key)) return false;
  page.replace(change.slot, change.after);
  return true;
}

bool ends_transaction(RecordType type) { return type == RecordType::kCommit || type == RecordType::kRolledBack; }

class Pass {
 public:
  Pass(Core& core, const engine::Narrator* narrator) : core_(core), narrator_(narrator) {}

  Result<RedoResult> run();

 private:
  Result<void> read_checkpoint(ledger::LogReader& reader);
  void analyse_change(const LogRecord& record, Lsn undo_next);
  void analyse_end(const LogRecord& record);
  void number_is_taken(TxnId txn) {
    if (raw(txn) >= raw(core_.next_txn)) core_.next_txn = static_cast<TxnId>(raw(txn) + 1);
  }
  bool redo_plain(ledger::LogReader& reader, LogRecord& record);
  void flush_before_replacing(Lsn here);
  // Measured: inlined, the record that is read stays in registers.
  [[gnu::always_inline]] bool redo_in_place(const LogRecord& record);
  Result<void> redo_row(const LogRecord& record);
  Result<void> redo_images(const LogRecord& record);
  // Whether the page on disk may lack the change at `lsn`: not if the checkpoint says that it was written since.
  bool page_may_lack(PageId page, Lsn lsn) const {
    return lsn >= checkpoint_.begin || core_.options.defects.redo_without_page_test || was_dirty(page, lsn);
  }
  bool was_dirty(PageId page, Lsn lsn) const;

  void tell_end(const LogRecord& record) const;
  void tell(const LogRecord& record, const ledger::RowChange& change, std::string_view what) const;
  template <class... Parts>
  void say(std::string_view phase, const Parts&... parts) const {
    if (narrator_ == nullptr) return;
    std::string line;
    (line.append(parts), ...);
    (*narrator_)(phase, line);
  }
  static std::string number(std::uint64_t value) { return std::to_string(value); }

  Core& core_;
  const engine::Narrator* narrator_;
  CheckpointEnd checkpoint_;
  Lsn checkpoint_end_ = Lsn::kNone;
  Lsn redo_from_ = Lsn::kNone;
  Lsn flushed_ = Lsn::kNone;
  ActiveTable active_;
  RedoResult result_;
  std::vector<ledger::PageImage> images_;
};

Result<RedoResult> Pass::run() {
  const auto& control = core_.control.record();
  checkpoint_end_ = control.checkpoint;
  ledger::LogReader reader(core_.files, core_.directory, core_.options.defects, core_.memory.recovery_buffer);
  POWERCUT_TRYV(read_checkpoint(reader));
  POWERCUT_TRYV(core_.open_data(faultfs::OpenMode::kReadWrite, checkpoint_.begin));
  core_.next_txn = checkpoint_.next_txn;
  for (const ActiveTxn& active : checkpoint_.active) active_.add(active);

  flushed_ = redo_from_;
  reader.start(control, redo_from_);
  LogRecord record;
  const bool late = core_.options.defects.redo_starts_late && control.checkpoint != Lsn::kNone;
  if (late) POWERCUT_TRYV(reader.next(record));
  for (;;) {
    if (!redo_plain(reader, record)) {
      POWERCUT_TRY(const bool more, reader.next(record));
      if (!more) break;
      ++result_.records;
    }
    if (record.header.type == RecordType::kImages) {
      POWERCUT_TRYV(redo_images(record));
    } else if (record.header.type == RecordType::kRow || record.header.type == RecordType::kCompensation) {
      POWERCUT_TRYV(redo_row(record));
    } else if (ends_transaction(record.header.type)) {
      analyse_end(record);
    }
  }
  if (control.checkpoint != Lsn::kNone && reader.position() <= control.checkpoint) {
    return Error(ErrorCode::kCorrupt, core_.directory + ": the log ends at LSN " + number(raw(reader.position())) + " (" +
                                          std::string(reader.why_ended()) + "), before the checkpoint at LSN " +
                                          number(raw(control.checkpoint)));
  }
  if (control.checkpoint == Lsn::kNone && reader.position() == redo_from_ && !reader.has_segment()) {
    // The first segment is durable before the control file exists, and stays until a checkpoint is recorded.
    return Error(ErrorCode::kCorrupt, core_.directory + ": the control record knows of no checkpoint, but the log does not " +
                                          "begin with its first segment (" + std::string(reader.why_ended()) + ")");
  }
  if (core_.options.check_log_end) POWERCUT_TRYV(reader.check_end());
  if (core_.pool->newest_read() >= reader.position()) {
    return Error(ErrorCode::kCorrupt, core_.directory + ": the log ends at LSN " + number(raw(reader.position())) + " (" +
                                          std::string(reader.why_ended()) + "), but a data page is of LSN " +
                                          number(raw(core_.pool->newest_read())));
  }
  core_.log.open_at(reader.position());
  say("analysis", "the log ends at LSN ", number(raw(reader.position())), ": ", reader.why_ended());
  result_.losers = active_.in_order();
  for (const ActiveTxn& loser : result_.losers) {
    say("analysis", "txn ", number(raw(loser.txn)), " is a loser: its last record is at LSN ", number(raw(loser.last)));
  }
  return std::move(result_);
}

Result<void> Pass::read_checkpoint(ledger::LogReader& reader) {
  const auto& control = core_.control.record();
  if (control.checkpoint == Lsn::kNone) {
    redo_from_ = ledger::Log::first_lsn(control.segment_bytes);
    checkpoint_.begin = redo_from_;
    checkpoint_.next_txn = TxnId{1};
    say("analysis", "no checkpoint yet: from the first record, LSN ", number(raw(redo_from_)));
    return success();
  }
  reader.start(control, control.checkpoint);
  POWERCUT_TRY(const LogRecord end, reader.at(control.checkpoint));
  if (end.header.type != RecordType::kCheckpointEnd) {
    return Error(ErrorCode::kCorrupt, core_.directory + ": LSN " + number(raw(control.checkpoint)) +
                                          ": the control record says that a checkpoint ended here, but this is " +
                                          std::string(to_string(end.header.type)));
  }
  POWERCUT_TRYV(decode_checkpoint_end(end.body, checkpoint_));
  std::sort(checkpoint_.dirty.begin(), checkpoint_.dirty.end(),
            [](const DirtyPage& a, const DirtyPage& b) { return a.page < b.page; });
  redo_from_ = control.redo;
  say("analysis", "checkpoint from LSN ", number(raw(checkpoint_.begin)), " to ", number(raw(control.checkpoint)), ": redo from ",
      number(raw(redo_from_)), ", ", number(checkpoint_.active.size()), " active, ", number(checkpoint_.dirty.size()), " dirty");
  return success();
}

// Keeps the table of active transactions. What is before the checkpoint's end is in its table already.
inline void Pass::analyse_change(const LogRecord& record, Lsn undo_next) {
  if (record.lsn < checkpoint_end_ || record.header.txn == TxnId::kNone) return;
  if (ActiveTxn* const active = active_.find(record.header.txn)) {
    active->last = record.lsn;
    active->undo_next = undo_next;
  } else {
    number_is_taken(record.header.txn);
    active_.add({record.header.txn, record.lsn, record.lsn, undo_next});
  }
}

void Pass::analyse_end(const LogRecord& record) {
  if (record.lsn < checkpoint_end_ || record.header.txn == TxnId::kNone) return;
  number_is_taken(record.header.txn);
  if (narrator_ != nullptr) tell_end(record);
  active_.remove(record.header.txn);
}

void Pass::tell_end(const LogRecord& record) const {
  say("analysis", "LSN ", number(raw(record.lsn)), ": ", to_string(record.header.type), " txn ", number(raw(record.header.txn)));
}

// Whether the checkpoint says that the page on disk lacks the change at `lsn`.
bool Pass::was_dirty(PageId page, Lsn lsn) const {
  const auto dirty = std::lower_bound(checkpoint_.dirty.begin(), checkpoint_.dirty.end(), page,
                                      [](const DirtyPage& entry, PageId wanted) { return entry.page < wanted; });
  return dirty != checkpoint_.dirty.end() && dirty->page == page && dirty->rec_lsn <= lsn;
}

void Pass::tell(const LogRecord& record, const ledger::RowChange& change, std::string_view what) const {
  say("redo", "LSN ", number(raw(record.lsn)), ": ", record.header.type == RecordType::kCompensation ? "CLR " : "",
      to_string(change.action), " page ", number(raw(change.page)), " slot ", number(change.slot), ": ", what);
}

// A page that another replaces is written, and before it the log that tells of it is made durable: a sync for each page, if
// each asks for its own. So the log is made durable up to here, every so often that hardly a page is younger than that.
void Pass::flush_before_replacing(Lsn here) {
  constexpr std::uint64_t kLeastBytes = 65536;
  constexpr std::uint64_t kBytesPerFrame = 32;  // no record of a row is shorter, and each takes one frame at most
  if (core_.memory.pool.frames.size() < core_.options.frames) return;
  if (here - flushed_ < std::max(kLeastBytes, kBytesPerFrame * core_.options.frames)) return;
  flushed_ = here;
  // An error comes again when a page is written, and counts only if no other can be had.
  static_cast<void>(core_.log.flush(here).has_error());
}

// Most records update a row where it is, in a page that is there: of them redo_row() would find nothing to say.
inline bool Pass::redo_in_place(const LogRecord& record) {
  if (record.header.type != RecordType::kRow || record.lsn < checkpoint_.begin || narrator_ != nullptr) return false;
  ledger::DecodedRow row;
  if (!read_row(RecordType::kRow, record.body, row).empty()) return false;
  const ledger::PageRef ref = core_.pool->fetch_loaded(row.change.page);
  if (!ref) return false;
  Page page = ref.page();
  if (page.lsn() >= record.lsn || !update_in_place(row.change, page)) return false;
  core_.pool->mark_dirty(ref, redo_from_);
  page.set_lsn(record.lsn);
  ++result_.applied;
  analyse_change(record, record.lsn);
  return true;
}

// Reads and redoes records as long as they are plain and need nothing but a page that is there. True with one that needs more;
// false where the reader must be asked for the next.
bool Pass::redo_plain(ledger::LogReader& reader, LogRecord& record) {
  LogRecord plain;
  while (reader.next_plain(plain)) {
    ++result_.records;
    if (redo_in_place(plain)) continue;
    if (ends_transaction(plain.header.type)) {
      analyse_end(plain);
      continue;
    }
    record = plain;
    return true;
  }
  return false;
}

Result<void> Pass::redo_row(const LogRecord& record) {
  ledger::DecodedRow row;
  const std::string_view broken = read_row(record.header.type, record.body, row);
  if (!broken.empty()) return ledger::broken_record(broken);
  const bool compensation = record.header.type == RecordType::kCompensation;
  analyse_change(record, compensation ? row.undo_next : record.lsn);
  if (compensation && core_.options.defects.clr_not_redone) return success();
  if (!page_may_lack(row.change.page, record.lsn)) {
    if (narrator_ != nullptr) tell(record, row.change, "written by the checkpoint");
    return success();
  }
  if (!core_.pool->has(row.change.page)) flush_before_replacing(record.lsn);
  POWERCUT_TRY(auto ref, core_.store->fetch(row.change.page));
  Page page = ref.page();
  if (page.lsn() >= record.lsn && !core_.options.defects.redo_without_page_test) {
    if (narrator_ != nullptr) tell(record, row.change, "already there");
    return success();
  }
  core_.pool->mark_dirty(ref, redo_from_);
  POWERCUT_TRYV(apply_row_change(row.change, page));
  page.set_lsn(record.lsn);
  ++result_.applied;
  if (narrator_ != nullptr) tell(record, row.change, "done again");
  return success();
}

Result<void> Pass::redo_images(const LogRecord& record) {
  POWERCUT_TRYV(decode_images(record.body, images_));
  for (const ledger::PageImage& image : images_) {
    if (!page_may_lack(image.page, record.lsn)) continue;
    if (!core_.pool->has(image.page)) flush_before_replacing(record.lsn);
    POWERCUT_TRY(auto ref, core_.pool->fetch_blank(image.page));
    Page page = ref.page();
    POWERCUT_TRYV(restore_image(image, page));
    page.set_lsn(record.lsn);
    core_.pool->mark_dirty(ref, record.lsn);
    ++result_.applied;
    if (narrator_ != nullptr) {
      say("redo", "LSN ", number(raw(record.lsn)), ": page ", number(raw(image.page)), " restored from its image");
    }
  }
  return success();
}

}  // namespace

Result<RedoResult> analyse_and_redo(Core& core, const engine::Narrator* narrator) { return Pass(core, narrator).run(); }

}  // namespace powercut::recovery
