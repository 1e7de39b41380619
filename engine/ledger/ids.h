// The three numbers of the engine that must not be mixed.
#pragma once

#include <cstdint>

namespace powercut::ledger {

// A byte position in the whole log. 0: none.
enum class Lsn : std::uint64_t { kNone = 0 };
// The number of a page in the data file.
enum class PageId : std::uint32_t {};
// A transaction; numbers grow. 0: none.
enum class TxnId : std::uint64_t { kNone = 0 };

constexpr std::uint64_t raw(Lsn lsn) { return static_cast<std::uint64_t>(lsn); }
constexpr std::uint32_t raw(PageId page) { return static_cast<std::uint32_t>(page); }
constexpr std::uint64_t raw(TxnId txn) { return static_cast<std::uint64_t>(txn); }

constexpr Lsn operator+(Lsn lsn, std::uint64_t bytes) { return static_cast<Lsn>(raw(lsn) + bytes); }
constexpr std::uint64_t operator-(Lsn a, Lsn b) { return raw(a) - raw(b); }

inline constexpr PageId kMetaPage{0};
inline constexpr PageId kCatalogueRoot{1};

}  // namespace powercut::ledger
