// The modes of locks, and which of them may be held side by side.
//
// A set of modes is what one owner holds of one thing, closed downwards: who holds an exclusive lock holds the weaker ones
// too. So to convert a lock is to join two sets (S and IX together are what others call SIX), and a lock is held already if
// its set is a part of what is held.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace powercut::ledger {

// Of a table: the intention to lock rows for reading or for writing, and of all rows at once.
enum class TableLock : std::uint8_t { kIntentShared, kIntentExclusive, kShared, kExclusive };

// Of a row or of a unique value, each stronger than the one before.
enum class RowMode : std::uint8_t { kNone, kShared, kUpdate, kExclusive };

class LockModes {
 public:
  static constexpr std::size_t kCount = 4;
  static constexpr std::size_t kExclusiveMode = 3;

  constexpr LockModes() = default;
  constexpr LockModes(TableLock mode) : bits_(kTableSets[static_cast<std::size_t>(mode)]) {}
  constexpr LockModes(RowMode mode) : bits_(kRowSets[static_cast<std::size_t>(mode)]) {}

  // Whether somebody else may not hold these. Both are of a table, or both of a row.
  constexpr bool conflicts_with(LockModes other) const { return (kConflicts[bits_] & other.bits_) != 0; }
  constexpr bool contains(LockModes other) const { return (bits_ & other.bits_) == other.bits_; }
  constexpr bool has(std::size_t mode) const { return (bits_ >> mode & 1U) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  // Whether nobody else may hold anything.
  constexpr bool is_exclusive() const { return has(kExclusiveMode); }
  constexpr LockModes with(LockModes other) const { return of(bits_ | other.bits_); }
  // The modes that nobody else may hold.
  constexpr LockModes conflicts() const { return of(kConflicts[bits_]); }
  // A number for each set.
  constexpr std::size_t index() const { return bits_; }
  // The greatest of these, of a row.
  constexpr RowMode row_mode() const {
    if (has(kExclusiveMode)) return RowMode::kExclusive;
    if (has(1)) return RowMode::kUpdate;
    return has(0) ? RowMode::kShared : RowMode::kNone;
  }

  friend constexpr bool operator==(LockModes, LockModes) = default;

  // For messages: "shared", "intent exclusive".
  constexpr std::string_view table_text() const {
    if (has(kExclusiveMode)) return "exclusive";
    if (has(1)) return has(2) ? "shared and intent exclusive" : "intent exclusive";
    return has(2) ? "shared" : "intent shared";
  }
  constexpr std::string_view row_text() const {
    if (has(kExclusiveMode)) return "exclusive";
    return has(1) ? "update" : "shared";
  }

 private:
  static constexpr LockModes of(unsigned bits) {
    LockModes modes;
    modes.bits_ = static_cast<std::uint8_t>(bits);
    return modes;
  }

  // The bits are the modes of tables. Those of rows are the sets with the same conflicts: shared is IS, and update, which
  // bears shared beside it but not itself, is IX and S.
  static constexpr std::array<std::uint8_t, 4> kTableSets = {0b0001, 0b0011, 0b0101, 0b1111};
  static constexpr std::array<std::uint8_t, 4> kRowSets = {0b0000, 0b0001, 0b0111, 0b1111};
  // By set, the modes that nobody else may hold: IS bears all but X, IX not S, S not IX.
  static constexpr std::array<std::uint8_t, 16> kConflicts = {0, 0b1000, 0, 0b1100, 0, 0b1010, 0, 0b1110,  //
                                                              0, 0,      0, 0,      0, 0,      0, 0b1111};
  std::uint8_t bits_ = 0;
};

// How many owners hold each mode: 32 bits a mode, all four changed and asked at once.
class LockCounts {
 public:
  // Somebody holds `after` from now on in the place of `before`.
  constexpr void replace(LockModes before, LockModes after) {
    for (const std::size_t word : {0U, 1U}) words_[word] += kOnes[after.index()][word] - kOnes[before.index()][word];
  }
  // Whether somebody holds one of these, apart from one who holds `own`.
  constexpr bool others_hold(LockModes modes, LockModes own) const {
    const Words& mine = kOnes[own.index()];
    const Words& asked = kOnes[modes.index()];
    return (((words_[0] - mine[0]) & asked[0] * kWhole) | ((words_[1] - mine[1]) & asked[1] * kWhole)) != 0;
  }

 private:
  using Words = std::array<std::uint64_t, 2>;
  static constexpr std::uint64_t kWhole = 0xffffffffU;  // times one: all bits of the mode
  // By set, one for each of its modes.
  static constexpr auto kOnes = [] {
    std::array<Words, 16> ones{};
    for (std::size_t set = 0; set < ones.size(); ++set) {
      for (std::size_t mode = 0; mode < LockModes::kCount; ++mode) {
        ones[set][mode / 2] += static_cast<std::uint64_t>(set >> mode & 1U) << mode % 2 * 32;
      }
    }
    return ones;
  }();
  Words words_{};
};

}  // namespace powercut::ledger
