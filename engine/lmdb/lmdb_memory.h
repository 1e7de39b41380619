// What LMDB allocates for one database. All of it is given back at once, so a database whose process died, wherever in LMDB
// it died, leaves nothing behind; and it holds zeros when it is taken, so that what LMDB leaves unwritten in a page is the same
// in every run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace powercut::engine {

class LmdbMemory {
 public:
  LmdbMemory();
  ~LmdbMemory();
  LmdbMemory(const LmdbMemory&) = delete;
  LmdbMemory& operator=(const LmdbMemory&) = delete;

  // Zeros; null if there is no more.
  void* take(std::size_t bytes);
  void give_back(void* taken);
  // As realloc().
  void* resize(void* taken, std::size_t bytes);
  // Everything is given back.
  void clear();

  // How far into the memory an address points, if it does.
  bool holds(std::uint64_t address) const { return address - begin() < kBytes; }
  static constexpr std::size_t bytes() { return kBytes; }
  std::uint64_t begin() const { return reinterpret_cast<std::uint64_t>(memory_); }

 private:
  static constexpr std::size_t kBytes = std::size_t{256} << 20U;  // of addresses; only what is touched costs memory
  static constexpr std::size_t kClasses = 40;

  struct Block {
    std::size_t of_class;
    Block* next;  // while it is not taken
  };

  std::byte* memory_;
  std::size_t small_end_ = 0;         // small blocks grow from the front
  std::size_t large_begin_ = kBytes;  // large ones from the back
  std::vector<std::size_t> large_;    // where each begins
  std::array<Block*, kClasses> free_{};
};

}  // namespace powercut::engine
