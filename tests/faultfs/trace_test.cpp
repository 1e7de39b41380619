#include "faultfs/sim_file_system.h"
#include "faultfs/tracing_file_system.h"
#include "tests/support/property.h"

namespace powercut::testing {
namespace {
using namespace faultfs;

struct Lines final : TraceSink {
  void on_operation(const Operation& operation) override { lines.push_back(describe(operation)); }
  std::vector<std::string> lines;
};

void work(FileSystem& files) {
  auto file = std::move(files.open("log", OpenMode::kCreate)).value();
  REQUIRE(write_full(*file, 512, as_bytes("hello")).has_value());
  REQUIRE(file->sync(SyncKind::kData).has_value());
  REQUIRE(files.rename("log", "log.1").has_value());
  REQUIRE(files.remove("none").has_error());
  std::vector<byte> bytes(5);
  REQUIRE(file->read(512, bytes).value() == 5);
  REQUIRE(files.sync_directory("").has_value());
}

}  // namespace

TEST_CASE("a trace tells every operation, and numbers what the simulator numbers") {
  SimDisk disk;
  SimFileSystem files(disk);
  Lines lines;
  TracingFileSystem traced(files, lines);
  work(traced);
  CHECK(lines.lines == std::vector<std::string>{"#1 create log", "#2 write log [512, 517)", "#3 sync log", "#4 rename log to log.1",
                                                "remove none: not found", "read log [512, 517)", "#5 sync directory /"});
  CHECK(disk.operations() == 5);
}

TEST_CASE("a trace hash depends on every byte and is the same on every machine") {
  const auto hash_of = [](std::string_view text) {
    SimDisk disk;
    SimFileSystem files(disk);
    TraceHash hash;
    TracingFileSystem traced(files, hash);
    work(traced);
    auto file = std::move(traced.open("log.1", OpenMode::kReadWrite)).value();
    REQUIRE(write_full(*file, 0, as_bytes(text)).has_value());
    return hash.value();
  };
  CHECK(hash_of("a") == hash_of("a"));
  CHECK(hash_of("a") != hash_of("b"));
}

}  // namespace powercut::testing
