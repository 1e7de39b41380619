// A file system whose page cache forgets: a sync that fails leaves the new bytes in the cache, where every process reads
// them, takes them for clean, and never writes them out; a later sync succeeds without them (Linux on ext4 and XFS).
//
// It is two file systems. All that is done is done to the cache at once. A write reaches the device when its file is synced.
// Names are made on both at once and are durable on the device when their directory is synced. After a power cut there is
// the device alone.
#pragma once

#include "faultfs/file_system.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace powercut::testing {

class ForgetfulFileSystem final : public faultfs::FileSystem {
 public:
  ForgetfulFileSystem(faultfs::FileSystem& cache, faultfs::FileSystem& device) : cache_(cache), device_(device) {}

  // The sync of this number, counted from now, fails; so do those after it until mend().
  void fail_syncs_from(std::uint64_t number) { syncs_left_ = number; }
  void mend() { syncs_left_ = kNever; }
  bool failed() const { return failed_; }

  bool lets_others_run() const override { return cache_.lets_others_run(); }
  Result<std::unique_ptr<faultfs::File>> open(std::string_view path, faultfs::OpenMode mode) override {
    POWERCUT_TRY(auto cached, cache_.open(path, mode));
    auto& state = files_[std::string(path)];
    if (state == nullptr) {
      state = std::make_shared<State>();
      POWERCUT_TRY(state->device, device_.open(path, faultfs::OpenMode::kCreate));
    }
    return std::unique_ptr<faultfs::File>(std::make_unique<OpenFile>(*this, std::move(cached), state));
  }
  Result<void> rename(std::string_view from, std::string_view to) override {
    POWERCUT_TRYV(cache_.rename(from, to));
    const auto moved = files_.find(std::string(from));
    if (moved != files_.end()) {
      files_[std::string(to)] = moved->second;
      files_.erase(std::string(from));
    }
    return device_.rename(from, to);
  }
  Result<void> remove(std::string_view path) override {
    POWERCUT_TRYV(cache_.remove(path));
    files_.erase(std::string(path));
    return device_.remove(path);
  }
  Result<bool> exists(std::string_view path) override { return cache_.exists(path); }
  Result<void> make_directory(std::string_view path) override {
    POWERCUT_TRYV(cache_.make_directory(path));
    return device_.make_directory(path);
  }
  Result<void> remove_directory(std::string_view path) override {
    POWERCUT_TRYV(cache_.remove_directory(path));
    return device_.remove_directory(path);
  }
  Result<std::vector<faultfs::DirectoryEntry>> list(std::string_view path) override { return cache_.list(path); }
  Result<void> sync_directory(std::string_view path) override {
    POWERCUT_TRYV(may_sync());
    return device_.sync_directory(path);
  }

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  struct Range {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  struct State {
    std::unique_ptr<faultfs::File> device;
    std::vector<Range> dirty;
    bool resized = false;
  };

  class OpenFile final : public faultfs::File {
   public:
    OpenFile(ForgetfulFileSystem& owner, std::unique_ptr<faultfs::File> cached, std::shared_ptr<State> state)
        : owner_(owner), cached_(std::move(cached)), state_(std::move(state)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override { return cached_->read(offset, into); }
    Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
      state_->dirty.push_back({offset, from.size()});
      return cached_->write(offset, from);
    }
    Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
      return buffers.empty() ? Result<std::size_t>(std::size_t{0}) : write(offset, buffers.front());
    }
    Result<void> sync(faultfs::SyncKind kind) override {
      const std::vector<Range> dirty = std::exchange(state_->dirty, {});
      POWERCUT_TRYV(owner_.may_sync());
      if (std::exchange(state_->resized, false)) {
        POWERCUT_TRY(const std::uint64_t bytes, cached_->size());
        POWERCUT_TRYV(state_->device->resize(bytes));
      }
      std::vector<byte> copy;
      for (const Range& range : dirty) {
        copy.resize(range.bytes);
        POWERCUT_TRY(const std::size_t got, read_full(*cached_, range.offset, copy));
        POWERCUT_TRYV(write_full(*state_->device, range.offset, std::span(copy).first(got)));
      }
      return state_->device->sync(kind);
    }
    Result<void> resize(std::uint64_t bytes) override {
      state_->resized = true;
      return cached_->resize(bytes);
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
      state_->resized = true;
      return cached_->allocate(offset, bytes);
    }
    Result<std::uint64_t> size() override { return cached_->size(); }
    std::size_t preferred_read_bytes() const override { return cached_->preferred_read_bytes(); }

   private:
    ForgetfulFileSystem& owner_;
    std::unique_ptr<faultfs::File> cached_;
    std::shared_ptr<State> state_;
  };

  Result<void> may_sync() {
    if (syncs_left_ == kNever || syncs_left_-- > 0) return success();
    syncs_left_ = 0;
    failed_ = true;
    return Error(ErrorCode::kIo, "a sync fails");
  }

  faultfs::FileSystem& cache_;
  faultfs::FileSystem& device_;
  std::map<std::string, std::shared_ptr<State>> files_;
  std::uint64_t syncs_left_ = kNever;
  bool failed_ = false;
};

}  // namespace powercut::testing
