#include "engine/lmdb/lmdb_pages.h"

#include "faultfs/assert.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace powercut::engine {
namespace {

std::byte* mapped(int memory, std::size_t bytes, int protection) {
  void* const at = mmap(nullptr, bytes, protection, MAP_SHARED, memory, 0);
  POWERCUT_ASSERT(at != MAP_FAILED && madvise(at, bytes, MADV_DONTFORK) == 0, "LMDB's mapping can be made");
  return static_cast<std::byte*>(at);
}

}  // namespace

LmdbPages::LmdbPages(std::size_t bytes) : states_(bytes / kPageBytes, State::kAbsent) {
  const int memory = memfd_create("lmdb", MFD_CLOEXEC);
  POWERCUT_ASSERT(memory >= 0 && ftruncate(memory, static_cast<off_t>(this->bytes())) == 0, "LMDB's mapping can have memory");
  memory_ = mapped(memory, this->bytes(), PROT_NONE);
  kernel_ = mapped(memory, this->bytes(), PROT_READ | PROT_WRITE);
  close(memory);
}

LmdbPages::~LmdbPages() {
  munmap(memory_, bytes());
  munmap(kernel_, bytes());
}

void LmdbPages::protect(std::uint32_t first, std::uint32_t count, int protection) const {
  const int failed = mprotect(memory_ + first * kPageBytes, count * kPageBytes, protection);
  POWERCUT_ASSERT(failed == 0, "a page of LMDB's mapping can be protected");
}

Result<LmdbPages::Touch> LmdbPages::fault(faultfs::File& file, std::uint64_t address, bool writable) {
  const auto number = static_cast<std::uint32_t>((address - begin()) / kPageBytes);
  if (states_[number] != State::kAbsent) {
    if (!writable || states_[number] == State::kDirty) return Touch::kForbidden;
    states_[number] = State::kDirty;
    protect(number, 1, PROT_READ | PROT_WRITE);
    return Touch::kGoOn;
  }
  POWERCUT_TRY(const std::size_t count, read_page(file, number));
  if (count == 0) return Touch::kBeyondEnd;
  protect(number, 1, PROT_READ);
  return Touch::kGoOn;
}

Result<std::size_t> LmdbPages::read_page(faultfs::File& file, std::uint32_t number) {
  const std::span<std::byte> into(kernel_ + number * kPageBytes, kPageBytes);
  POWERCUT_TRY(const std::size_t count, faultfs::read_full(file, number * kPageBytes, into));
  if (count == 0) return count;
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(count), into.end(), std::byte{0});
  states_[number] = State::kClean;
  there_.push_back(number);
  return count;
}

void LmdbPages::map_first(faultfs::File& file, std::uint32_t count) {
  std::uint32_t there = 0;
  while (there < count) {
    const auto bytes = read_page(file, there);
    if (bytes.has_error() || bytes.value() == 0) break;
    ++there;
  }
  if (there > 0) protect(0, there, PROT_READ);
}

void LmdbPages::show(std::uint64_t offset, std::span<const std::byte> from) {
  while (!from.empty() && offset < bytes()) {
    const auto number = static_cast<std::uint32_t>(offset / kPageBytes);
    const std::size_t begin = offset % kPageBytes;
    const std::size_t count = std::min(kPageBytes - begin, from.size());
    if (states_[number] != State::kAbsent) std::memcpy(kernel_ + offset, from.data(), count);
    offset += count;
    from = from.subspan(count);
  }
}

void LmdbPages::forget_clean() {
  const auto forget = [&](std::uint32_t number) {
    if (states_[number] != State::kClean) return false;
    states_[number] = State::kAbsent;
    protect(number, 1, PROT_NONE);
    return true;
  };
  there_.erase(std::remove_if(there_.begin(), there_.end(), forget), there_.end());
}

std::vector<std::uint32_t> LmdbPages::take_dirty(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint32_t> dirty;
  for (const std::uint32_t number : there_) {
    const std::uint64_t begin = std::uint64_t{number} * kPageBytes;
    if (states_[number] == State::kDirty && begin + kPageBytes > from && begin < to) dirty.push_back(number);
  }
  std::sort(dirty.begin(), dirty.end());
  for (const std::uint32_t number : dirty) {
    states_[number] = State::kClean;
    protect(number, 1, PROT_READ);
  }
  return dirty;
}

void LmdbPages::clear() {
  if (there_.empty()) return;
  const auto [first, last] = std::minmax_element(there_.begin(), there_.end());
  protect(*first, *last - *first + 1, PROT_NONE);
  for (const std::uint32_t number : there_) states_[number] = State::kAbsent;
  there_.clear();
}

}  // namespace powercut::engine
