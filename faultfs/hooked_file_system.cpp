#include "faultfs/hooked_file_system.h"

namespace powercut::faultfs {
namespace {

class HookedFile final : public File {
 public:
  HookedFile(std::unique_ptr<File> file, const std::function<void()>& before) : file_(std::move(file)), before_(before) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    before_();
    return file_->read(offset, into);
  }
  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
    before_();
    return file_->write(offset, from);
  }
  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    before_();
    return file_->write_many(offset, buffers);
  }
  Result<void> sync(SyncKind kind) override {
    before_();
    return file_->sync(kind);
  }
  Result<void> write_durably(std::uint64_t offset, std::span<const byte> from) override {
    before_();
    return file_->write_durably(offset, from);
  }
  Result<void> resize(std::uint64_t bytes) override {
    before_();
    return file_->resize(bytes);
  }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    before_();
    return file_->allocate(offset, bytes);
  }
  Result<std::uint64_t> size() override { return file_->size(); }
  Result<void> write_each(std::span<const WriteAt> writes) override {
    before_();
    return file_->write_each(writes);
  }
  std::size_t preferred_read_bytes() const override { return file_->preferred_read_bytes(); }
  std::size_t preferred_write_unit() const override { return file_->preferred_write_unit(); }

 private:
  std::unique_ptr<File> file_;
  const std::function<void()>& before_;
};

}  // namespace

Result<std::unique_ptr<File>> HookedFileSystem::open(std::string_view path, OpenMode mode) {
  before_();
  POWERCUT_TRY(auto file, base_.open(path, mode));
  return std::unique_ptr<File>(std::make_unique<HookedFile>(std::move(file), before_));
}
Result<void> HookedFileSystem::rename(std::string_view from, std::string_view to) {
  before_();
  return base_.rename(from, to);
}
Result<void> HookedFileSystem::remove(std::string_view path) {
  before_();
  return base_.remove(path);
}
Result<bool> HookedFileSystem::exists(std::string_view path) {
  before_();
  return base_.exists(path);
}
Result<void> HookedFileSystem::make_directory(std::string_view path) {
  before_();
  return base_.make_directory(path);
}
Result<void> HookedFileSystem::remove_directory(std::string_view path) {
  before_();
  return base_.remove_directory(path);
}
Result<std::vector<DirectoryEntry>> HookedFileSystem::list(std::string_view path) {
  before_();
  return base_.list(path);
}
Result<void> HookedFileSystem::sync_directory(std::string_view path) {
  before_();
  return base_.sync_directory(path);
}

}  // namespace powercut::faultfs
