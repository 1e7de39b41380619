// Keys of engines that know bytes and no tables: a letter for the table, and the number.
#pragma once

#include "tools/measure/work.h"

#include <algorithm>

namespace powercut::measure {

constexpr char kRowTable = 'r';
constexpr char kMarkerTable = 'm';

using ByteKey = std::array<char, 1 + sizeof(EightBytes)>;

inline ByteKey key_in(char table, std::uint64_t number) {
  ByteKey key{};
  key[0] = table;
  const EightBytes bytes = to_bytes(number);
  std::copy(bytes.begin(), bytes.end(), key.begin() + 1);
  return key;
}

}  // namespace powercut::measure
