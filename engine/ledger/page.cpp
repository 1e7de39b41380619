#include "engine/ledger/page.h"

#include "faultfs/assert.h"
#include "faultfs/hash.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace powercut::ledger {

static_assert(4 * (kMostCellBytes + kCellHeaderBytes + kSlotBytes) <= kPageBytes - kPageHeaderBytes, "four cells fit a page");

void Page::format(PageId id, PageType type) {
  std::memset(data_, 0, kPageBytes);
  store(data_ + 4, raw(id));
  data_[16] = static_cast<byte>(type);
  set_cell_start(kPageBytes);
}

PageId Page::child(std::size_t slot_plus_one) const {
  if (slot_plus_one == 0) return link();
  return static_cast<PageId>(load<std::uint32_t>(as_bytes(value(slot_plus_one - 1)).data()));
}

Page::Place Page::search(std::string_view wanted) const {
  const SoughtKey sought(wanted);
  std::size_t low = 0;
  std::size_t high = count();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const int order = sought.order_of(key(middle));
    if (order == 0) return {static_cast<std::uint16_t>(middle), true};
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {static_cast<std::uint16_t>(low), false};
}

std::size_t Page::child_for(std::string_view wanted) const {
  const Place place = search(wanted);
  return place.slot + (place.found ? 1U : 0U);
}

std::size_t Page::free_bytes() const { return hole_end() - hole_begin() + garbage(); }

void Page::insert(std::size_t slot, std::string_view key, std::string_view value) {
  const std::size_t cell_size = kCellHeaderBytes + key.size() + value.size();
  POWERCUT_ASSERT(slot <= count() && cell_size + kSlotBytes <= free_bytes(), "a cell is inserted where it fits");
  if (hole_end() - hole_begin() < cell_size + kSlotBytes) compact();
  const std::size_t offset = cell_start() - cell_size;
  byte* const cell = data_ + offset;
  store(cell, static_cast<std::uint16_t>(key.size()));
  store(cell + 2, static_cast<std::uint16_t>(value.size()));
  copy_bytes(cell + kCellHeaderBytes, key);
  copy_bytes(cell + kCellHeaderBytes + key.size(), value);
  byte* const place = data_ + kPageHeaderBytes + kSlotBytes * slot;
  std::memmove(place + kSlotBytes, place, kSlotBytes * (count() - slot));
  store(place, static_cast<std::uint16_t>(offset));
  set_count(count() + 1U);
  set_cell_start(offset);
}

void Page::erase(std::size_t slot) {
  POWERCUT_ASSERT(slot < count(), "a cell that is erased is there");
  set_garbage(garbage() + kCellHeaderBytes + key(slot).size() + value(slot).size());
  byte* const place = data_ + kPageHeaderBytes + kSlotBytes * slot;
  std::memmove(place, place + kSlotBytes, kSlotBytes * (count() - slot - 1));
  set_count(count() - 1U);
}

void Page::resize(std::size_t slot, std::string_view value) {
  POWERCUT_ASSERT(slot < count(), "a cell that is replaced is there");
  byte* const cell = data_ + slot_offset(slot);
  const std::size_t key_size = load<std::uint16_t>(cell);
  const std::size_t old_size = load<std::uint16_t>(cell + 2);
  if (value.size() < old_size) {
    std::copy_n(as_bytes(value).data(), value.size(), cell + kCellHeaderBytes + key_size);
    store(cell + 2, static_cast<std::uint16_t>(value.size()));
    set_garbage(garbage() + old_size - value.size());
    return;
  }
  std::array<char, kMostKeyBytes> key_copy;
  const std::string_view old_key = key(slot);
  POWERCUT_ASSERT(old_key.size() <= key_copy.size(), "keys are bounded");
  std::copy(old_key.begin(), old_key.end(), key_copy.begin());
  erase(slot);
  insert(slot, {key_copy.data(), old_key.size()}, value);
}

void Page::move_tail(std::size_t slot, Page& to) {
  for (std::size_t at = slot; at < count(); ++at) to.insert(to.count(), key(at), value(at));
  while (count() > slot) erase(count() - 1U);
  compact();
}

void Page::clear_cells() {
  set_count(0);
  set_cell_start(kPageBytes);
  set_garbage(0);
}

void Page::compact() {
  std::array<byte, kPageBytes> copy;
  std::memcpy(copy.data(), data_, kPageBytes);
  std::size_t offset = kPageBytes;
  for (std::size_t slot = 0; slot < count(); ++slot) {
    const byte* const cell = copy.data() + load<std::uint16_t>(copy.data() + kPageHeaderBytes + kSlotBytes * slot);
    const std::size_t size = kCellHeaderBytes + load<std::uint16_t>(cell) + load<std::uint16_t>(cell + 2);
    offset -= size;
    std::memcpy(data_ + offset, cell, size);
    store(data_ + kPageHeaderBytes + kSlotBytes * slot, static_cast<std::uint16_t>(offset));
  }
  set_cell_start(offset);
  set_garbage(0);
}

namespace {
std::uint32_t checksum_of(const byte* data) {
  return crc32c(~0U, {data + sizeof(std::uint32_t), kPageBytes - sizeof(std::uint32_t)});
}
}  // namespace

void Page::set_checksum() { store(data_, checksum_of(data_)); }

bool Page::checksum_matches() const { return load<std::uint32_t>(data_) == checksum_of(data_); }

bool Page::well_formed() const {
  if (type() > PageType::kInner) return false;
  if (hole_begin() > hole_end() || hole_end() > kPageBytes) return false;
  std::size_t cells = 0;
  for (std::size_t slot = 0; slot < count(); ++slot) {
    const std::size_t offset = slot_offset(slot);
    if (offset < hole_end() || offset + kCellHeaderBytes > kPageBytes) return false;
    const std::size_t key_size = load<std::uint16_t>(data_ + offset);
    const std::size_t value_size = load<std::uint16_t>(data_ + offset + 2);
    if (key_size > kMostKeyBytes || key_size + value_size > kMostCellBytes) return false;
    if (offset + kCellHeaderBytes + key_size + value_size > kPageBytes) return false;
    if (type() == PageType::kInner && value_size != sizeof(std::uint32_t)) return false;
    if (slot > 0 && key(slot - 1) >= key(slot)) return false;
    cells += kCellHeaderBytes + key_size + value_size;
  }
  return cells + garbage() == kPageBytes - hole_end();
}

}  // namespace powercut::ledger
