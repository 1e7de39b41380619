// A file system whose power goes off at a chosen operation that changes or syncs something: that one and all later ones
// fail and do nothing. What the disk below then holds is what a crash there leaves.
#pragma once

#include "faultfs/file_system.h"

#include <cstdint>
#include <memory>
#include <utility>

namespace powercut::testing {

class PowerSwitch final : public faultfs::FileSystem {
 public:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  PowerSwitch(faultfs::FileSystem& base, std::uint64_t operations) : base_(base), left_(operations) {}

  bool is_off() const { return off_; }
  void turn_off() { off_ = true; }

  bool lets_others_run() const override { return base_.lets_others_run(); }
  Result<std::unique_ptr<faultfs::File>> open(std::string_view path, faultfs::OpenMode mode) override {
    const bool makes = mode == faultfs::OpenMode::kCreate || mode == faultfs::OpenMode::kCreateNew;
    POWERCUT_TRYV(makes ? change() : look());
    POWERCUT_TRY(auto file, base_.open(path, mode));
    return std::unique_ptr<faultfs::File>(std::make_unique<OpenFile>(*this, std::move(file)));
  }
  Result<void> rename(std::string_view from, std::string_view to) override {
    POWERCUT_TRYV(change());
    return base_.rename(from, to);
  }
  Result<void> remove(std::string_view path) override {
    POWERCUT_TRYV(change());
    return base_.remove(path);
  }
  Result<bool> exists(std::string_view path) override {
    POWERCUT_TRYV(look());
    return base_.exists(path);
  }
  Result<void> make_directory(std::string_view path) override {
    POWERCUT_TRYV(change());
    return base_.make_directory(path);
  }
  Result<void> remove_directory(std::string_view path) override {
    POWERCUT_TRYV(change());
    return base_.remove_directory(path);
  }
  Result<std::vector<faultfs::DirectoryEntry>> list(std::string_view path) override {
    POWERCUT_TRYV(look());
    return base_.list(path);
  }
  Result<void> sync_directory(std::string_view path) override {
    POWERCUT_TRYV(change());
    return base_.sync_directory(path);
  }

 private:
  class OpenFile final : public faultfs::File {
   public:
    OpenFile(PowerSwitch& owner, std::unique_ptr<faultfs::File> base) : owner_(owner), base_(std::move(base)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
      POWERCUT_TRYV(owner_.look());
      return base_->read(offset, into);
    }
    Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
      POWERCUT_TRYV(owner_.change());
      return base_->write(offset, from);
    }
    Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
      POWERCUT_TRYV(owner_.change());
      return base_->write_many(offset, buffers);
    }
    Result<void> sync(faultfs::SyncKind kind) override {
      POWERCUT_TRYV(owner_.change());
      return base_->sync(kind);
    }
    Result<void> resize(std::uint64_t bytes) override {
      POWERCUT_TRYV(owner_.change());
      return base_->resize(bytes);
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
      POWERCUT_TRYV(owner_.change());
      return base_->allocate(offset, bytes);
    }
    Result<std::uint64_t> size() override {
      POWERCUT_TRYV(owner_.look());
      return base_->size();
    }
    std::size_t preferred_read_bytes() const override { return base_->preferred_read_bytes(); }

   private:
    PowerSwitch& owner_;
    std::unique_ptr<faultfs::File> base_;
  };

  Result<void> look() const {
    if (off_) return Error(ErrorCode::kIo, "the power is off");
    return success();
  }
  Result<void> change() {
    if (!off_ && left_-- == 0) off_ = true;
    return look();
  }

  faultfs::FileSystem& base_;
  std::uint64_t left_;
  bool off_ = false;
};

}  // namespace powercut::testing
