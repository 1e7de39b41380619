// The way down a B+tree over pages that were made by hand: what it pins, and what it checks.
#include "engine/ledger/btree.h"
#include "faultfs/sim_file_system.h"
#include "tests/support/faulty_files.h"
#include "tests/support/open_log.h"
#include "tests/support/property.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace powercut::testing {
namespace {

using namespace ledger;

constexpr PageId kRoot{2};

std::string child(PageId page) { return {reinterpret_cast<const char*>(&page), sizeof(page)}; }

// A pool of the fewest frames over a data file, with a log beside it.
struct PagesOnDisk {
  PagesOnDisk() {
    log.options.frames = kLeastFrames;
    log.create();
    auto data = files.open("db/data", faultfs::OpenMode::kCreate);
    pool.emplace(std::move(data).value(), "db/data", *log.log, log.options, memory);
    store.emplace(*pool, *log.log, log.options, Lsn::kNone);
  }

  void make(PageId id, PageType type, PageId link, const std::vector<std::pair<std::string, std::string>>& cells) {
    const auto ref = pool->fetch_blank(id);
    const Lsn lsn = log.append("").value();
    Page page = ref.value().page();
    page.format(id, type);
    page.set_link(link);
    for (const auto& [key, value] : cells) page.insert(page.count(), key, value);
    page.set_lsn(lsn);
    pool->mark_dirty(ref.value(), lsn);
  }
  void make_leaf(PageId id, const std::string& key) { make(id, PageType::kLeaf, PageId{}, {{key, "row"}}); }

  std::uint32_t pins() const {
    std::uint32_t all = 0;
    for (const BufferPool::Frame& frame : memory.frames) all += frame.pins;
    return all;
  }

  faultfs::SimDisk disk;
  faultfs::SimFileSystem simulated{disk};
  FaultyFiles files{simulated};
  OpenLog log{files};
  BufferPool::Memory memory;
  std::optional<BufferPool> pool;
  std::optional<PageStore> store;
};

}  // namespace

TEST_CASE("who misses its finger pins nothing but the page above while the leaf is read") {
  PagesOnDisk on_disk;
  constexpr PageId kNear{3};
  constexpr PageId kFar{4};
  on_disk.make(kRoot, PageType::kInner, kNear, {{"m", child(kFar)}});
  on_disk.make_leaf(kNear, "a");
  on_disk.make_leaf(kFar, "m");
  REQUIRE(on_disk.pool->write_back_before(Lsn{~std::uint64_t{0}}).has_value());
  on_disk.pool->forget(std::move(on_disk.pool->fetch(kFar)).value());
  BTree tree(*on_disk.store, kRoot);
  // As if the far leaf had been where the near one is.
  const std::uint32_t frame = tree.find("a").value().page.frame();
  on_disk.store->fingers().note(Fingers::hash(kRoot, "m"), frame, 0);

  std::vector<std::uint32_t> pins_at_reads;
  on_disk.files.faults.error = [&](FaultyCall call, std::string_view name) -> std::optional<ErrorCode> {
    if (call == FaultyCall::kRead && name == "data") pins_at_reads.push_back(on_disk.pins());
    return std::nullopt;
  };
  const auto found = tree.find("m");
  REQUIRE(found.has_value());
  CHECK(found.value().found);
  CHECK(pins_at_reads == std::vector<std::uint32_t>{2});  // with the frame of the leaf
  CHECK(on_disk.pins() == 1);
}

TEST_CASE("a leaf that was found under one page is checked again when another page names it too") {
  PagesOnDisk on_disk;
  constexpr PageId kLeft{3};
  constexpr PageId kRight{4};
  constexpr PageId kShared{6};
  on_disk.make(kRoot, PageType::kInner, kLeft, {{"m", child(kRight)}});
  on_disk.make(kLeft, PageType::kInner, PageId{5}, {{"g", child(kShared)}});
  on_disk.make(kRight, PageType::kInner, PageId{7}, {{"s", child(kShared)}});
  on_disk.make_leaf(PageId{5}, "a");
  on_disk.make_leaf(kShared, "g");
  on_disk.make_leaf(PageId{7}, "m");
  BTree tree(*on_disk.store, kRoot);
  for (const char* const key : {"a", "g", "m", "g"}) CHECK(tree.find(key).value().found);
  const auto found = tree.find("s");
  REQUIRE(found.has_error());
  CHECK(found.error().code() == ErrorCode::kCorrupt);
  CHECK(found.error().context() == "tree 2: data page 6 holds keys that belong to another");
}

}  // namespace powercut::testing
