// Where keys were found lately, and where each tree ends: a leaf keeps the keys between its first and its last for as long as
// no tree changes its structure, so who comes back for a key need not descend again (finger search, Guibas et al. 1977).
#pragma once

#include "engine/ledger/ids.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace powercut::ledger {

class Fingers {
 public:
  struct Finger {
    std::uint64_t of = 0;  // what tells it from others
    std::uint64_t structure = 0;
    PageId leaf{};
    std::uint16_t slot = 0;  // of the key, if nothing came before it since
  };
  struct EndFinger {
    std::uint64_t of = 0;
    std::uint64_t structure = 0;
    PageId leaf{};
    std::uint64_t first = 0;  // first_bytes() of a key that the leaf had
  };

  // Of a tree and a key; null if none is known.
  Finger* find(PageId root, std::string_view key) {
    const std::uint64_t of = hash(root, key);
    return valid(key_fingers_[of >> (64U - kBits)], of);
  }
  // Of the last leaf of a tree, which holds whatever is greater than what it has.
  EndFinger* find_end(PageId root) {
    const std::uint64_t of = hash(root, {});
    return valid(end_fingers_[of >> (64U - kEndBits)], of);
  }

  void note(PageId root, std::string_view key, PageId leaf, std::uint16_t slot) {
    const std::uint64_t of = hash(root, key);
    key_fingers_[of >> (64U - kBits)] = {of, structure_, leaf, slot};
  }
  void note_end(PageId root, PageId leaf, std::uint64_t first) {
    const std::uint64_t of = hash(root, {});
    end_fingers_[of >> (64U - kEndBits)] = {of, structure_, leaf, first};
  }
  void forget_all() { ++structure_; }

 private:
  static constexpr unsigned kBits = 9;
  static constexpr unsigned kEndBits = 5;

  template <class Kind>
  Kind* valid(Kind& finger, std::uint64_t of) const {
    return finger.of == of && finger.structure == structure_ ? &finger : nullptr;
  }

  static std::uint64_t last_bytes(std::string_view key) {
    std::uint64_t bytes = 0;
    const std::size_t count = key.size() < sizeof(bytes) ? key.size() : sizeof(bytes);
    if (count > 0) std::memcpy(&bytes, key.data() + (key.size() - count), count);
    return bytes;
  }
  static std::uint64_t hash(PageId root, std::string_view key) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    return (last_bytes(key) ^ raw(root) * kOdd) * kOdd;
  }

  std::array<Finger, std::size_t{1} << kBits> key_fingers_{};
  std::array<EndFinger, std::size_t{1} << kEndBits> end_fingers_{};
  std::uint64_t structure_ = 1;
};

}  // namespace powercut::ledger
