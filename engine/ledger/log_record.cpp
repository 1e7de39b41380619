#include "engine/ledger/log_record.h"

#include "faultfs/hash.h"

#include <algorithm>
#include <cstring>

namespace powercut::ledger {
namespace {

template <class T>
char* put(char* at, T value) {
  std::memcpy(at, &value, sizeof(T));
  return at + sizeof(T);
}

char* put_text(char* at, std::string_view text) {
  copy_bytes(reinterpret_cast<byte*>(at), text);
  return at + text.size();
}

// header: crc u32, length u32, epoch u32, type u8, not durable u24, txn u64, previous u64
char* put_header(char* at, RecordType type, TxnId txn, Lsn previous) {
  at = put(at, std::uint32_t{0});
  at = put(at, std::uint32_t{0});
  at = put(at, std::uint32_t{0});
  at = put(at, static_cast<std::uint32_t>(type));
  at = put(at, raw(txn));
  return put(at, raw(previous));
}

void put_change(char* at, const RowChange& change) {
  at = put(at, static_cast<std::uint16_t>(change.action));
  at = put(at, change.slot);
  at = put(at, raw(change.tree));
  at = put(at, raw(change.page));
  at = put(at, static_cast<std::uint16_t>(change.key.size()));
  at = put(at, static_cast<std::uint16_t>(change.before.size()));
  at = put(at, static_cast<std::uint16_t>(change.after.size()));
  at = put_text(at, change.key);
  at = put_text(at, change.before);
  put_text(at, change.after);
}

// Appends so many bytes and gives their place.
char* grow(std::string& out, std::size_t bytes) {
  const std::size_t before = out.size();
  out.resize(before + bytes);
  return out.data() + before;
}

}  // namespace

Error broken_record(std::string_view what) { return {ErrorCode::kCorrupt, "log record: " + std::string(what)}; }

std::string_view to_string(RecordType type) {
  switch (type) {
    case RecordType::kPad:
      return "PAD";
    case RecordType::kRow:
      return "ROW";
    case RecordType::kCompensation:
      return "CLR";
    case RecordType::kImages:
      return "IMAGES";
    case RecordType::kCommit:
      return "COMMIT";
    case RecordType::kRolledBack:
      return "ROLLED BACK";
    case RecordType::kCheckpointBegin:
      return "CHECKPOINT BEGIN";
    case RecordType::kCheckpointEnd:
      return "CHECKPOINT END";
  }
  return "?";
}

std::string_view to_string(RowAction action) {
  switch (action) {
    case RowAction::kInsert:
      return "INSERT";
    case RowAction::kUpdate:
      return "UPDATE";
    case RowAction::kDelete:
      return "DELETE";
  }
  return "?";
}

void put_row_change(char* at, TxnId txn, Lsn previous, const RowChange& change) {
  put_change(put_header(at, RecordType::kRow, txn, previous), change);
}

void put_plain(char* at, RecordType type, TxnId txn, Lsn previous) { put_header(at, type, txn, previous); }

void encode_compensation(std::string& out, TxnId txn, Lsn previous, Lsn undo_next, const RowChange& change) {
  char* const header = grow(out, compensation_bytes(change));
  put_change(put(put_header(header, RecordType::kCompensation, txn, previous), raw(undo_next)), change);
}

void encode_images(std::string& out, std::span<const Page> pages) {
  encode_plain(out, RecordType::kImages, TxnId::kNone, Lsn::kNone);
  ByteWriter writer(out);
  writer.put(static_cast<std::uint16_t>(pages.size()));
  for (const Page& page : pages) {
    writer.put(raw(page.id()));
    writer.put(static_cast<std::uint16_t>(page.hole_begin()));
    writer.put(static_cast<std::uint16_t>(page.hole_end()));
    writer.put_text(as_text({page.data(), page.hole_begin()}));
    writer.put_text(as_text({page.data() + page.hole_end(), kPageBytes - page.hole_end()}));
  }
}

void encode_plain(std::string& out, RecordType type, TxnId txn, Lsn previous) {
  put_plain(grow(out, kRecordHeaderBytes), type, txn, previous);
}

void encode_checkpoint_end(std::string& out, const CheckpointEnd& checkpoint) {
  encode_plain(out, RecordType::kCheckpointEnd, TxnId::kNone, Lsn::kNone);
  ByteWriter writer(out);
  writer.put(raw(checkpoint.begin));
  writer.put(raw(checkpoint.next_txn));
  writer.put(static_cast<std::uint32_t>(checkpoint.active.size()));
  writer.put(static_cast<std::uint32_t>(checkpoint.dirty.size()));
  for (const ActiveTxn& active : checkpoint.active) {
    writer.put(raw(active.txn));
    writer.put(raw(active.first));
    writer.put(raw(active.last));
    writer.put(raw(active.undo_next));
  }
  for (const DirtyPage& dirty : checkpoint.dirty) {
    writer.put(raw(dirty.page));
    writer.put(raw(dirty.rec_lsn));
  }
}

std::uint32_t record_checksum(std::span<const byte> record, std::uint64_t database_id, Lsn place, const Defects& defects) {
  const auto seed = static_cast<std::uint32_t>(mix64(database_id ^ (defects.checksum_without_place ? 0 : raw(place))));
  // A pad's body is whatever the segment held before.
  const bool pad = record[12] == static_cast<byte>(RecordType::kPad);
  std::size_t covered = pad ? kRecordHeaderBytes : record.size();
  if (defects.checksum_of_first_sector) covered = std::min(covered, std::size_t{512});
  return crc32c(seed, record.subspan(sizeof(std::uint32_t), covered - sizeof(std::uint32_t)));
}

void seal(std::span<byte> record, std::uint32_t length, std::uint32_t epoch, std::uint64_t database_id, Lsn place,
          std::uint64_t not_durable, const Defects& defects) {
  store(record.data() + 4, length);
  store(record.data() + 8, epoch);
  const auto bounded = static_cast<std::uint32_t>(std::min<std::uint64_t>(not_durable, kMostNotDurable));
  store(record.data() + 12, load<std::uint32_t>(record.data() + 12) | bounded << 8U);
  store(record.data(), record_checksum(record, database_id, place, defects));
}

Result<DecodedRow> decode_row(RecordType type, std::span<const byte> body) {
  DecodedRow row;
  const std::string_view why_not = read_row(type, body, row);
  if (!why_not.empty()) return broken_record(why_not);
  return row;
}

Result<void> decode_images(std::span<const byte> body, std::vector<PageImage>& images) {
  images.clear();
  ByteReader reader(body);
  const auto count = reader.get<std::uint16_t>();
  for (std::size_t at = 0; at < count && reader.ok(); ++at) {
    PageImage image;
    image.page = static_cast<PageId>(reader.get<std::uint32_t>());
    const auto hole_begin = reader.get<std::uint16_t>();
    const auto hole_end = reader.get<std::uint16_t>();
    if (hole_begin < kPageHeaderBytes || hole_begin > hole_end || hole_end > kPageBytes)
      return broken_record("a page image with a wrong hole");
    image.head = reader.take(hole_begin);
    image.tail = reader.take(kPageBytes - hole_end);
    images.push_back(image);
  }
  if (!reader.ok() || reader.remaining() != 0) return broken_record("page images do not fill their record");
  return success();
}

std::uint64_t checkpoint_end_length(std::span<const byte> record) {
  constexpr std::uint64_t kActiveBytes = 32;
  constexpr std::uint64_t kDirtyBytes = 12;
  const auto active = load<std::uint32_t>(record.data() + kCheckpointEndBytes - 8);
  const auto dirty = load<std::uint32_t>(record.data() + kCheckpointEndBytes - 4);
  return kCheckpointEndBytes + active * kActiveBytes + dirty * kDirtyBytes;
}

Result<void> decode_checkpoint_end(std::span<const byte> body, CheckpointEnd& checkpoint) {
  checkpoint.active.clear();
  checkpoint.dirty.clear();
  ByteReader reader(body);
  checkpoint.begin = static_cast<Lsn>(reader.get<std::uint64_t>());
  checkpoint.next_txn = static_cast<TxnId>(reader.get<std::uint64_t>());
  const auto active = reader.get<std::uint32_t>();
  const auto dirty = reader.get<std::uint32_t>();
  for (std::size_t at = 0; at < active && reader.ok(); ++at) {
    ActiveTxn txn;
    txn.txn = static_cast<TxnId>(reader.get<std::uint64_t>());
    txn.first = static_cast<Lsn>(reader.get<std::uint64_t>());
    txn.last = static_cast<Lsn>(reader.get<std::uint64_t>());
    txn.undo_next = static_cast<Lsn>(reader.get<std::uint64_t>());
    checkpoint.active.push_back(txn);
  }
  for (std::size_t at = 0; at < dirty && reader.ok(); ++at) {
    DirtyPage page;
    page.page = static_cast<PageId>(reader.get<std::uint32_t>());
    page.rec_lsn = static_cast<Lsn>(reader.get<std::uint64_t>());
    checkpoint.dirty.push_back(page);
  }
  if (!reader.ok() || reader.remaining() != 0) return broken_record("a checkpoint's tables do not fill their record");
  return success();
}

Result<void> restore_image(const PageImage& image, Page& page) {
  std::memcpy(page.data(), image.head.data(), image.head.size());
  std::memset(page.data() + image.head.size(), 0, kPageBytes - image.head.size() - image.tail.size());
  if (!image.tail.empty()) std::memcpy(page.data() + kPageBytes - image.tail.size(), image.tail.data(), image.tail.size());
  if (!page.well_formed() || page.id() != image.page)
    return broken_record("the image of page " + std::to_string(raw(image.page)) + " is not a page");
  return success();
}

namespace {

// Empty if the page can take the change.
std::string_view why_it_cannot(const RowChange& change, const Page& page) {
  if (page.type() != PageType::kLeaf) return "it is not a leaf";
  if (change.key.size() > kMostKeyBytes || change.key.size() + change.after.size() > kMostCellBytes) return "it is too long";
  if (change.action == RowAction::kInsert) {
    if (change.slot > page.count()) return "it has too few slots";
    if (change.slot > 0 && compare_keys(page.key(change.slot - 1U), change.key) >= 0) return "the key before it is not smaller";
    if (change.slot < page.count() && compare_keys(page.key(change.slot), change.key) <= 0)
      return "the key after it is not greater";
    if (Page::cell_bytes(change.key, change.after) > page.free_bytes()) return "it is full";
    return {};
  }
  if (change.slot >= page.count()) return "it has too few slots";
  if (compare_keys(page.key(change.slot), change.key) != 0) return "another key is there";
  if (change.action == RowAction::kUpdate && change.after.size() > page.free_bytes() + page.value(change.slot).size()) {
    return "it is full";
  }
  return {};
}

Error cannot(const RowChange& change, std::string_view why) {
  return {ErrorCode::kCorrupt, "data page " + std::to_string(raw(change.page)) + ": cannot take the " +
                                   std::string(to_string(change.action)) + " in slot " + std::to_string(change.slot) + ": " +
                                   std::string(why)};
}

}  // namespace

Result<void> check_row_change(const RowChange& change, const Page& page) {
  const std::string_view why = why_it_cannot(change, page);
  if (!why.empty()) return cannot(change, why);
  return success();
}

Result<void> apply_row_change(const RowChange& change, Page& page) {
  POWERCUT_TRYV(check_row_change(change, page));
  apply_checked_row_change(change, page);
  return success();
}

void apply_checked_row_change(const RowChange& change, Page& page) {
  if (change.action == RowAction::kInsert) page.insert(change.slot, change.key, change.after);
  if (change.action == RowAction::kDelete) page.erase(change.slot);
  if (change.action == RowAction::kUpdate) page.replace(change.slot, change.after);
}

}  // namespace powercut::ledger
