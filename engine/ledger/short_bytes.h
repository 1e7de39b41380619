// Keys and rows are mostly short: they are hashed, compared and copied a word at a time, without a call for each.
#pragma once

#include "faultfs/bytes.h"
#include "faultfs/hash.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace powercut::ledger {

using KeyWord = std::uint64_t;

// The two do not overlap.
inline void copy_bytes(byte* to, std::string_view bytes) {
  constexpr std::size_t kShort = 4 * sizeof(KeyWord);
  const std::size_t size = bytes.size();
  const byte* const from = as_bytes(bytes).data();
  if (size < sizeof(KeyWord) || size > kShort) {
    if (size > 0) std::memcpy(to, from, size);
    return;
  }
  const std::size_t last = size - sizeof(KeyWord);
  for (std::size_t at = 0; at < last; at += sizeof(KeyWord)) store(to + at, load<KeyWord>(from + at));
  store(to + last, load<KeyWord>(from + last));
}

inline bool same_bytes(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() < sizeof(KeyWord)) return a == b;
  const byte* const of_a = as_bytes(a).data();
  const byte* const of_b = as_bytes(b).data();
  const std::size_t last = a.size() - sizeof(KeyWord);
  for (std::size_t at = 0; at < last; at += sizeof(KeyWord)) {
    if (load<KeyWord>(of_a + at) != load<KeyWord>(of_b + at)) return false;
  }
  return load<KeyWord>(of_a + last) == load<KeyWord>(of_b + last);
}

inline std::uint64_t hash_of_key(std::string_view key, std::uint64_t seed) {
  std::uint64_t hash = seed + key.size();
  KeyWord word = 0;
  if (key.size() < sizeof(KeyWord)) {
    if (!key.empty()) std::memcpy(&word, key.data(), key.size());
    return mix64(hash ^ word);
  }
  const byte* const from = as_bytes(key).data();
  const std::size_t last = key.size() - sizeof(KeyWord);
  for (std::size_t at = 0; at < last; at += sizeof(KeyWord)) hash = mix64(hash ^ load<KeyWord>(from + at));
  return mix64(hash ^ load<KeyWord>(from + last));
}

// The key of what is locked.
class LockKey {
 public:
  void assign(std::string_view key) {
    size_ = key.size();
    if (size_ > short_.size()) {
      long_.assign(key);
    } else {
      copy_bytes(short_.data(), key);
    }
  }

  operator std::string_view() const {
    return size_ > short_.size() ? std::string_view(long_) : std::string_view(reinterpret_cast<const char*>(short_.data()), size_);
  }

 private:
  std::size_t size_ = 0;
  std::array<byte, 24> short_{};
  std::string long_;  // in the place of it
};

}  // namespace powercut::ledger
