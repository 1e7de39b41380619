// The buffer pool: what leaves a frame comes back as it was, never before its log, and never damaged without a word.
#include "engine/ledger/buffer_pool.h"
#include "engine/ledger/log.h"
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/property.h"

#include <array>
#include <map>
#include <optional>

namespace powercut::testing {
namespace {

using namespace ledger;
using faultfs::OpenMode;

constexpr std::uint32_t kPages = 40;

// A pool of the fewest frames over a data file, with a log beside it.
struct PoolOnDisk {
  PoolOnDisk() : simulated(disk), files(simulated), control(files, "db", options.defects) {
    options.frames = kLeastFrames;
    REQUIRE(files.make_directory("db").has_value());
    control.prepare({0, 4711, kLeastSegmentBytes, 1, Lsn::kNone, Lsn::kNone});
    log.emplace(files, "db", control, options, log_memory);
    REQUIRE(log->create().has_value());
    REQUIRE(control.create().has_value());
    start();
  }

  // The pool of a process that has just begun: what is in the log was written by another.
  void start() {
    pool.reset();
    if (newest != Lsn::kNone) {
      REQUIRE(log->flush(newest).has_value());
      log->open_at(log->end());
    }
    pool.emplace(std::move(files.open("db/data", OpenMode::kCreate)).value(), "db/data", *log, options, memory);
  }

  Lsn append() {
    std::string record;
    encode_plain(record, RecordType::kCommit, TxnId{1}, Lsn::kNone);
    return newest = log->append(record).value();
  }

  // Gives the page one cell, under a new LSN.
  Lsn change(PageId page, std::string_view value) {
    auto ref = pool->fetch_blank(page);
    REQUIRE(ref.has_value());
    const Lsn lsn = append();
    ref.value().page().format(page, PageType::kLeaf);
    ref.value().page().insert(0, "key", value);
    ref.value().page().set_lsn(lsn);
    pool->mark_dirty(ref.value(), lsn);
    return lsn;
  }

  // What the log's file holds at a place, whatever the log itself still has in memory.
  bool log_is_durable_at(Lsn lsn) {
    LogReader::Buffer buffer;
    LogReader reader(files, "db", options.defects, buffer);
    reader.start(control.record(), lsn);
    return reader.at(lsn).has_value();
  }

  std::uint64_t data_bytes() { return files.open("db/data", OpenMode::kRead).value()->size().value(); }

  void overwrite(std::uint64_t at, std::string_view bytes) {
    auto file = std::move(files.open("db/data", OpenMode::kReadWrite)).value();
    REQUIRE(write_full(*file, at, as_bytes(bytes)).has_value());
  }

