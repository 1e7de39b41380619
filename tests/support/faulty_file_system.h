// A file system in which chosen operations fail, or move fewer bytes than asked, as a running system sees it.
//
// Operations are counted by kind. A fault hits the one of number `at`, or that one and all later ones until mend(). What a
// write that fails has done in its own range is not promised, so a fault says that too.
#pragma once

#include "faultfs/file_system.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace powercut::testing {

enum class FaultKind : unsigned char {
  kRead,   // of a file
  kWrite,  // of a file
  kSync,   // of a file or a directory
  kGrow,   // whatever needs new space: allocate, resize, a write behind the end, a new file
  kName,   // open, rename, remove, exists, list
};
inline constexpr std::size_t kFaultKinds = 5;

struct Fault {
  FaultKind kind = FaultKind::kRead;
  std::uint64_t at = 0;
  bool lasting = false;
  ErrorCode code = ErrorCode::kIo;
  enum class Done : unsigned char { kNothing, kHalf, kAll } done = Done::kNothing;  // of what it was asked
};

class FaultyFileSystem final : public faultfs::FileSystem {
 public:
  explicit FaultyFileSystem(faultfs::FileSystem& base) : base_(base) {}

  void break_with(const Fault& fault) {
    fault_ = fault;
    seen_ = {};
    hits_ = 0;
  }
  void mend() { fault_.reset(); }
  // How often the fault has hit.
  std::uint64_t hits() const { return hits_; }
  // From now on no read or write moves more than this.
  void set_most_bytes(std::size_t bytes) { most_bytes_ = bytes; }

  bool lets_others_run() const override { return base_.lets_others_run(); }
  Result<std::unique_ptr<faultfs::File>> open(std::string_view path, faultfs::OpenMode mode) override {
    POWERCUT_TRYV(pass(FaultKind::kName));
    if (mode == faultfs::OpenMode::kCreate || mode == faultfs::OpenMode::kCreateNew) {
      POWERCUT_TRY(const bool exists, base_.exists(path));
      if (!exists) POWERCUT_TRYV(pass(FaultKind::kGrow));
    }
    POWERCUT_TRY(auto file, base_.open(path, mode));
    return std::unique_ptr<faultfs::File>(std::make_unique<OpenFile>(*this, std::move(file)));
  }
  Result<void> rename(std::string_view from, std::string_view to) override {
    if (hit(FaultKind::kName)) {
      if (fault_->done == Fault::Done::kAll) static_cast<void>(base_.rename(from, to).has_error());
      return error();
    }
    return base_.rename(from, to);
  }
  Result<void> remove(std::string_view path) override {
    if (hit(FaultKind::kName)) {
      if (fault_->done == Fault::Done::kAll) static_cast<void>(base_.remove(path).has_error());
      return error();
    }
    return base_.remove(path);
  }
  Result<bool> exists(std::string_view path) override {
    POWERCUT_TRYV(pass(FaultKind::kName));
    return base_.exists(path);
  }
  Result<void> make_directory(std::string_view path) override {
    POWERCUT_TRYV(pass(FaultKind::kGrow));
    return base_.make_directory(path);
  }
  Result<void> remove_directory(std::string_view path) override { return base_.remove_directory(path); }
  Result<std::vector<faultfs::DirectoryEntry>> list(std::string_view path) override {
    POWERCUT_TRYV(pass(FaultKind::kName));
    return base_.list(path);
  }
  Result<void> sync_directory(std::string_view path) override {
    POWERCUT_TRYV(pass(FaultKind::kSync));
    return base_.sync_directory(path);
  }

 private:
  class OpenFile final : public faultfs::File {
   public:
    OpenFile(FaultyFileSystem& owner, std::unique_ptr<faultfs::File> base) : owner_(owner), base_(std::move(base)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
      POWERCUT_TRYV(owner_.pass(FaultKind::kRead));
      return base_->read(offset, into.first(std::min(into.size(), owner_.most_bytes_)));
    }
    Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
      POWERCUT_TRY(const std::uint64_t end, base_->size());
      const bool grows = offset + from.size() > end;
      if (owner_.hit(FaultKind::kWrite) || (grows && owner_.hit(FaultKind::kGrow))) {
        // What it has done of it.
        const auto part = owner_.fault_->done == Fault::Done::kAll    ? from
                          : owner_.fault_->done == Fault::Done::kHalf ? from.first(from.size() / 2)
                                                                      : from.first(0);
        if (!part.empty()) POWERCUT_TRYV(base_->write(offset, part));
        return owner_.error();
      }
      return base_->write(offset, from.first(std::min(from.size(), owner_.most_bytes_)));
    }
    Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
      return buffers.empty() ? Result<std::size_t>(std::size_t{0}) : write(offset, buffers.front());
    }
    Result<void> sync(faultfs::SyncKind kind) override {
      POWERCUT_TRYV(owner_.pass(FaultKind::kSync));
      return base_->sync(kind);
    }
    Result<void> resize(std::uint64_t bytes) override {
      POWERCUT_TRYV(owner_.pass(FaultKind::kGrow));
      return base_->resize(bytes);
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
      POWERCUT_TRYV(owner_.pass(FaultKind::kGrow));
      return base_->allocate(offset, bytes);
    }
    Result<std::uint64_t> size() override { return base_->size(); }
    std::size_t preferred_read_bytes() const override { return base_->preferred_read_bytes(); }

   private:
    FaultyFileSystem& owner_;
    std::unique_ptr<faultfs::File> base_;
  };

  bool hit(FaultKind kind) {
    const std::uint64_t number = seen_[static_cast<std::size_t>(kind)]++;
    if (!fault_ || fault_->kind != kind || (fault_->lasting ? number < fault_->at : number != fault_->at)) return false;
    ++hits_;
    return true;
  }
  Error error() const { return {fault_->code, "an injected fault"}; }
  Result<void> pass(FaultKind kind) {
    if (hit(kind)) return error();
    return success();
  }

  faultfs::FileSystem& base_;
  std::optional<Fault> fault_;
  std::array<std::uint64_t, kFaultKinds> seen_{};
  std::uint64_t hits_ = 0;
  std::size_t most_bytes_ = ~std::size_t{0};
};

}  // namespace powercut::testing
