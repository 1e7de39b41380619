// Log records: what each says, and how it becomes bytes. docs/LOG_FORMAT.md gives every byte.
//
// A decoded record is views over the bytes it was decoded from. Decoding is total: arbitrary bytes give an error.
#pragma once

#include "engine/ledger/ids.h"
#include "engine/ledger/options.h"
#include "engine/ledger/page.h"
#include "faultfs/bytes.h"
#include "faultfs/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::ledger {

enum class RecordType : std::uint8_t {
  kPad = 1,           // fills a segment to its end
  kRow = 2,           // a row was inserted, updated or deleted
  kCompensation = 3,  // a row operation that undid another (a CLR)
  kImages = 4,        // whole pages as they are from here on; redo-only
  kCommit = 5,
  kRolledBack = 6,  // every change of the transaction is undone
  kCheckpointBegin = 7,
  kCheckpointEnd = 8,
};

std::string_view to_string(RecordType type);

inline constexpr std::size_t kRecordHeaderBytes = 32;
inline constexpr std::uint32_t kMostNotDurable = 0xffffff;
// No record but a pad, which is not read, and a checkpoint's END is longer.
inline constexpr std::uint32_t kMostRecordBytes = 256U << 10U;
// Of a checkpoint's END before its tables.
inline constexpr std::size_t kCheckpointEndBytes = kRecordHeaderBytes + 24;

// Of a row change before its key: action u8, zero u8, slot u16, tree u32, page u32, lengths of key, before and after u16.
inline constexpr std::size_t kRowChangeBytes = 18;

struct RecordHeader {
  std::uint32_t crc = 0;
  std::uint32_t length = 0;  // of the whole record
  std::uint32_t epoch = 0;   // the incarnation of the database that wrote it
  RecordType type = RecordType::kPad;
  std::uint32_t not_durable = 0;  // so many bytes before it were not yet durable when it was appended, kMostNotDurable or more
  TxnId txn = TxnId::kNone;
  Lsn previous = Lsn::kNone;  // of the same transaction
};

enum class RowAction : std::uint8_t { kInsert = 1, kUpdate = 2, kDelete = 3 };

std::string_view to_string(RowAction action);

// One row of one tree: where it is (for redo) and what it was and is (for undo, through the tree).
struct RowChange {
  RowAction action = RowAction::kInsert;
  PageId tree{};
  PageId page{};
  std::uint16_t slot = 0;
  std::string_view key;
  std::string_view before;  // update, delete
  std::string_view after;   // insert, update
};

struct ActiveTxn {
  TxnId txn = TxnId::kNone;
  Lsn first = Lsn::kNone;
  Lsn last = Lsn::kNone;
  Lsn undo_next = Lsn::kNone;  // the next record to undo
};

struct DirtyPage {
  PageId page{};
  Lsn rec_lsn = Lsn::kNone;  // the first record that may not be in the page on disk
};

struct CheckpointEnd {
  Lsn begin = Lsn::kNone;
  TxnId next_txn = TxnId::kNone;
  std::vector<ActiveTxn> active;
  std::vector<DirtyPage> dirty;
};

// --- Encoding: each gives a whole record (its header's crc, length and epoch are filled in by seal()) ---

// How long the records are.
inline std::size_t row_change_bytes(const RowChange& change) {
  return kRecordHeaderBytes + kRowChangeBytes + change.key.size() + change.before.size() + change.after.size();
}
inline std::size_t compensation_bytes(const RowChange& change) { return row_change_bytes(change) + sizeof(Lsn); }

// At a place that has room for it.
void put_row_change(char* at, TxnId txn, Lsn previous, const RowChange& change);
void put_plain(char* at, RecordType type, TxnId txn, Lsn previous);
// Appended to `out`.
void encode_compensation(std::string& out, TxnId txn, Lsn previous, Lsn undo_next, const RowChange& change);
void encode_images(std::string& out, std::span<const Page> pages);
void encode_plain(std::string& out, RecordType type, TxnId txn, Lsn previous);
void encode_checkpoint_end(std::string& out, const CheckpointEnd& checkpoint);

