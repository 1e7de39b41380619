#include "faultfs/uring_memory.h"

#include "faultfs/assert.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace powercut::faultfs {
namespace {

constexpr std::size_t kPage = 4096;

}  // namespace

UringMemory::UringMemory(std::size_t for_caller) : bytes_((for_caller + kPage - 1) / kPage * kPage + kSlots * kSlotBytes) {
  void* const mapped = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  POWERCUT_ASSERT(mapped != MAP_FAILED, "there is memory for I/O");
  memory_ = static_cast<byte*>(mapped);
  for (std::size_t slot = 1; slot <= kSlots; ++slot) free_.push_back(memory_ + bytes_ - slot * kSlotBytes);
}

UringMemory::~UringMemory() { munmap(memory_, bytes_); }

UringMemory::Slot::Slot(UringMemory& owner, std::size_t bytes) : owner_(owner) {
  const std::size_t some = std::min(bytes, kSlotBytes);
  byte* memory = nullptr;
  if (owner.free_.empty()) {
    memory = static_cast<byte*>(std::aligned_alloc(kPage, (some + kPage - 1) / kPage * kPage));
    POWERCUT_ASSERT(memory != nullptr, "there is memory for I/O");
  } else {
    memory = owner.free_.back();
    owner.free_.pop_back();
  }
  bytes_ = {memory, some};
}

UringMemory::Slot::~Slot() {
  if (owner_.holds(bytes_)) {
    owner_.free_.push_back(bytes_.data());
  } else {
    std::free(bytes_.data());
  }
}

}  // namespace powercut::faultfs
