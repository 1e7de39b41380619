#include "faultfs/file_system.h"

namespace powercut::faultfs {

Result<void> File::write_durably(std::uint64_t offset, std::span<const byte> from) {
  POWERCUT_TRYV(write_full(*this, offset, from));
  return sync(SyncKind::kData);
}

Result<void> File::write_each(std::span<const WriteAt> writes) {
  for (const WriteAt& one : writes) POWERCUT_TRYV(write_full(*this, one.offset, one.bytes));
  return success();
}

Result<std::size_t> read_full(File& file, std::uint64_t offset, std::span<byte> into) {
  std::size_t total = 0;
  while (total < into.size()) {
    POWERCUT_TRY(const std::size_t got, file.read(offset + total, into.subspan(total)));
    if (got == 0) break;
    total += got;
  }
  return total;
}

Result<void> write_full(File& file, std::uint64_t offset, std::span<const byte> from) {
  while (!from.empty()) {
    POWERCUT_TRY(const std::size_t taken, file.write(offset, from));
    if (taken == 0) return Error(ErrorCode::kIo, "a write took no bytes");
    offset += taken;
    from = from.subspan(taken);
  }
  return success();
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace powercut::faultfs
