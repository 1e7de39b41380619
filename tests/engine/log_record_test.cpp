#include "engine/ledger/log_record.h"
#include "faultfs/random.h"
#include "tests/support/property.h"
#include "tests/support/row_record.h"

#include <array>

namespace powercut::testing {
using namespace ledger;

namespace {

std::span<const byte> body_of(const std::string& record) { return as_bytes(record).subspan(kRecordHeaderBytes); }

std::string text(Random& random, std::uint32_t most) {
  std::string bytes(random.below(most), '\0');
  for (char& c : bytes) c = static_cast<char>(random.below(256));
  return bytes;
}

}  // namespace

TEST_CASE("row changes and compensations read as they were written") {
  property("row records", [](std::uint64_t seed) {
    Random random(seed);
    const std::string key = text(random, kMostKeyBytes);
    const std::string before = text(random, 500);
    const std::string after = text(random, 500);
    RowChange change;
    change.action = static_cast<RowAction>(1 + random.below(3));
    change.tree = PageId{random.below(1000)};
    change.page = PageId{random.below(1000)};
    change.slot = static_cast<std::uint16_t>(random.below(500));
    change.key = key;
    change.before = before;
    change.after = after;
    const bool compensation = random.below(2) == 0;
    std::string record;
    if (compensation) {
      encode_compensation(record, TxnId{9}, Lsn{100}, Lsn{50}, change);
    } else {
      encode_row_change(record, TxnId{9}, Lsn{100}, change);
    }
    seal({reinterpret_cast<byte*>(record.data()), record.size()}, static_cast<std::uint32_t>(record.size()), 3, 77, Lsn{4096});
    const RecordHeader header = decode_header(as_bytes(record));
    RC_ASSERT(header.length == record.size());
    RC_ASSERT(header.epoch == 3U);
    RC_ASSERT(header.txn == TxnId{9});
    RC_ASSERT(header.previous == Lsn{100});
    RC_ASSERT(header.crc == record_checksum(as_bytes(record), 77, Lsn{4096}));
    RC_ASSERT(header.crc != record_checksum(as_bytes(record), 77, Lsn{8192}));
    RC_ASSERT(header.crc != record_checksum(as_bytes(record), 78, Lsn{4096}));
    const auto row = decode_row(header.type, body_of(record));
    RC_ASSERT(row.has_value());
    RC_ASSERT(row.value().undo_next == (compensation ? Lsn{50} : Lsn::kNone));
    const RowChange& read = row.value().change;
    RC_ASSERT(read.action == change.action);
    RC_ASSERT(read.tree == change.tree);
    RC_ASSERT(read.page == change.page);
    RC_ASSERT(read.slot == change.slot);
    RC_ASSERT(read.key == key);
    RC_ASSERT(read.before == before);
    RC_ASSERT(read.after == after);
  });
}

TEST_CASE("page images restore the page, without what lay in its hole") {
  property("images", [](std::uint64_t seed) {
    Random random(seed);
    std::array<byte, kPageBytes> bytes;
    Page page(bytes.data());
    page.format(PageId{5}, PageType::kLeaf);
    for (std::uint32_t cells = random.below(20); cells > 0; --cells) {
      const std::string key = "key" + std::to_string(page.count() + 10);
      page.insert(page.count(), key, text(random, 100));
    }
    std::string record;
    encode_images(record, {&page, 1});
    std::vector<PageImage> images;
    RC_ASSERT(decode_images(body_of(record), images).has_value());
    RC_ASSERT(images.size() == 1U);
    std::array<byte, kPageBytes> other;
    other.fill(byte{0xee});
    Page restored(other.data());
    RC_ASSERT(restore_image(images[0], restored).has_value());
    RC_ASSERT(restored.count() == page.count());
    for (std::size_t slot = 0; slot < page.count(); ++slot) {
      RC_ASSERT(restored.key(slot) == page.key(slot));
      RC_ASSERT(restored.value(slot) == page.value(slot));
    }
  });
}

TEST_CASE("a checkpoint's tables read as they were written") {
  property("checkpoint records", [](std::uint64_t seed) {
    Random random(seed);
    CheckpointEnd end;
    end.begin = Lsn{random.next()};
    end.next_txn = TxnId{random.next()};
    for (std::uint32_t count = random.below(5); count > 0; --count) {
      end.active.push_back({TxnId{random.next()}, Lsn{random.next()}, Lsn{random.next()}, Lsn{random.next()}});
    }
    for (std::uint32_t count = random.below(50); count > 0; --count)
      end.dirty.push_back({PageId{random.below(99)}, Lsn{random.next()}});
    std::string record;
    encode_checkpoint_end(record, end);
    CheckpointEnd read;
    RC_ASSERT(decode_checkpoint_end(body_of(record), read).has_value());
    RC_ASSERT(read.begin == end.begin);
    RC_ASSERT(read.next_txn == end.next_txn);
    RC_ASSERT(read.active.size() == end.active.size());
    for (std::size_t at = 0; at < end.active.size(); ++at) RC_ASSERT(read.active[at].undo_next == end.active[at].undo_next);
    RC_ASSERT(read.dirty.size() == end.dirty.size());
    for (std::size_t at = 0; at < end.dirty.size(); ++at) RC_ASSERT(read.dirty[at].rec_lsn == end.dirty[at].rec_lsn);
  });
}

TEST_CASE("a row change is refused by a page that is not the one that it was made on") {
  std::array<byte, kPageBytes> bytes{};
  Page page(bytes.data());
  page.format(PageId{2}, PageType::kLeaf);
  page.insert(0, "b", "row");
  page.insert(1, "d", "row");
  const auto code = [&](RowAction action, std::uint16_t slot, std::string_view key) {
    const auto done = check_row_change({action, PageId{2}, PageId{2}, slot, key, "row", "new"}, page);
    return done.has_value() ? "" : to_string(done.error().code());
  };
  CHECK(code(RowAction::kInsert, 0, "a").empty());
  CHECK(code(RowAction::kInsert, 1, "c").empty());
  CHECK(code(RowAction::kInsert, 2, "e").empty());
  CHECK(code(RowAction::kInsert, 0, "c") == "corrupt");
  CHECK(code(RowAction::kInsert, 1, "a") == "corrupt");
  CHECK(code(RowAction::kInsert, 1, "b") == "corrupt");
  CHECK(code(RowAction::kInsert, 3, "f") == "corrupt");
  CHECK(code(RowAction::kUpdate, 1, "d").empty());
  CHECK(code(RowAction::kUpdate, 1, "b") == "corrupt");
  CHECK(code(RowAction::kDelete, 0, "b").empty());
  CHECK(code(RowAction::kDelete, 0, "d") == "corrupt");
  CHECK(code(RowAction::kDelete, 2, "e") == "corrupt");
}

TEST_CASE("arbitrary bytes are decoded without harm") {
  property(
      "arbitrary records",
      [](const std::vector<std::uint8_t>& raw_bytes) {
        const std::span<const byte> bytes(reinterpret_cast<const byte*>(raw_bytes.data()), raw_bytes.size());
        static_cast<void>(decode_row(RecordType::kRow, bytes).has_error());
        static_cast<void>(decode_row(RecordType::kCompensation, bytes).has_error());
        CheckpointEnd end;
        static_cast<void>(decode_checkpoint_end(bytes, end).has_error());
        std::vector<PageImage> images;
        std::array<byte, kPageBytes> page_bytes;
        if (decode_images(bytes, images).has_error()) return;
        for (const PageImage& image : images) {
          Page page(page_bytes.data());
          static_cast<void>(restore_image(image, page).has_error());
        }
      },
      10);
}

}  // namespace powercut::testing
