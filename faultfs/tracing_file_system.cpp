#include "faultfs/tracing_file_system.h"

#include "faultfs/hash.h"

#include <execinfo.h>

#include <array>

namespace powercut::faultfs {

class TracingFile final : public File {
 public:
  TracingFile(TracingFileSystem& owner, std::unique_ptr<File> file, std::string path)
      : owner_(owner), file_(std::move(file)), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    auto result = file_->read(offset, into);
    Operation operation = about(OperationKind::kRead, offset, into.size());
    if (result.has_value()) operation.content = hash64(into.first(result.value()));
    return told(std::move(operation), std::move(result), false);
  }

  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override { return write_many(offset, {&from, 1}); }

  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    Operation operation = about(OperationKind::kWrite, offset, 0);
    for (const auto& buffer : buffers) {
      operation.length += buffer.size();
      operation.content = hash64(buffer, operation.content);
    }
    return told(std::move(operation), file_->write_many(offset, buffers), true);
  }

  Result<void> sync(SyncKind kind) override { return told(about(OperationKind::kSync, 0, 0), file_->sync(kind), true); }

  Result<void> resize(std::uint64_t bytes) override {
    return told(about(OperationKind::kResize, 0, bytes), file_->resize(bytes), true);
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    return told(about(OperationKind::kAllocate, offset, bytes), file_->allocate(offset, bytes), true);
  }

  Result<std::uint64_t> size() override { return file_->size(); }
  std::size_t preferred_read_bytes() const override { return file_->preferred_read_bytes(); }

 private:
  Operation about(OperationKind kind, std::uint64_t offset, std::uint64_t length) const {
    Operation operation;
    operation.kind = kind;
    operation.path = path_;
    operation.offset = offset;
    operation.length = length;
    return operation;
  }

  template <class T>
  Result<T> told(Operation operation, Result<T> result, bool counts) {
    if (result.has_error()) operation.error = result.error().code();
    owner_.tell(std::move(operation), counts && result.has_value());
    return result;
  }

  TracingFileSystem& owner_;
  std::unique_ptr<File> file_;
  std::string path_;
};

void TracingFileSystem::tell(Operation operation, bool counts) {
  if (counts) operation.number = ++numbered_;
  if (sink_.wants_calls()) {
    std::array<void*, 32> calls{};
    const int count = backtrace(calls.data(), static_cast<int>(calls.size()));
    operation.calls.assign(calls.begin(), calls.begin() + count);
  }
  sink_.on_operation(operation);
}

Result<void> TracingFileSystem::told(OperationKind kind, std::string_view path, std::string_view other_path, Result<void> result) {
  Operation operation;
  operation.kind = kind;
  operation.path = path;
  operation.other_path = other_path;
  if (result.has_error()) operation.error = result.error().code();
  tell(std::move(operation), result.has_value());
  return result;
}

Result<std::unique_ptr<File>> TracingFileSystem::open(std::string_view path, OpenMode mode) {
  const bool may_create = mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
  bool creates = false;
  if (may_create) {
    POWERCUT_TRY(const bool exists, base_.exists(path));
    creates = !exists;
  }
  auto opened = base_.open(path, mode);
  Operation operation;
  operation.kind = creates ? OperationKind::kCreate : OperationKind::kOpen;
  operation.path = path;
  if (opened.has_error()) operation.error = opened.error().code();
  tell(std::move(operation), creates && opened.has_value());
  if (opened.has_error()) return opened.error();
  return std::unique_ptr<File>(std::make_unique<TracingFile>(*this, std::move(opened).value(), std::string(path)));
}

Result<void> TracingFileSystem::rename(std::string_view from, std::string_view to) {
  return told(OperationKind::kRename, from, to, base_.rename(from, to));
}
Result<void> TracingFileSystem::remove(std::string_view path) { return told(OperationKind::kRemove, path, {}, base_.remove(path)); }
Result<bool> TracingFileSystem::exists(std::string_view path) { return base_.exists(path); }
Result<void> TracingFileSystem::make_directory(std::string_view path) {
  return told(OperationKind::kMakeDirectory, path, {}, base_.make_directory(path));
}
Result<void> TracingFileSystem::remove_directory(std::string_view path) {
  return told(OperationKind::kRemoveDirectory, path, {}, base_.remove_directory(path));
}
Result<std::vector<DirectoryEntry>> TracingFileSystem::list(std::string_view path) { return base_.list(path); }
Result<void> TracingFileSystem::sync_directory(std::string_view path) {
  return told(OperationKind::kSyncDirectory, path, {}, base_.sync_directory(path));
}

}  // namespace powercut::faultfs
