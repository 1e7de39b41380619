#include "engine/lmdb/lmdb_memory.h"

#include "faultfs/assert.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace powercut::engine {
namespace {

constexpr std::size_t kHeader = 16;
constexpr std::size_t kLarge = std::size_t{64} << 10U;
constexpr std::size_t kPageBytes = 4096;
// The first large blocks are LMDB's lists of free and of dirty pages. It fills them from the front and touches little of them:
// a few pages are zeroed faster than they are dropped and made again.
constexpr std::size_t kLists = 2;

void zero_front(std::byte* block) {
  while (block[0] != std::byte{0} || std::memcmp(block, block + 1, kPageBytes - 1) != 0) {
    std::memset(block, 0, kPageBytes);
    block += kPageBytes;
  }
}

}  // namespace

LmdbMemory::LmdbMemory() {
  void* const mapped = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  POWERCUT_ASSERT(mapped != MAP_FAILED, "addresses for LMDB's memory can be reserved");
  memory_ = static_cast<std::byte*>(mapped);
}

LmdbMemory::~LmdbMemory() { munmap(memory_, kBytes); }

// A block is a power of two, its header included. Blocks that were given back are taken again first.
void* LmdbMemory::take(std::size_t bytes) {
  if (bytes > kBytes / 4) return nullptr;
  const std::size_t whole = std::bit_ceil(std::max<std::size_t>(bytes + kHeader, 2 * kHeader));
  const auto of_class = static_cast<std::size_t>(std::countr_zero(whole));
  Block* block = free_[of_class];
  if (block != nullptr) {
    free_[of_class] = block->next;
    std::memset(reinterpret_cast<std::byte*>(block) + kHeader, 0, bytes);
  } else {
    if (large_begin_ - small_end_ < whole) return nullptr;
    const bool large = whole >= kLarge;
    if (large) {
      large_begin_ -= whole;
      large_.push_back(large_begin_);
    } else {
      small_end_ += whole;
    }
    block = reinterpret_cast<Block*>(memory_ + (large ? large_begin_ : small_end_ - whole));
    block->of_class = of_class;
  }
  return reinterpret_cast<std::byte*>(block) + kHeader;
}

void LmdbMemory::give_back(void* taken) {
  if (taken == nullptr) return;
  auto* const block = reinterpret_cast<Block*>(static_cast<std::byte*>(taken) - kHeader);
  block->next = free_[block->of_class];
  free_[block->of_class] = block;
}

void* LmdbMemory::resize(void* taken, std::size_t bytes) {
  void* const fresh = take(bytes);
  if (taken == nullptr || fresh == nullptr) return fresh;
  const auto* const block = reinterpret_cast<const Block*>(static_cast<std::byte*>(taken) - kHeader);
  std::memcpy(fresh, taken, std::min(bytes, (std::size_t{1} << block->of_class) - kHeader));
  give_back(taken);
  return fresh;
}

void LmdbMemory::clear() {
  std::memset(memory_, 0, small_end_);
  const std::size_t lists = std::min(large_.size(), kLists);
  for (std::size_t at = 0; at < lists; ++at) zero_front(memory_ + large_[at]);
  if (large_.size() > lists) madvise(memory_ + large_begin_, large_[lists - 1] - large_begin_, MADV_DONTNEED);
  small_end_ = 0;
  large_begin_ = kBytes;
  large_.clear();
  free_ = {};
}

}  // namespace powercut::engine
