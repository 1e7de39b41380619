// The ledger engine as a contender: it counts what it did, and what is in its database afterwards is what was acknowledged.
#include "tools/measure/ledger_contender.h"

#include "recovery/ledger_engine.h"
#include "tests/support/temporary_directory.h"
#include "tools/measure/run_window.h"

#include <catch2/catch.hpp>

#include <optional>

namespace powercut::testing {
namespace {
using namespace measure;

Load short_load(Workload workload, std::uint32_t clients) {
  Load load;
  load.workload = workload;
  load.clients = clients;
  load.rows = 200;
  load.warm_up_seconds = 0.01;
  load.seconds = 0.05;
  return load;
}

// None, with a message, where io_uring is refused.
std::optional<LedgerSetting> setting_of(Backend backend) {
  LedgerSetting setting;
  setting.backend = backend;
  setting.options = {{"frames", "64"}, {"segment", "65536"}};
  if (backend != Backend::kUring) return setting;
  const auto tried = faultfs::UringFileSystem::open("/");
  if (!tried.has_error()) return setting;
  WARN("not tested: " << tried.error().message());
  return std::nullopt;
}

void must(const Result<void>& done) {
  INFO((done.has_error() ? done.error().message() : ""));
  REQUIRE(done.has_value());
}

}  // namespace

TEST_CASE("every workload runs on every backend, again and again, and its check holds") {
  const auto kind = recovery::make_ledger_kind();
  for (const Backend backend : {Backend::kSim, Backend::kPosix, Backend::kUring}) {
    const auto setting = setting_of(backend);
    if (!setting) continue;
    for (const Workload workload : {Workload::kTransfer, Workload::kA, Workload::kB, Workload::kC, Workload::kD, Workload::kE,
                                    Workload::kF, Workload::kScan}) {
      INFO(to_string(backend) << ", workload " << static_cast<int>(workload));
      const TemporaryDirectory directory;
      const auto ledger = std::move(make_ledger(*kind, *setting)).value();
      Load load = short_load(workload, 1);
      if (backend != Backend::kSim) load.seconds = 0.02;
      must(ledger->prepare(directory.path(), load));
      for (const std::uint32_t clients : {1U, 20U}) {
        // The engine is not made for several fibers over I/O that suspends them.
        if (clients > 1 && backend == Backend::kUring) continue;
        load.clients = clients;
        const auto measured = ledger->run(load);
        INFO((measured.has_error() ? measured.error().message() : ""));
        REQUIRE(measured.has_value());
        CHECK(measured.value().operations == measured.value().latency.count());
        if (backend != Backend::kSim) continue;  // a device may be slow
        CHECK(measured.value().operations > 0);
        CHECK(measured.value().seconds >= 0.05);
        CHECK(measured.value().cpu_seconds > 0);
      }
      must(ledger->check(load));
    }
  }
}

TEST_CASE("a transfer writes and syncs; many clients share syncs") {
  const auto kind = recovery::make_ledger_kind();
  const auto ledger = std::move(make_ledger(*kind, *setting_of(Backend::kSim))).value();
  must(ledger->prepare("", short_load(Workload::kTransfer, 1)));
  const auto alone = std::move(ledger->run(short_load(Workload::kTransfer, 1))).value();
  CHECK(alone.syncs >= alone.operations);
  CHECK(alone.bytes_written > alone.operations * 50);
  const auto many = std::move(ledger->run(short_load(Workload::kTransfer, 50))).value();
  CHECK(many.syncs * 5 < many.operations);
  CHECK(many.syncs > 0);
  must(ledger->check(short_load(Workload::kTransfer, 50)));
}

TEST_CASE("transfers among two accounts wait for one another without deadlocks, and nothing is lost") {
  const auto kind = recovery::make_ledger_kind();
  const auto ledger = std::move(make_ledger(*kind, *setting_of(Backend::kSim))).value();
  Load load = short_load(Workload::kTransfer, 30);
  load.rows = 2;
  must(ledger->prepare("", load));
  const auto measured = std::move(ledger->run(load)).value();
  CHECK(measured.operations > 0);
  CHECK(measured.retries == 0);
  must(ledger->check(load));
}

TEST_CASE("the check sees rows that are not what was acknowledged") {
  const auto kind = recovery::make_ledger_kind();
  const auto ledger = std::move(make_ledger(*kind, *setting_of(Backend::kSim))).value();
  Load load = short_load(Workload::kTransfer, 2);
  must(ledger->prepare("", load));
  load.rows = 199;
  const auto checked = ledger->check(load);
  REQUIRE(checked.has_error());
  CHECK(checked.error().code() == ErrorCode::kCorrupt);
  CHECK(checked.error().context().find("the total of all accounts: expected 199000000, found 200000000") != std::string::npos);
}

TEST_CASE("a run that is interrupted ends at once, with what was counted so far") {
  const auto kind = recovery::make_ledger_kind();
  const auto ledger = std::move(make_ledger(*kind, *setting_of(Backend::kSim))).value();
  std::atomic<bool> interrupted{true};
  Load load = short_load(Workload::kTransfer, 5);
  load.interrupted = &interrupted;
  load.seconds = 1000;
  interrupted = false;
  must(ledger->prepare("", load));
  interrupted = true;
  const auto measured = ledger->run(load);
  REQUIRE(measured.has_value());
  CHECK(measured.value().operations == 0);
}

TEST_CASE("only what ends between the warm-up and the end of a run counts") {
  faultfs::IoCounts counts;
  Load load;
  load.warm_up_seconds = 1e-6;
  load.seconds = 1e-3;
  RunWindow window(load, counts);
  CHECK(window.is_closed());
  window.open();
  CHECK(!window.is_closed());
  const std::uint64_t now = RunWindow::clock();
  window.add(now, now);  // the warm-up, unless this was slow
  window.add(now, now + 2'000);
  counts.bytes_written += 77;
  counts.syncs += 2;
  counts.durable_writes += 3;
  window.add(now, now + 10'000);
  window.add(now + 5'000, now + 12'000);
  window.add(now, now + 3'000'000);
  CHECK(window.is_closed());
  counts.bytes_written += 1000;
  window.add(now, now + 3'000'001);
  const Measured measured = window.measured();
  CHECK(measured.operations >= 2);
  CHECK(measured.operations <= 3);
  CHECK(measured.latency.most() == 10'000);
  CHECK(measured.bytes_written == 77);
  CHECK(measured.syncs == 5);
  CHECK(measured.seconds == Approx(3e-3).epsilon(0.01));
}

TEST_CASE("an option that ledger does not have is refused") {
  const auto kind = recovery::make_ledger_kind();
  const auto made = make_ledger(*kind, {Backend::kSim, {}, {{"frame", "64"}}});
  REQUIRE(made.has_error());
  CHECK(made.error().code() == ErrorCode::kInvalidArgument);
}

}  // namespace powercut::testing
