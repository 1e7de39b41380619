// A file system without durability: syncs do nothing. For making in seconds what takes hours with them; sync_all() then makes
// it durable at once.
#pragma once

#include "faultfs/file_system.h"

#include <memory>
#include <string>

namespace powercut::measure {

class UnsyncedFileSystem final : public faultfs::FileSystem {
 public:
  explicit UnsyncedFileSystem(faultfs::FileSystem& inner) : inner_(inner) {}

  // Written so far to files that are called log-….
  std::uint64_t bytes_of_log() const { return bytes_of_log_; }

  // Makes the files of a directory durable.
  Result<void> sync_all(std::string_view directory) {
    POWERCUT_TRY(const auto entries, inner_.list(directory));
    for (const auto& entry : entries) {
      POWERCUT_TRY(const auto file, inner_.open(std::string(directory) + "/" + entry.name, faultfs::OpenMode::kReadWrite));
      POWERCUT_TRYV(file->sync(faultfs::SyncKind::kFull));
    }
    return inner_.sync_directory(directory);
  }

  bool lets_others_run() const override { return inner_.lets_others_run(); }
  Result<std::unique_ptr<faultfs::File>> open(std::string_view path, faultfs::OpenMode mode) override {
    POWERCUT_TRY(auto file, inner_.open(path, mode));
    const bool is_log = faultfs::name_of(path).starts_with("log-");
    return std::unique_ptr<faultfs::File>(std::make_unique<OpenFile>(std::move(file), is_log ? &bytes_of_log_ : nullptr));
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return inner_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return inner_.remove(path); }
  Result<bool> exists(std::string_view path) override { return inner_.exists(path); }
  Result<void> make_directory(std::string_view path) override { return inner_.make_directory(path); }
  Result<void> remove_directory(std::string_view path) override { return inner_.remove_directory(path); }
  Result<std::vector<faultfs::DirectoryEntry>> list(std::string_view path) override { return inner_.list(path); }
  Result<void> sync_directory(std::string_view /*path*/) override { return success(); }

 private:
  class OpenFile final : public faultfs::File {
   public:
    OpenFile(std::unique_ptr<faultfs::File> file, std::uint64_t* written) : file_(std::move(file)), written_(written) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override { return file_->read(offset, into); }
    Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
      if (written_ != nullptr) *written_ += from.size();
      return file_->write(offset, from);
    }
    Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
      return file_->write_many(offset, buffers);
    }
    Result<void> sync(faultfs::SyncKind /*kind*/) override { return success(); }
    Result<void> resize(std::uint64_t bytes) override { return file_->resize(bytes); }
    Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->allocate(offset, bytes); }
    Result<std::uint64_t> size() override { return file_->size(); }
    std::size_t preferred_read_bytes() const override { return file_->preferred_read_bytes(); }

   private:
    std::unique_ptr<faultfs::File> file_;
    std::uint64_t* written_;
  };

  faultfs::FileSystem& inner_;
  std::uint64_t bytes_of_log_ = 0;
};

}  // namespace powercut::measure
