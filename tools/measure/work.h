// What the benchmark keeps in an engine, the same for all: rows by number, of 8 bytes (a balance) or 100, and a marker of 8 bytes
// for each transfer.
#pragma once

#include "tools/measure/contender.h"

#include <array>
#include <cstddef>
#include <string>

namespace powercut::measure {

inline constexpr std::int64_t kFirstBalance = 1'000'000;
inline constexpr std::size_t kRecordBytes = 100;

// Big-endian, so that the order of bytes is that of numbers.
using EightBytes = std::array<char, 8>;
EightBytes to_bytes(std::uint64_t number);
inline std::string_view view(const EightBytes& bytes) { return {bytes.data(), bytes.size()}; }
// Of the first 8 bytes; kCorrupt if there are fewer.
Result<std::uint64_t> to_number(std::string_view bytes);

// What a row has at the beginning: of transfers kFirstBalance, else bytes that do not compress.
std::string first_value(Workload workload, std::uint64_t row);

// Moves `most`, or what is there, from one account to another, and leaves a marker.
struct Transfer {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::int64_t most = 0;
  std::uint64_t marker = 0;
};

// Both accounts after a transfer, from their values before it. kCorrupt if one is no balance.
struct Balances {
  EightBytes from;
  EightBytes to;
};
Result<Balances> balances_after(const Transfer& transfer, std::string_view from, std::string_view to);

}  // namespace powercut::measure
