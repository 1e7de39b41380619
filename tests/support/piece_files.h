// A file system that prefers to be read in pieces of a given size, and now and then gives fewer bytes than it was asked for.
#pragma once

#include "faultfs/file_system.h"
#include "faultfs/random.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace powercut::testing {

class PieceFiles final : public faultfs::FileSystem {
 public:
  PieceFiles(faultfs::FileSystem& inner, std::size_t piece, std::uint64_t seed) : inner_(inner), piece_(piece), random_(seed) {}

  bool lets_others_run() const override { return inner_.lets_others_run(); }
  Result<std::unique_ptr<faultfs::File>> open(std::string_view path, faultfs::OpenMode mode) override {
    POWERCUT_TRY(auto file, inner_.open(path, mode));
    return std::unique_ptr<faultfs::File>(std::make_unique<OpenFile>(*this, std::move(file)));
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return inner_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return inner_.remove(path); }
  Result<bool> exists(std::string_view path) override { return inner_.exists(path); }
  Result<void> make_directory(std::string_view path) override { return inner_.make_directory(path); }
  Result<void> remove_directory(std::string_view path) override { return inner_.remove_directory(path); }
  Result<std::vector<faultfs::DirectoryEntry>> list(std::string_view path) override { return inner_.list(path); }
  Result<void> sync_directory(std::string_view path) override { return inner_.sync_directory(path); }

 private:
  class OpenFile final : public faultfs::File {
   public:
    OpenFile(PieceFiles& owner, std::unique_ptr<faultfs::File> file) : owner_(owner), file_(std::move(file)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
      if (into.size() > 1 && owner_.random_.below(16) == 0) {
        into = into.first(1 + owner_.random_.below(static_cast<std::uint32_t>(into.size())));
      }
      return file_->read(offset, into);
    }
    Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override { return file_->write(offset, from); }
    Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
      return file_->write_many(offset, buffers);
    }
    Result<void> sync(faultfs::SyncKind kind) override { return file_->sync(kind); }
    Result<void> resize(std::uint64_t bytes) override { return file_->resize(bytes); }
    Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->allocate(offset, bytes); }
    Result<std::uint64_t> size() override { return file_->size(); }
    std::size_t preferred_read_bytes() const override { return owner_.piece_; }

   private:
    PieceFiles& owner_;
    std::unique_ptr<faultfs::File> file_;
  };

  faultfs::FileSystem& inner_;
  std::size_t piece_;
  Random random_;
};

}  // namespace powercut::testing
