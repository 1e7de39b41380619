// A file system over another in which an operation on a file fails, or a write takes only half, when a test says so.
#pragma once

#include "faultfs/file_system.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::testing {

enum class FaultyCall : unsigned char { kOpen, kRead, kWrite, kSync };

struct Faults {
  // The error of a call on a file of that name, if it is to fail. A write that fails has written half.
  std::function<std::optional<ErrorCode>(FaultyCall call, std::string_view name)> error;
  bool writes_take_half = false;

  // What the next call of that kind, on a file whose name begins so, answers; calls after it work.
  void once(FaultyCall which, std::string_view name, ErrorCode code) {
    error = [=, this](FaultyCall call, std::string_view called) -> std::optional<ErrorCode> {
      if (call != which || !called.starts_with(name)) return std::nullopt;
      error = nullptr;
      return code;
    };
  }

  Result<void> check(FaultyCall call, std::string_view name) const {
    const auto ask = error;  // it may replace itself
    const auto code = ask ? ask(call, name) : std::nullopt;
    if (code) return Error(*code, std::string(name) + ": a fault of the test");
    return success();
  }
};

class FaultyFile final : public faultfs::File {
 public:
  FaultyFile(std::unique_ptr<faultfs::File> file, std::string name, const Faults& faults)
      : file_(std::move(file)), name_(std::move(name)), faults_(faults) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    POWERCUT_TRYV(faults_.check(FaultyCall::kRead, name_));
    return file_->read(offset, into);
  }
  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
    const auto checked = faults_.check(FaultyCall::kWrite, name_);
    const bool half = checked.has_error() || (faults_.writes_take_half && from.size() > 1);
    POWERCUT_TRY(const std::size_t taken, file_->write(offset, half ? from.first(from.size() / 2) : from));
    if (checked.has_error()) return checked.error();
    return taken;
  }
  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    return file_->write_many(offset, buffers);
  }
  Result<void> sync(faultfs::SyncKind kind) override {
    POWERCUT_TRYV(faults_.check(FaultyCall::kSync, name_));
    return file_->sync(kind);
  }
  Result<void> resize(std::uint64_t bytes) override { return file_->resize(bytes); }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->allocate(offset, bytes); }
  Result<std::uint64_t> size() override { return file_->size(); }
  std::size_t preferred_read_bytes() const override { return file_->preferred_read_bytes(); }

 private:
  std::unique_ptr<faultfs::File> file_;
  std::string name_;
  const Faults& faults_;
};

class FaultyFiles final : public faultfs::FileSystem {
 public:
  // The file system below must outlive it.
  explicit FaultyFiles(faultfs::FileSystem& base) : base_(base) {}

  bool lets_others_run() const override { return base_.lets_others_run(); }
  Result<std::unique_ptr<faultfs::File>> open(std::string_view path, faultfs::OpenMode mode) override {
    const std::string_view name = faultfs::name_of(path);
    POWERCUT_TRYV(faults.check(FaultyCall::kOpen, name));
    POWERCUT_TRY(auto file, base_.open(path, mode));
    return std::unique_ptr<faultfs::File>(std::make_unique<FaultyFile>(std::move(file), std::string(name), faults));
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return base_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return base_.remove(path); }
  Result<bool> exists(std::string_view path) override { return base_.exists(path); }
  Result<void> make_directory(std::string_view path) override { return base_.make_directory(path); }
  Result<void> remove_directory(std::string_view path) override { return base_.remove_directory(path); }
  Result<std::vector<faultfs::DirectoryEntry>> list(std::string_view path) override { return base_.list(path); }
  Result<void> sync_directory(std::string_view path) override { return base_.sync_directory(path); }

  Faults faults;

 private:
  faultfs::FileSystem& base_;
};

}  // namespace powercut::testing
