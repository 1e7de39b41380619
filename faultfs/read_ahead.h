// How the backends on a real directory read a file in order: in pieces that stay in a core's cache while they are worked on, and
// announced to the kernel before.
#pragma once

#include <cstddef>
#include <cstdint>

namespace powercut::faultfs {

// What File::preferred_read_bytes() answers: measured, docs/PERFORMANCE.md.
inline constexpr std::size_t kHostReadBytes = std::size_t{256} << 10U;

// What of a file has been announced. Announcements that follow one another overlap, and what an earlier one said is not said
// again: the kernel would look at each of the pages.
class ReadAhead {
 public:
  // A hint; where it is refused, bytes are read as if it had not been given.
  void announce(int descriptor, std::uint64_t offset, std::uint64_t bytes);
  // Whether the kernel was told of all of these bytes, and they are not before what was announced last.
  bool covers(std::uint64_t offset, std::uint64_t bytes) const { return offset >= begin_ && offset + bytes <= end_; }

 private:
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace powercut::faultfs
