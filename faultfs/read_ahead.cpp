#include "faultfs/read_ahead.h"

#include <fcntl.h>

#include <algorithm>

namespace powercut::faultfs {

void ReadAhead::announce(int descriptor, std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t end = offset + bytes;
  const bool goes_on = offset >= begin_ && offset <= end_;
  const std::uint64_t from = goes_on ? end_ : offset;
  if (from < end) {
    const int refused = ::posix_fadvise(descriptor, static_cast<off_t>(from), static_cast<off_t>(end - from), POSIX_FADV_WILLNEED);
    if (refused != 0) return;
  }
  begin_ = offset;
  end_ = std::max(from, end);
}

}  // namespace powercut::faultfs
