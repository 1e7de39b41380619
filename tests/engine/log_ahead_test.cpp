// Segments that are made before they are needed, where I/O lets other fibers run.
#include "engine/ledger/log.h"

#include "faultfs/choices.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/yielding_file_system.h"
#include "tests/support/open_log.h"

#include <algorithm>
#include <functional>
#include <string>

namespace powercut::testing {
namespace {

using namespace ledger;

class InTurn final : public faultfs::Choices {
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& label) override { return label.fair || n == 1 ? 0 : 1; }
};

// A log that fibers write.
struct SlowLog {
  SlowLog() { writer.create(); }

  void run(const std::function<void()>& body) {
    scheduler.spawn("writer", body);
    InTurn in_turn;
    REQUIRE(scheduler.run(in_turn).has_value());
  }

  void fill_half() {
    REQUIRE(writer.append(std::string(kSegment / 2, 'h')).has_value());
    flush();
  }
  void fill_segment() {
    writer.append_leaving(0);
    REQUIRE(writer.append("first of the next").has_value());
    flush();
  }
  void flush() {
    const Lsn last = writer.append("last").value();
    REQUIRE(writer.log->flush_together(last).has_value());
    // Until whatever is done in fibers is.
    for (int turn = 0; turn < 500; ++turn) scheduler.yield("later");
  }

  std::ptrdiff_t segments(std::uint64_t from = 1) {
    const auto entries = files.list("db").value();
    return std::count_if(entries.begin(), entries.end(), [&](const auto& entry) { return segment_of_name(entry.name) >= from; });
  }
  std::ptrdiff_t segments_ahead() { return segments(raw(writer.log->end()) / kSegment + 1); }

  faultfs::SimDisk disk;
  faultfs::SimFileSystem files{disk};
  faultfs::Scheduler scheduler;
  faultfs::YieldingFileSystem slow{files, scheduler};
  OpenLog writer{slow, 1, &scheduler};
};

}  // namespace

TEST_CASE("segments are made ahead when half of the first is full, and whenever one is left") {
  SlowLog log;
  log.run([&] {
    log.flush();
    CHECK(log.segments_ahead() == 0);
    log.fill_half();
    CHECK(log.segments_ahead() == 3);
    for (int segment = 0; segment < 5; ++segment) {
      log.fill_segment();
      CHECK(log.segments_ahead() == 3);
    }
  });
}

TEST_CASE("as many segments are kept as fill from one checkpoint to the next, however far they are apart") {
  SlowLog log;
  constexpr int kApart = 30;
  log.run([&] {
    std::ptrdiff_t kept = 0;
    for (int checkpoint = 0; checkpoint < 6; ++checkpoint) {
      log.writer.log->release_before(log.writer.log->end());
      for (int segment = 0; segment < kApart; ++segment) {
        log.fill_segment();
        if (checkpoint > 3) CHECK(log.segments() == kept);
      }
      kept = log.segments();
    }
    CHECK(kept < 2 * kApart);
  });
}

}  // namespace powercut::testing
