#include "faultfs/counting_file_system.h"

namespace powercut::faultfs {
namespace {

class CountingFile final : public File {
 public:
  CountingFile(IoCounts& counts, std::unique_ptr<File> file) : counts_(counts), file_(std::move(file)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    auto done = file_->read(offset, into);
    if (done.has_value()) {
      ++counts_.reads;
      counts_.bytes_read += done.value();
    }
    return done;
  }

  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override {
    return counted_write(file_->write(offset, from));
  }

  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    return counted_write(file_->write_many(offset, buffers));
  }

  Result<void> sync(SyncKind kind) override {
    auto done = file_->sync(kind);
    if (done.has_value()) ++counts_.syncs;
    return done;
  }

  Result<void> write_durably(std::uint64_t offset, std::span<const byte> from) override {
    auto done = file_->write_durably(offset, from);
    if (done.has_value()) {
      ++counts_.durable_writes;
      counts_.bytes_written += from.size();
    }
    return done;
  }

  Result<void> write_each(std::span<const WriteAt> writes) override {
    auto done = file_->write_each(writes);
    if (done.has_value()) {
      counts_.writes += writes.size();
      for (const WriteAt& one : writes) counts_.bytes_written += one.bytes.size();
    }
    return done;
  }

  Result<void> resize(std::uint64_t bytes) override { return file_->resize(bytes); }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->allocate(offset, bytes); }
  Result<std::uint64_t> size() override { return file_->size(); }
  std::size_t preferred_read_bytes() const override { return file_->preferred_read_bytes(); }
  std::size_t preferred_write_unit() const override { return file_->preferred_write_unit(); }

 private:
  Result<std::size_t> counted_write(Result<std::size_t> done) {
    if (done.has_value()) {
      ++counts_.writes;
      counts_.bytes_written += done.value();
    }
    return done;
  }

  IoCounts& counts_;
  std::unique_ptr<File> file_;
};

}  // namespace

IoCounts operator-(const IoCounts& later, const IoCounts& earlier) {
  return {later.reads - earlier.reads,
          later.bytes_read - earlier.bytes_read,
          later.writes - earlier.writes,
          later.durable_writes - earlier.durable_writes,
          later.bytes_written - earlier.bytes_written,
          later.syncs - earlier.syncs};
}

Result<std::unique_ptr<File>> CountingFileSystem::open(std::string_view path, OpenMode mode) {
  POWERCUT_TRY(auto file, base_.open(path, mode));
  return std::unique_ptr<File>(std::make_unique<CountingFile>(counts_, std::move(file)));
}

Result<void> CountingFileSystem::sync_directory(std::string_view path) {
  auto done = base_.sync_directory(path);
  if (done.has_value()) ++counts_.syncs;
  return done;
}

}  // namespace powercut::faultfs
