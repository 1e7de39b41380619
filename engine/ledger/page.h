// A slotted page of 4096 bytes, over memory that somebody else owns (a frame of the buffer pool).
//
// Header, then an array of slots growing up, each the offset of a cell; cells grow down from the end. A cell is a key
// and a value. Slots are in key order. In a leaf the value is a row; in an inner node it is the child that holds the
// keys from this cell's on, and the header's link is the child for all smaller keys. docs/LOG_FORMAT.md gives every byte.
#pragma once

#include "engine/ledger/ids.h"
#include "faultfs/bytes.h"

#include <cstring>
#include <span>
#include <string_view>

namespace powercut::ledger {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPageHeaderBytes = 32;
inline constexpr std::size_t kCellHeaderBytes = 4;
inline constexpr std::size_t kSlotBytes = 2;
// Limits that leave room for four cells in a page, so that one split always makes room.
inline constexpr std::size_t kMostKeyBytes = 480;
inline constexpr std::size_t kMostCellBytes = 1000;  // key and value

// The first eight bytes of a key as a number: of two keys the greater has the greater number, or the same.
inline std::uint64_t first_bytes(std::string_view key) {
  std::uint64_t first = 0;
  if (key.size() >= sizeof(first)) {
    std::memcpy(&first, key.data(), sizeof(first));
  } else if (!key.empty()) {
    std::memcpy(&first, key.data(), key.size());
  }
  return __builtin_bswap64(first);
}

// A key that is compared with many.
class SoughtKey {
 public:
  explicit SoughtKey(std::string_view key) : key_(key), first_(first_bytes(key)) {}

  // As compare() of the other key with this one: less than, equal to or greater than 0.
  int order_of(std::string_view other) const {
    const std::uint64_t first = first_bytes(other);
    if (first != first_) return first < first_ ? -1 : 1;
    if (key_.size() == sizeof(first) && other.size() == sizeof(first)) return 0;
    return other.compare(key_);
  }

 private:
  std::string_view key_;
  std::uint64_t first_;
};

// As compare() of the views, for keys that mostly differ in their first eight bytes: less than, equal to or greater than 0.
inline int compare_keys(std::string_view a, std::string_view b) { return SoughtKey(b).order_of(a); }

enum class PageType : std::uint8_t { kFree = 0, kMeta = 1, kLeaf = 2, kInner = 3 };

class Page {
 public:
  explicit Page(byte* data) : data_(data) {}

  void format(PageId id, PageType type);

  byte* data() const { return data_; }
  PageId id() const { return static_cast<PageId>(load<std::uint32_t>(data_ + 4)); }
  Lsn lsn() const { return static_cast<Lsn>(load<std::uint64_t>(data_ + 8)); }
  void set_lsn(Lsn lsn) { store(data_ + 8, raw(lsn)); }
  PageType type() const { return static_cast<PageType>(data_[16]); }
  std::uint16_t count() const { return load<std::uint16_t>(data_ + 18); }

  // Inner: the leftmost child. Free: the next free page. Meta: the first free page.
  PageId link() const { return static_cast<PageId>(load<std::uint32_t>(data_ + 24)); }
  void set_link(PageId page) { store(data_ + 24, raw(page)); }
  // Meta: how many pages the file has.
  std::uint32_t page_count() const { return load<std::uint32_t>(data_ + 28); }
  void set_page_count(std::uint32_t count) { store(data_ + 28, count); }

  std::string_view key(std::size_t slot) const {
    const byte* const cell = data_ + slot_offset(slot);
    return {reinterpret_cast<const char*>(cell) + kCellHeaderBytes, load<std::uint16_t>(cell)};
  }
  std::string_view value(std::size_t slot) const {
    const byte* const cell = data_ + slot_offset(slot);
    return {reinterpret_cast<const char*>(cell) + kCellHeaderBytes + load<std::uint16_t>(cell), load<std::uint16_t>(cell + 2)};
  }
  // Inner: the child of slot, or of the link for slot == -1 (as an unsigned).
  PageId child(std::size_t slot_plus_one) const;

  struct Place {
    std::uint16_t slot = 0;  // the first with a key >= the wanted one
    bool found = false;      // it is the wanted one
  };
  Place search(std::string_view key) const;
  // Inner: which child holds the key, as child() takes it: 0 for the link, slot + 1 else.
  std::size_t child_for(std::string_view key) const;

  static std::size_t cell_bytes(std::string_view key, std::string_view value) {
    return kCellHeaderBytes + key.size() + value.size() + kSlotBytes;
  }
  // Bytes that new cells (with their slots) may take, after compaction.
  std::size_t free_bytes() const;
  std::size_t used_bytes() const { return kPageBytes - kPageHeaderBytes - free_bytes(); }

  // The slot must be <= count() and the cell must fit.
  void insert(std::size_t slot, std::string_view key, std::string_view value);
  void erase(std::size_t slot);
  // The grown cell must fit.
  void replace(std::size_t slot, std::string_view value) {
    if (slot < count() && value.size() == this->value(slot).size()) {
      copy_bytes(data_ + slot_offset(slot) + kCellHeaderBytes + key(slot).size(), value);
    } else {
      resize(slot, value);
    }
  }
  // Moves the cells from `slot` on to the end of `to`.
  void move_tail(std::size_t slot, Page& to);
  void clear_cells();

  // The bytes between the slots and the cells, which an image of the page leaves out.
  std::size_t hole_begin() const { return kPageHeaderBytes + kSlotBytes * count(); }
  std::size_t hole_end() const { return cell_start(); }

  void set_checksum();
  bool checksum_matches() const;
  // Whether every slot and cell lies inside the page, within the limits, and the keys ascend: what a page must fulfil before
  // any other function is called.
  bool well_formed() const;

 private:
  std::size_t cell_start() const { return load<std::uint16_t>(data_ + 20); }
  std::size_t garbage() const { return load<std::uint16_t>(data_ + 22); }
  std::size_t slot_offset(std::size_t slot) const { return load<std::uint16_t>(data_ + kPageHeaderBytes + kSlotBytes * slot); }
  void set_count(std::size_t count) { store(data_ + 18, static_cast<std::uint16_t>(count)); }
  void set_cell_start(std::size_t offset) { store(data_ + 20, static_cast<std::uint16_t>(offset)); }
  void set_garbage(std::size_t bytes) { store(data_ + 22, static_cast<std::uint16_t>(bytes)); }
  void compact();
  void resize(std::size_t slot, std::string_view value);

  byte* data_;
};

}  // namespace powercut::ledger
