#include "faultfs/powered_file_system.h"

namespace powercut::faultfs {

Result<void> PoweredFileSystem::on() const {
  if (failed_) return Error(ErrorCode::kIo, "the power has failed");
  return success();
}

void PoweredFileSystem::fail_at(Moment moment, std::uint64_t sync) {
  moment_ = moment;
  fails_at_ = sync;
  syncs_ = 0;
}

template <class Sync>
Result<void> PoweredFileSystem::synced(const Sync& sync) {
  POWERCUT_TRYV(on());
  const bool last = syncs_ + 1 == fails_at_;
  if (last && moment_ == Moment::kBeforeSync) failed_ = true;
  POWERCUT_TRYV(on());
  POWERCUT_TRYV(sync());
  ++syncs_;
  if (last) failed_ = true;
  return on();
}

class PoweredFile final : public File {
 public:
  PoweredFile(PoweredFileSystem& owner, std::unique_ptr<File> file) : owner_(owner), file_(std::move(file)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    POWERCUT_TRYV(owner_.on());
    return file_->read(offset, into);
  }
  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
    POWERCUT_TRYV(owner_.on());
    return file_->write(offset, from);
  }
  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    POWERCUT_TRYV(owner_.on());
    return file_->write_many(offset, buffers);
  }
  Result<void> sync(SyncKind kind) override {
    return owner_.synced([&] { return file_->sync(kind); });
  }
  Result<void> resize(std::uint64_t bytes) override {
    POWERCUT_TRYV(owner_.on());
    return file_->resize(bytes);
  }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    POWERCUT_TRYV(owner_.on());
    return file_->allocate(offset, bytes);
  }
  Result<std::uint64_t> size() override {
    POWERCUT_TRYV(owner_.on());
    return file_->size();
  }
  std::size_t preferred_read_bytes() const override { return file_->preferred_read_bytes(); }

 private:
  PoweredFileSystem& owner_;
  std::unique_ptr<File> file_;
};

Result<std::unique_ptr<File>> PoweredFileSystem::open(std::string_view path, OpenMode mode) {
  POWERCUT_TRYV(on());
  POWERCUT_TRY(auto file, base_.open(path, mode));
  return std::unique_ptr<File>(std::make_unique<PoweredFile>(*this, std::move(file)));
}

Result<void> PoweredFileSystem::rename(std::string_view from, std::string_view to) {
  POWERCUT_TRYV(on());
  return base_.rename(from, to);
}

Result<void> PoweredFileSystem::remove(std::string_view path) {
  POWERCUT_TRYV(on());
  return base_.remove(path);
}

Result<bool> PoweredFileSystem::exists(std::string_view path) {
  POWERCUT_TRYV(on());
  return base_.exists(path);
}

Result<void> PoweredFileSystem::make_directory(std::string_view path) {
  POWERCUT_TRYV(on());
  return base_.make_directory(path);
}

Result<void> PoweredFileSystem::remove_directory(std::string_view path) {
  POWERCUT_TRYV(on());
  return base_.remove_directory(path);
}

Result<std::vector<DirectoryEntry>> PoweredFileSystem::list(std::string_view path) {
  POWERCUT_TRYV(on());
  return base_.list(path);
}

Result<void> PoweredFileSystem::sync_directory(std::string_view path) {
  return synced([&] { return base_.sync_directory(path); });
}

}  // namespace powercut::faultfs
