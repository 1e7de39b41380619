#include "faultfs/yielding_file_system.h"

namespace powercut::faultfs {
namespace {

template <class Operation>
auto between_yields(Scheduler& scheduler, const Operation& operation) {
  if (scheduler.in_fiber()) scheduler.yield("before I/O");
  auto result = operation();
  if (scheduler.in_fiber()) scheduler.yield("after I/O");
  return result;
}

class YieldingFile final : public File {
 public:
  YieldingFile(Scheduler& scheduler, std::unique_ptr<File> file) : scheduler_(scheduler), file_(std::move(file)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    return between_yields(scheduler_, [&] { return file_->read(offset, into); });
  }
  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
    return between_yields(scheduler_, [&] { return file_->write(offset, from); });
  }
  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    return between_yields(scheduler_, [&] { return file_->write_many(offset, buffers); });
  }
  Result<void> sync(SyncKind kind) override {
    return between_yields(scheduler_, [&] { return file_->sync(kind); });
  }
  Result<void> resize(std::uint64_t bytes) override {
    return between_yields(scheduler_, [&] { return file_->resize(bytes); });
  }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    return between_yields(scheduler_, [&] { return file_->allocate(offset, bytes); });
  }
  Result<std::uint64_t> size() override { return file_->size(); }
  std::size_t preferred_read_bytes() const override { return file_->preferred_read_bytes(); }
  std::size_t preferred_write_unit() const override { return file_->preferred_write_unit(); }

 private:
  Scheduler& scheduler_;
  std::unique_ptr<File> file_;
};

}  // namespace

Result<std::unique_ptr<File>> YieldingFileSystem::open(std::string_view path, OpenMode mode) {
  auto opened = between_yields(scheduler_, [&] { return base_.open(path, mode); });
  if (opened.has_error()) return opened.error();
  return std::unique_ptr<File>(std::make_unique<YieldingFile>(scheduler_, std::move(opened).value()));
}

Result<void> YieldingFileSystem::rename(std::string_view from, std::string_view to) {
  return between_yields(scheduler_, [&] { return base_.rename(from, to); });
}
Result<void> YieldingFileSystem::remove(std::string_view path) {
  return between_yields(scheduler_, [&] { return base_.remove(path); });
}
Result<bool> YieldingFileSystem::exists(std::string_view path) {
  return between_yields(scheduler_, [&] { return base_.exists(path); });
}
Result<void> YieldingFileSystem::make_directory(std::string_view path) {
  return between_yields(scheduler_, [&] { return base_.make_directory(path); });
}
Result<void> YieldingFileSystem::remove_directory(std::string_view path) {
  return between_yields(scheduler_, [&] { return base_.remove_directory(path); });
}
Result<std::vector<DirectoryEntry>> YieldingFileSystem::list(std::string_view path) {
  return between_yields(scheduler_, [&] { return base_.list(path); });
}
Result<void> YieldingFileSystem::sync_directory(std::string_view path) {
  return between_yields(scheduler_, [&] { return base_.sync_directory(path); });
}

}  // namespace powercut::faultfs
