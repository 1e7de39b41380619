// The other engines of the benchmark: they do what they are measured by, and it shows when they do not.
#include "tools/measure/peers.h"
#include "tests/support/temporary_directory.h"
#include "tools/measure/peer_contender.h"
#include "tools/measure/peer_engines.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace powercut::measure {
namespace {

using testing::TemporaryDirectory;

Load small_load(Workload workload, std::uint32_t clients, double seconds = 0.1) {
  Load load;
  load.workload = workload;
  load.rows = 100;
  load.clients = clients;
  load.warm_up_seconds = 0.01;
  load.seconds = seconds;
  return load;
}

std::unique_ptr<Contender> make_peer(const std::string& name) {
  auto made = make_peers(std::vector{name});
  REQUIRE(made.has_value());
  return std::move(made.value().front());
}

// A disk may stall for longer than a short run: then the run is made longer.
Result<Measured> run_until_acknowledged(Contender& contender, Load& load) {
  constexpr double kLongestSeconds = 5;
  for (;;) {
    auto measured = contender.run(load);
    if (measured.has_error() || measured.value().operations > 0 || load.seconds >= kLongestSeconds) return measured;
    load.seconds = std::min(4 * load.seconds, kLongestSeconds);
  }
}

TEST_CASE("each peer transfers with one client and with several, and loses nothing") {
  for (const std::string& name : peer_names()) {
    INFO(name);
    const TemporaryDirectory directory;
    const auto peer = make_peer(name);
    CHECK(peer->name() == name);
    CHECK(peer->most_clients() >= 64);
    REQUIRE(peer->prepare(directory.path(), small_load(Workload::kTransfer, 1)).has_value());
    for (const std::uint32_t clients : {1U, 4U}) {
      Load load = small_load(Workload::kTransfer, clients);
      const auto measured = run_until_acknowledged(*peer, load);
      REQUIRE(measured.has_value());
      CHECK(measured.value().operations > 0);
      CHECK(measured.value().operations == measured.value().latency.count());
      CHECK(measured.value().seconds >= load.seconds);
      CHECK(measured.value().cpu_seconds > 0);
      const auto checked = peer->check(load);
      INFO((checked.has_error() ? checked.error().message() : ""));
      CHECK(checked.has_value());
    }
  }
}

TEST_CASE("each peer runs the workloads of YCSB and scans, and keeps every row") {
  for (const std::string& name : peer_names()) {
    for (const Workload workload :
         {Workload::kA, Workload::kB, Workload::kC, Workload::kD, Workload::kE, Workload::kF, Workload::kScan}) {
      INFO(name << ", workload " << static_cast<int>(workload));
      const TemporaryDirectory directory;
      const auto peer = make_peer(name);
      Load load = small_load(workload, 2, 0.02);
      REQUIRE(peer->prepare(directory.path(), load).has_value());
      const auto measured = run_until_acknowledged(*peer, load);
      INFO((measured.has_error() ? measured.error().message() : ""));
      REQUIRE(measured.has_value());
      CHECK(measured.value().operations > 0);
      CHECK(peer->check(load).has_value());
    }
  }
}

// Of an engine that forgets or invents: what is put on it besides the contender's work.
template <class Besides>
Result<void> check_after(std::unique_ptr<PeerEngine> engine, const Besides& besides) {
  const TemporaryDirectory directory;
  PeerEngine& raw = *engine;
  PeerContender contender(std::move(engine));
  const Load load = small_load(Workload::kTransfer, 1, 0.02);
  REQUIRE(contender.prepare(directory.path(), load).has_value());
  REQUIRE(contender.run(load).has_value());
  REQUIRE(contender.check(load).has_value());
  {
    const auto client = raw.make_client();
    REQUIRE(client.has_value());
    besides(*client.value());
  }
  return contender.check(load);
}

TEST_CASE("a total that changed, a row too many and a marker too many are found in each peer") {
  const std::vector<std::unique_ptr<PeerEngine> (*)()> makers = {
#ifdef POWERCUT_HAS_SQLITE
      make_sqlite,
#endif
#ifdef POWERCUT_HAS_LEVELDB
      make_leveldb,
#endif
#ifdef POWERCUT_HAS_ROCKSDB
      make_rocksdb,
#endif
#ifdef POWERCUT_HAS_LMDB
      make_lmdb,
#endif
  };
  CHECK(makers.size() == peer_names().size());
  for (const auto make : makers) {
    const auto expect_found = [&](std::string_view what, const Result<void>& checked) {
      INFO(make()->name());
      REQUIRE(checked.has_error());
      CHECK(checked.error().code() == ErrorCode::kCorrupt);
      INFO(checked.error().message());
      CHECK(checked.error().context().find(what) != std::string::npos);
    };
    const auto put = [](std::uint64_t row, std::string_view value) {
      return [row, value = std::string(value)](PeerClient& client) { REQUIRE(client.put(row, value).has_value()); };
    };
    expect_found("in total", check_after(make(), put(7, view(to_bytes(1)))));
    expect_found("rows", check_after(make(), put(100, view(to_bytes(0)))));
    expect_found("wrong number or length", check_after(make(), put(7, "short")));
    expect_found("markers", check_after(make(), [](PeerClient& client) {
                   REQUIRE(client.transfer({1, 2, 5, 1000000}).has_value());
                 }));
  }
}

TEST_CASE("a run that is interrupted ends within a tenth of a second, with what was counted") {
  for (const std::string& name : peer_names()) {
    INFO(name);
    const TemporaryDirectory directory;
    const auto peer = make_peer(name);
    Load load = small_load(Workload::kTransfer, 8, 1000);
    REQUIRE(peer->prepare(directory.path(), load).has_value());
    std::atomic<bool> interrupted = false;
    load.interrupted = &interrupted;
    std::chrono::steady_clock::time_point stopped;
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      stopped = std::chrono::steady_clock::now();
      interrupted = true;
    });
    const auto measured = peer->run(load);
    const auto ended = std::chrono::steady_clock::now();
    stopper.join();
    REQUIRE(measured.has_value());
    CHECK(measured.value().operations > 0);
    // 100 ms, and what a busy machine adds.
    CHECK(ended - stopped < std::chrono::milliseconds(400));
    CHECK(peer->check(load).has_value());
  }
}

TEST_CASE("a name that no peer has is answered with those there are") {
  const auto made = make_peers(std::vector<std::string>{"oracle"});
  REQUIRE(made.has_error());
  CHECK(made.error().code() == ErrorCode::kInvalidArgument);
  CHECK(made.error().context().find("sqlite, leveldb, rocksdb, lmdb") != std::string::npos);
}

TEST_CASE("a peer that this was built without is answered with the package that has it") {
  const std::vector<std::string> there = peer_names();
  for (const std::string name : {"sqlite", "leveldb", "rocksdb", "lmdb"}) {
    const auto made = make_peers(std::vector{name});
    const bool is_there = std::find(there.begin(), there.end(), name) != there.end();
    REQUIRE(made.has_value() == is_there);
    if (is_there) continue;
    CHECK(made.error().code() == ErrorCode::kUnsupported);
    CHECK(made.error().context().find("lib" + name) != std::string::npos);
  }
}

TEST_CASE("a load of one row has nothing to transfer") {
  for (const std::string& name : peer_names()) {
    const TemporaryDirectory directory;
    Load load;
    load.rows = 1;
    CHECK(make_peer(name)->prepare(directory.path(), load).error().code() == ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace powercut::measure
