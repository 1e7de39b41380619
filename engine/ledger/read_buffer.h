// The piece of a file that is being read: bytes [begin(), end()) of it, in memory that moves along with them.
//
// What is kept is bounded by who asks: when it is full, what lies before the place still needed is given up. Bytes lie so
// that a page of the file begins at a page of memory, as direct I/O wants it. The memory is recycled from one file, and
// from one database, to the next.
#pragma once

#include "faultfs/bytes.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

namespace powercut::ledger {

class ReadBuffer {
 public:
  std::size_t capacity() const { return capacity_; }
  std::size_t begin() const { return begin_; }
  std::size_t end() const { return end_; }
  bool holds(std::size_t from, std::size_t to) const { return from >= begin_ && to <= end_; }
  // Bytes of the file that it holds. Valid until there is room made.
  std::span<const byte> bytes(std::size_t from, std::size_t count) const { return {memory_.get() + (from - origin_), count}; }

  // Holds nothing, and goes on at an offset of the file.
  void start_at(std::size_t offset) { origin_ = begin_ = end_ = offset; }
  // Room for the bytes from end() to `until`. What lies before `needed` may be given up. `least`: the memory to have at once.
  std::span<byte> make_room(std::size_t needed, std::size_t until, std::size_t least);
  // So many bytes of that room were filled.
  void filled(std::size_t count) { end_ += count; }

 private:
  struct Free {
    void operator()(byte* memory) const { std::free(memory); }
  };

  void grow(std::size_t bytes);

  std::unique_ptr<byte[], Free> memory_;
  std::size_t capacity_ = 0;
  std::size_t origin_ = 0;  // the offset of the file that lies at the begin of the memory
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace powercut::ledger
