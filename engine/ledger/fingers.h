// Where keys were found lately, and where each tree ends: a leaf keeps the keys between its first and its last for as long as
// it has no part in a change of its tree's structure, so who comes back for a key need not descend again (finger search, Guibas
// et al. 1977). Many of them lie in the processor's caches, since each is only a frame and a slot: what the frame holds tells the
// rest (BufferPool::leaf_of()).
#pragma once

#include "engine/ledger/ids.h"
#include "engine/ledger/options.h"
#include "engine/ledger/page.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace powercut::ledger {

class Fingers {
 public:
  struct Finger {
    std::uint32_t frame : 20 = 0;
    std::uint32_t slot : 12 = 0;  // of the key, if nothing came before it since
  };
  struct EndFinger {
    PageId root{};
    std::uint32_t frame = 0;
    std::uint64_t shape = 0;
    std::uint64_t first = 0;  // first_bytes() of a key that the leaf had
  };

  // For a pool of so many frames.
  explicit Fingers(std::uint32_t frames)
      : fingers_(std::clamp(std::bit_ceil(frames), kLeast, kMost)),
        shift_(static_cast<unsigned>(64 - std::countr_zero(fingers_.size()))) {}

  // Of a tree and a key.
  static std::uint64_t hash(PageId root, std::string_view key) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    std::uint64_t bytes = 0;
    const std::size_t count = std::min(key.size(), sizeof(bytes));
    if (count == sizeof(bytes)) {
      std::memcpy(&bytes, key.data() + (key.size() - sizeof(bytes)), sizeof(bytes));
    } else if (count > 0) {
      std::memcpy(&bytes, key.data(), count);
    }
    return (bytes ^ raw(root) * kOdd) * kOdd;
  }

  // Of some key, perhaps of this one.
  Finger& at(std::uint64_t hash) { return fingers_[hash >> shift_]; }
  // Of the last leaf of a tree, which holds whatever is greater than what it has.
  EndFinger* find_end(PageId root) {
    EndFinger& finger = ends_[raw(root) % kEnds];
    return finger.root == root ? &finger : nullptr;
  }

  void note(std::uint64_t hash, std::uint32_t frame, std::uint16_t slot) { at(hash) = {frame & kFrames, slot & kSlots}; }
  void note_end(PageId root, std::uint32_t frame, std::uint64_t shape, std::uint64_t first) {
    ends_[raw(root) % kEnds] = {root, frame, shape, first};
  }

 private:
  static_assert(kMostFrames == 1U << 20U && kPageBytes == 1U << 12U, "a finger has room for any frame and slot");
  static constexpr std::uint32_t kLeast = 512;
  static constexpr std::uint32_t kMost = 65536;
  static constexpr std::uint32_t kEnds = 32;

  static constexpr std::uint32_t kFrames = kMostFrames - 1;
  static constexpr std::uint32_t kSlots = kPageBytes - 1;

  std::vector<Finger> fingers_;
  unsigned shift_;
  std::array<EndFinger, kEnds> ends_{};
};

}  // namespace powercut::ledger
