// Records on their way into the log: bytes that can grow without being cleared first, and that lie so that direct I/O takes them
// from where they are.
#pragma once

#include <boost/container/vector.hpp>

#include <cstddef>
#include <new>

namespace powercut::ledger {

template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{4096};

  AlignedAllocator() = default;
  template <class Other>
  AlignedAllocator(const AlignedAllocator<Other>& /*other*/) {}

  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlignment)); }
  void deallocate(T* memory, std::size_t /*count*/) { ::operator delete(memory, kAlignment); }

  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) = default;
};

using LogBytes = boost::container::vector<char, AlignedAllocator<char>>;

}  // namespace powercut::ledger
