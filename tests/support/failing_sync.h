// A file system whose file syncs fail while a switch is on, having done nothing: a device that refuses, or a process that
// is killed at that moment.
#pragma once

#include "faultfs/file_system.h"

#include <memory>
#include <utility>

namespace powercut::testing {

class FailingSync final : public faultfs::FileSystem {
 public:
  explicit FailingSync(faultfs::FileSystem& base) : base_(base) {}

  bool failing = false;

  bool lets_others_run() const override { return base_.lets_others_run(); }
  Result<std::unique_ptr<faultfs::File>> open(std::string_view path, faultfs::OpenMode mode) override {
    POWERCUT_TRY(auto file, base_.open(path, mode));
    return std::unique_ptr<faultfs::File>(std::make_unique<OpenFile>(*this, std::move(file)));
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return base_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return base_.remove(path); }
  Result<bool> exists(std::string_view path) override { return base_.exists(path); }
  Result<void> make_directory(std::string_view path) override { return base_.make_directory(path); }
  Result<void> remove_directory(std::string_view path) override { return base_.remove_directory(path); }
  Result<std::vector<faultfs::DirectoryEntry>> list(std::string_view path) override { return base_.list(path); }
  Result<void> sync_directory(std::string_view path) override { return base_.sync_directory(path); }

 private:
  class OpenFile final : public faultfs::File {
   public:
    OpenFile(const FailingSync& owner, std::unique_ptr<faultfs::File> base) : owner_(owner), base_(std::move(base)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override { return base_->read(offset, into); }
    Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override { return base_->write(offset, from); }
    Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
      return base_->write_many(offset, buffers);
    }
    Result<void> sync(faultfs::SyncKind kind) override {
      if (owner_.failing) return Error(ErrorCode::kIo, "the sync fails");
      return base_->sync(kind);
    }
    Result<void> resize(std::uint64_t bytes) override { return base_->resize(bytes); }
    Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override { return base_->allocate(offset, bytes); }
    Result<std::uint64_t> size() override { return base_->size(); }
    std::size_t preferred_read_bytes() const override { return base_->preferred_read_bytes(); }

   private:
    const FailingSync& owner_;
    std::unique_ptr<faultfs::File> base_;
  };

  faultfs::FileSystem& base_;
};

}  // namespace powercut::testing