// Fills in the rest of the header of a record that lies in memory. The length is that of the bytes given, except of a pad,
// which also covers what follows it.
void seal(std::span<byte> record, std::uint32_t length, std::uint32_t epoch, std::uint64_t database_id, Lsn place,
          std::uint64_t not_durable = 0, const Defects& defects = {});
// The checksum that a record of this database must have at this place.
std::uint32_t record_checksum(std::span<const byte> record, std::uint64_t database_id, Lsn place, const Defects& defects = {});

// --- Decoding ---

// Of kRecordHeaderBytes or more.
inline RecordHeader decode_header(std::span<const byte> record) {
  const byte* const at = record.data();
  RecordHeader header;
  header.crc = load<std::uint32_t>(at);
  header.length = load<std::uint32_t>(at + 4);
  header.epoch = load<std::uint32_t>(at + 8);
  header.type = static_cast<RecordType>(at[12]);
  header.not_durable = load<std::uint32_t>(at + 12) >> 8U;
  header.txn = static_cast<TxnId>(load<std::uint64_t>(at + 16));
  header.previous = static_cast<Lsn>(load<std::uint64_t>(at + 24));
  return header;
}

struct DecodedRow {
  Lsn undo_next = Lsn::kNone;  // compensations only
  RowChange change;
};
Result<DecodedRow> decode_row(RecordType type, std::span<const byte> body);
// The same into `row`, for who reads millions: empty, or what is wrong, which broken_record() makes an error.
inline std::string_view read_row(RecordType type, std::span<const byte> body, DecodedRow& row) {
  constexpr std::string_view kWrongLength = "a row change does not fill its record";
  const std::size_t before_change = type == RecordType::kCompensation ? sizeof(Lsn) : 0;
  if (body.size() < before_change + kRowChangeBytes) return kWrongLength;
  const byte* const at = body.data() + before_change;
  row.undo_next = before_change == 0 ? Lsn::kNone : static_cast<Lsn>(load<std::uint64_t>(body.data()));
  RowChange& change = row.change;
  change.action = static_cast<RowAction>(at[0]);
  change.slot = load<std::uint16_t>(at + 2);
  change.tree = static_cast<PageId>(load<std::uint32_t>(at + 4));
  change.page = static_cast<PageId>(load<std::uint32_t>(at + 8));
  const std::size_t key_bytes = load<std::uint16_t>(at + 12);
  const std::size_t before_bytes = load<std::uint16_t>(at + 14);
  const std::size_t after_bytes = load<std::uint16_t>(at + 16);
  if (body.size() != before_change + kRowChangeBytes + key_bytes + before_bytes + after_bytes) return kWrongLength;
  if (change.action < RowAction::kInsert || change.action > RowAction::kDelete) return "a row change of no known action";
  const char* const texts = reinterpret_cast<const char*>(at + kRowChangeBytes);
  change.key = {texts, key_bytes};
  change.before = {texts + key_bytes, before_bytes};
  change.after = {texts + key_bytes + before_bytes, after_bytes};
  return {};
}
Error broken_record(std::string_view what);

// Calls visit(page id, header and slots, cells) for each page; see restore_image.
struct PageImage {
  PageId page{};
  std::span<const byte> head;
  std::span<const byte> tail;
};
Result<void> decode_images(std::span<const byte> body, std::vector<PageImage>& images);
// How long a checkpoint's END is, by its first kCheckpointEndBytes.
std::uint64_t checkpoint_end_length(std::span<const byte> record);
Result<void> decode_checkpoint_end(std::span<const byte> body, CheckpointEnd& checkpoint);

// Makes the page what the image says. kCorrupt when that is not a page.
Result<void> restore_image(const PageImage& image, Page& page);
// Whether a page can take a row change; kCorrupt, with why, if not.
Result<void> check_row_change(const RowChange& change, const Page& page);
// Does a row change to its page. kCorrupt when the page cannot take it.
Result<void> apply_row_change(const RowChange& change, Page& page);
// The same after check_row_change() of that page as it is.
void apply_checked_row_change(const RowChange& change, Page& page);

}  // namespace powercut::ledger
