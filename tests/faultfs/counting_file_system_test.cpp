// Counts of what reaches a file system, and that every call reaches it as the one call that it is.
#include "faultfs/counting_file_system.h"

#include "tests/faultfs/backends.h"

namespace powercut::testing {
namespace {
using namespace faultfs;

std::span<const byte> bytes_of(std::string_view text) { return as_bytes(text); }

// Remembers by name which of its calls came.
class NotingFile final : public File {
 public:
  explicit NotingFile(std::string& calls) : calls_(calls) {}

  Result<std::size_t> read(std::uint64_t /*offset*/, std::span<byte> into) override { return note("read", into.size()); }
  Result<std::size_t> write(std::uint64_t /*offset*/, std::span<const byte> from) override { return note("write", from.size()); }
  Result<std::size_t> write_many(std::uint64_t /*offset*/, std::span<const std::span<const byte>> buffers) override {
    return note("write_many", buffers.size());
  }
  Result<void> sync(SyncKind kind) override { return done(kind == SyncKind::kData ? "sync data" : "sync full"); }
  Result<void> write_durably(std::uint64_t /*offset*/, std::span<const byte> /*from*/) override { return done("write_durably"); }
  Result<void> resize(std::uint64_t /*bytes*/) override { return done("resize"); }
  Result<void> allocate(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) override { return done("allocate"); }
  Result<std::uint64_t> size() override { return note("size", 77); }
  std::size_t preferred_read_bytes() const override { return 12345; }

 private:
  std::size_t note(std::string_view call, std::size_t answer) {
    calls_.append(call).append(";");
    return answer;
  }
  Result<void> done(std::string_view call) {
    note(call, 0);
    return success();
  }

  std::string& calls_;
};

class NotingFileSystem final : public FileSystem {
 public:
  bool lets_others_run() const override { return false; }
  Result<std::unique_ptr<File>> open(std::string_view /*path*/, OpenMode /*mode*/) override {
    return std::unique_ptr<File>(std::make_unique<NotingFile>(calls));
  }
  Result<void> rename(std::string_view /*from*/, std::string_view /*to*/) override { return done("rename"); }
  Result<void> remove(std::string_view /*path*/) override { return done("remove"); }
  Result<bool> exists(std::string_view /*path*/) override {
    calls += "exists;";
    return true;
  }
  Result<void> make_directory(std::string_view /*path*/) override { return done("make_directory"); }
  Result<void> remove_directory(std::string_view /*path*/) override { return done("remove_directory"); }
  Result<std::vector<DirectoryEntry>> list(std::string_view /*path*/) override {
    calls += "list;";
    return std::vector<DirectoryEntry>();
  }
  Result<void> sync_directory(std::string_view /*path*/) override { return done("sync_directory"); }

  std::string calls;

 private:
  Result<void> done(std::string_view call) {
    calls.append(call).append(";");
    return success();
  }
};

}  // namespace

TEST_CASE("a counting file system passes every call on as the one call that it is") {
  NotingFileSystem base;
  CountingFileSystem files(base);
  auto file = std::move(files.open("f", OpenMode::kCreate)).value();
  std::array<byte, 10> into{};
  CHECK(file->read(0, into).value() == 10);
  CHECK(file->write(0, into).value() == 10);
  const std::array<std::span<const byte>, 2> buffers{into, into};
  CHECK(file->write_many(0, buffers).value() == 2);
  CHECK(file->sync(SyncKind::kData).has_value());
  CHECK(file->sync(SyncKind::kFull).has_value());
  CHECK(file->write_durably(0, into).has_value());
  CHECK(file->resize(1).has_value());
  CHECK(file->allocate(0, 1).has_value());
  CHECK(file->size().value() == 77);
  CHECK(file->preferred_read_bytes() == 12345);
  CHECK(files.rename("a", "b").has_value());
  CHECK(files.remove("a").has_value());
  CHECK(files.exists("a").value());
  CHECK(files.make_directory("a").has_value());
  CHECK(files.remove_directory("a").has_value());
  CHECK(files.list("").value().empty());
  CHECK(files.sync_directory("").has_value());
  CHECK(base.calls ==
        "read;write;write_many;sync data;sync full;write_durably;resize;allocate;size;"
        "rename;remove;exists;make_directory;remove_directory;list;sync_directory;");
  CHECK(files.counts() == IoCounts{1, 10, 2, 1, 10 + 2 + 10, 3});
}

TEST_CASE("reads, writes, durable writes and syncs are counted with their bytes, what fails is not") {
  for (const Backend& backend : all_backends()) {
    INFO(backend.name);
    const Storage storage = backend.make();
    CountingFileSystem files(*storage.files);
    CHECK(files.open("missing", OpenMode::kRead).has_error());
    CHECK(files.sync_directory("missing").has_error());
    CHECK(files.counts() == IoCounts{});

    auto file = std::move(files.open("f", OpenMode::kCreate)).value();
    CHECK(write_full(*file, 0, bytes_of("hello")).has_value());
    const IoCounts written = files.counts();
    CHECK(written == IoCounts{0, 0, 1, 0, 5, 0});
    CHECK(file->write_durably(5, bytes_of("world!")).has_value());
    CHECK(file->sync(SyncKind::kData).has_value());
    CHECK(files.sync_directory("").has_value());
    CHECK(files.counts() - written == IoCounts{0, 0, 0, 1, 6, 2});

    std::array<byte, 100> into{};
    CHECK(file->read(0, into).value() == 11);
    CHECK(files.counts() == IoCounts{1, 11, 1, 1, 11, 2});
  }
}

}  // namespace powercut::testing
