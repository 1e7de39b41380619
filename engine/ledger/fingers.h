// Where keys were found lately: a leaf keeps the keys between its first and its last for as long as no tree changes its
// structure, so who comes back for a key need not descend again (finger search, Guibas et al. 1977).
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
    PageId root{};
    PageId leaf{};
    std::uint16_t slot = 0;  // of the key, if nothing came before it since
    bool is_last = false;    // the leaf holds whatever is greater, too
    std::uint64_t structure = 0;
  };

  // Of a tree and a key, or of others alike.
  Finger& at(PageId root, std::string_view key) { return fingers_[place(raw(root), last_bytes(key))]; }
  // Of the last leaf of a tree, or of a tree alike.
  Finger& at_end(PageId root) { return fingers_[place(raw(root), 0)]; }

  bool is_valid(const Finger& finger, PageId root) const { return finger.structure == structure_ && finger.root == root; }
  void note(Finger& finger, PageId root, PageId leaf, std::uint16_t slot, bool is_last) const {
    finger = {root, leaf, slot, is_last, structure_};
  }
  void forget_all() { ++structure_; }

 private:
  static constexpr unsigned kBits = 9;

  static std::uint64_t last_bytes(std::string_view key) {
    std::uint64_t bytes = 0;
    const std::size_t count = key.size() < sizeof(bytes) ? key.size() : sizeof(bytes);
    if (count > 0) std::memcpy(&bytes, key.data() + (key.size() - count), count);
    return bytes;
  }
  static std::size_t place(std::uint64_t root, std::uint64_t bytes) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    return ((bytes ^ root * kOdd) * kOdd) >> (64U - kBits);
  }

  std::array<Finger, std::size_t{1} << kBits> fingers_{};
  std::uint64_t structure_ = 1;
};

}  // namespace powercut::ledger
