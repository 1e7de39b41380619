// The keys of what is locked. Nearly all are short: they are kept in place, and hashed a word at a time, without a call for each.
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

inline std::uint64_t hash_of_key(std::string_view key, std::uint64_t seed) {
  std::uint64_t hash = seed + key.size();
  std::uint64_t word = 0;
  if (key.size() < kWordBytes) {
    if (!key.empty()) std::memcpy(&word, key.data(), key.size());
    return mix64(hash ^ word);
  }
  const byte* const from = as_bytes(key).data();
  const std::size_t last = key.size() - kWordBytes;
  for (std::size_t at = 0; at < last; at += kWordBytes) hash = mix64(hash ^ load<std::uint64_t>(from + at));
  return mix64(hash ^ load<std::uint64_t>(from + last));
}

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