  Options options;
  faultfs::SimDisk disk;
  faultfs::SimFileSystem simulated;
  FaultyFileSystem files;
  Control control;
  Lsn newest = Lsn::kNone;  // record
  Log::Memory log_memory;
  std::optional<Log> log;
  BufferPool::Memory memory;
  std::optional<BufferPool> pool;
};

constexpr Lsn kEverything{~std::uint64_t{0}};

}  // namespace

TEST_CASE("pages that take turns in eight frames are read as they were last changed") {
  property("pages in turns", [](std::uint64_t seed) {
    Random random(seed);
    PoolOnDisk on_disk;
    std::map<std::uint32_t, std::string> expected;
    for (int step = 0; step < 200; ++step) {
      const std::uint32_t page = random.below(kPages);
      if (random.below(2) == 0) {
        expected[page] = std::string(random.below(900), static_cast<char>('a' + random.below(26)));
        on_disk.change(PageId{page}, expected[page]);
      } else if (expected.contains(page)) {
        const auto ref = on_disk.pool->fetch(PageId{page});
        RC_ASSERT(ref.has_value());
        RC_ASSERT(ref.value().page().id() == PageId{page});
        RC_ASSERT(ref.value().page().value(0) == expected[page]);
      }
      if (random.below(60) == 0) {
        RC_ASSERT(on_disk.pool->write_back_before(kEverything).has_value());
        on_disk.start();
      }
    }
  });
}

TEST_CASE("a pinned page stays where it is while others come and go") {
  PoolOnDisk on_disk;
  on_disk.change(PageId{3}, "pinned");
  const auto pinned = std::move(on_disk.pool->fetch(PageId{3})).value();
  const byte* const where = pinned.page().data();
  for (std::uint32_t page = 10; page < 10 + 3 * kLeastFrames; ++page) on_disk.change(PageId{page}, "passing");
  CHECK(pinned.page().data() == where);
  CHECK(pinned.page().value(0) == "pinned");
  CHECK(on_disk.pool->fetch(PageId{3}).value().frame() == pinned.frame());
}

TEST_CASE("no page is written before the log that describes it") {
  for (const bool by_eviction : {true, false}) {
    PoolOnDisk on_disk;
    const Lsn lsn = on_disk.change(PageId{0}, "new");
    REQUIRE_FALSE(on_disk.log_is_durable_at(lsn));
    REQUIRE(on_disk.data_bytes() == 0);
    if (by_eviction) {
      for (std::uint32_t page = 1; page <= 2 * kLeastFrames; ++page) on_disk.change(PageId{page}, "passing");
    } else {
      REQUIRE(on_disk.pool->write_back_before(kEverything).has_value());
    }
    REQUIRE(on_disk.data_bytes() >= kPageBytes);
    CHECK(on_disk.log_is_durable_at(lsn));
  }
}

TEST_CASE("a page that is dirty keeps the place of its first change, a clean one takes a new place") {
  PoolOnDisk on_disk;
  std::vector<DirtyPage> dirty;
  const Lsn first = on_disk.change(PageId{5}, "one");
  const Lsn second = on_disk.change(PageId{5}, "two");
  on_disk.pool->dirty_pages(dirty);
  REQUIRE(dirty.size() == 1);
  CHECK(dirty[0].page == PageId{5});
  CHECK(dirty[0].rec_lsn == first);

  REQUIRE(on_disk.pool->write_back_before(first).has_value());
  on_disk.pool->dirty_pages(dirty);
  CHECK(dirty.size() == 1);
  REQUIRE(on_disk.pool->write_back_before(second).has_value());
  on_disk.pool->dirty_pages(dirty);
  CHECK(dirty.empty());

  const Lsn third = on_disk.change(PageId{5}, "three");
  on_disk.pool->dirty_pages(dirty);
  REQUIRE(dirty.size() == 1);
  CHECK(dirty[0].rec_lsn == third);
}

TEST_CASE("a page that cannot be written stays in its frame while another can be had, and is written later") {
  PoolOnDisk on_disk;
  for (std::uint32_t page = 0; page < kPages; ++page) on_disk.change(PageId{page}, "old");
  REQUIRE(on_disk.pool->write_back_before(kEverything).has_value());
  on_disk.start();
  for (std::uint32_t page = 0; page < kLeastFrames - 1; ++page) on_disk.change(PageId{page}, "new");
  REQUIRE(on_disk.log->flush(on_disk.append()).has_value());
  on_disk.files.break_with({FaultKind::kWrite, 0, true, ErrorCode::kNoSpace, {}});
  for (std::uint32_t page = kLeastFrames; page < kPages; ++page) {
    const auto ref = on_disk.pool->fetch(PageId{page});
    REQUIRE(ref.has_value());
    CHECK(ref.value().page().value(0) == "old");
  }
  // With the last clean page pinned there is no frame left.
  {
    const auto pinned = on_disk.pool->fetch(PageId{kPages - 1});
    REQUIRE(pinned.has_value());
    CHECK(on_disk.pool->fetch(PageId{kPages - 2}).error().code() == ErrorCode::kNoSpace);
  }
  on_disk.files.mend();
  REQUIRE(on_disk.pool->write_back_before(kEverything).has_value());
  on_disk.start();
  for (std::uint32_t page = 0; page < kPages; ++page) {
    CHECK(on_disk.pool->fetch(PageId{page}).value().page().value(0) == (page < kLeastFrames - 1 ? "new" : "old"));
  }
}

TEST_CASE("a failed sync of the data file stops the log") {
  PoolOnDisk on_disk;
  on_disk.change(PageId{0}, "new");
  REQUIRE(on_disk.pool->write_back_before(kEverything).has_value());
  on_disk.files.break_with({FaultKind::kSync, 0, false, ErrorCode::kIo, {}});
  CHECK(on_disk.pool->sync().error().code() == ErrorCode::kStopped);
  CHECK(on_disk.log->failure());
}

TEST_CASE("a damaged page is named with its file, its number and what is wrong, as often as it is asked for") {
  PoolOnDisk on_disk;
  on_disk.change(PageId{0}, "zero");
  on_disk.change(PageId{1}, "one");
  REQUIRE(on_disk.pool->write_back_before(kEverything).has_value());
  on_disk.start();
  const auto what = [&](PageId page) {
    const auto fetched = on_disk.pool->fetch(page);
    REQUIRE(fetched.has_error());
    CHECK(fetched.error().code() == ErrorCode::kCorrupt);
    return fetched.error().context();
  };
  CHECK(what(PageId{2}) == "db/data: page 2 (byte 8192): the file ends before it");

  on_disk.overwrite(kPageBytes + 100, "x");
  for (int again = 0; again < 3; ++again) {
    CHECK(what(PageId{1}) == "db/data: page 1 (byte 4096): its checksum does not match its bytes");
  }
  CHECK(on_disk.pool->fetch(PageId{0}).value().page().value(0) == "zero");

  // The bytes of page 0 where page 1 should be.
  std::array<char, kPageBytes> bytes{};
  auto file = std::move(on_disk.files.open("db/data", OpenMode::kRead)).value();
  REQUIRE(read_full(*file, 0, std::as_writable_bytes(std::span(bytes))).value() == kPageBytes);
  on_disk.overwrite(kPageBytes, {bytes.data(), bytes.size()});
  CHECK(what(PageId{1}) == "db/data: page 1 (byte 4096): it is page 0, in the wrong place");

  on_disk.overwrite(kPageBytes, std::string(kPageBytes, '\0'));
  CHECK(what(PageId{1}).find("checksum") != std::string::npos);
}

}  // namespace powercut::testing
