#include "engine/ledger/read_buffer.h"

#include "faultfs/assert.h"

#include <algorithm>
#include <cstring>

namespace powercut::ledger {
namespace {
constexpr std::size_t kAlignment = 4096;
}  // namespace

std::span<byte> ReadBuffer::make_room(std::size_t needed, std::size_t until, std::size_t least) {
  if (capacity_ < least) grow(least);
  if (until - origin_ > capacity_) {
    const std::size_t kept = std::clamp(needed, begin_, end_);
    const std::size_t origin = std::max(origin_, kept / kAlignment * kAlignment);
    if (end_ > kept) std::memmove(memory_.get() + (kept - origin), memory_.get() + (kept - origin_), end_ - kept);
    origin_ = origin;
    begin_ = kept;
    if (until - origin_ > capacity_) grow(until - origin_);
  }
  return {memory_.get() + (end_ - origin_), until - end_};
}

void ReadBuffer::grow(std::size_t bytes) {
  const std::size_t whole = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  auto* const larger = static_cast<byte*>(std::aligned_alloc(kAlignment, whole));
  POWERCUT_ASSERT(larger != nullptr, "there is memory for what is read");
  if (end_ > begin_) std::memcpy(larger + (begin_ - origin_), memory_.get() + (begin_ - origin_), end_ - begin_);
  memory_.reset(larger);
  capacity_ = whole;
}

}  // namespace powercut::ledger
