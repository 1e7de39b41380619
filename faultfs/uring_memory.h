// Page-aligned memory for direct I/O: a part for the caller, and slots through which bytes pass that lie unaligned. Registered
// with a ring, the kernel need not pin it for each request.
#pragma once

#include "faultfs/bytes.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace powercut::faultfs {

class UringMemory {
 public:
  static constexpr std::size_t kSlotBytes = std::size_t{1} << 20U;
  static constexpr std::size_t kSlots = 8;

  // Bytes for the caller, rounded up to whole pages.
  explicit UringMemory(std::size_t for_caller);
  UringMemory(const UringMemory&) = delete;
  UringMemory& operator=(const UringMemory&) = delete;
  ~UringMemory();

  std::span<byte> all() const { return {memory_, bytes_}; }
  std::span<byte> for_caller() const { return {memory_, bytes_ - kSlots * kSlotBytes}; }
  bool holds(std::span<const byte> some) const { return some.data() >= memory_ && some.data() + some.size() <= memory_ + bytes_; }

  // A slot; or, when all are in use, memory of its own.
  class Slot {
   public:
    Slot(UringMemory& owner, std::size_t bytes);
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot();
    // As many as asked for, or kSlotBytes if that is less.
    std::span<byte> bytes() const { return bytes_; }

   private:
    UringMemory& owner_;
    std::span<byte> bytes_;
  };

 private:
  byte* memory_;
  std::size_t bytes_;
  std::vector<byte*> free_;
};

}  // namespace powercut::faultfs
