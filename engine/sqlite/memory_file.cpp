#include "engine/sqlite/memory_file.h"

#include <algorithm>

namespace powercut::engine::sqlite {

Result<std::size_t> MemoryFile::read(std::uint64_t offset, std::span<byte> into) {
  if (offset >= bytes_.size()) return std::size_t{0};
  const std::size_t count = std::min<std::size_t>(into.size(), bytes_.size() - offset);
  std::copy_n(bytes_.data() + offset, count, into.data());
  return count;
}

Result<std::size_t> MemoryFile::write(std::uint64_t offset, std::span<const byte> from) {
  POWERCUT_TRYV(allocate(offset, from.size()));
  std::copy(from.begin(), from.end(), bytes_.data() + offset);
  return from.size();
}

Result<std::size_t> MemoryFile::write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) {
  std::size_t written = 0;
  for (const auto buffer : buffers) {
    POWERCUT_TRY(const std::size_t more, write(offset + written, buffer));
    written += more;
  }
  return written;
}

Result<void> MemoryFile::resize(std::uint64_t bytes) {
  bytes_.resize(bytes);
  return success();
}

Result<void> MemoryFile::allocate(std::uint64_t offset, std::uint64_t bytes) {
  if (bytes_.size() < offset + bytes) bytes_.resize(offset + bytes);
  return success();
}

}  // namespace powercut::engine::sqlite
