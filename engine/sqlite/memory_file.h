// A file that is nowhere but in memory: what SQLite keeps in temporary files is no part of what a crash leaves.
#pragma once

#include "faultfs/file_system.h"

#include <vector>

namespace powercut::engine::sqlite {

class MemoryFile final : public faultfs::File {
 public:
  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override;
  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override;
  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override;
  Result<void> sync(faultfs::SyncKind /*kind*/) override { return success(); }
  Result<void> resize(std::uint64_t bytes) override;
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override;
  Result<std::uint64_t> size() override { return bytes_.size(); }
  std::size_t preferred_read_bytes() const override { return 1; }

 private:
  std::vector<byte> bytes_;
};

}  // namespace powercut::engine::sqlite
