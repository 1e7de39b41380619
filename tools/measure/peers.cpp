#include "tools/measure/peers.h"

#include "tools/measure/peer_engines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace powercut::measure {
namespace {

struct Peer {
  std::string_view name;
  std::string_view package;
  std::unique_ptr<PeerEngine> (*make)();  // null without it
};

#ifdef POWERCUT_HAS_SQLITE
constexpr auto kMakeSqlite = make_sqlite;
#else
constexpr std::unique_ptr<PeerEngine> (*kMakeSqlite)() = nullptr;
#endif
#ifdef POWERCUT_HAS_LEVELDB
constexpr auto kMakeLevelDb = make_leveldb;
#else
constexpr std::unique_ptr<PeerEngine> (*kMakeLevelDb)() = nullptr;
#endif
#ifdef POWERCUT_HAS_ROCKSDB
constexpr auto kMakeRocksDb = make_rocksdb;
#else
constexpr std::unique_ptr<PeerEngine> (*kMakeRocksDb)() = nullptr;
#endif
#ifdef POWERCUT_HAS_LMDB
constexpr auto kMakeLmdb = make_lmdb;
#else
constexpr std::unique_ptr<PeerEngine> (*kMakeLmdb)() = nullptr;
#endif

constexpr Peer kPeers[] = {{"sqlite", "libsqlite3-dev", kMakeSqlite},
                           {"leveldb", "libleveldb-dev", kMakeLevelDb},
                           {"rocksdb", "librocksdb-dev", kMakeRocksDb},
                           {"lmdb", "liblmdb-dev", kMakeLmdb}};

std::string all_names() {
  std::vector<std::string_view> names;
  for (const Peer& peer : kPeers) names.push_back(peer.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::vector<std::string> peer_names() {
  std::vector<std::string> names;
  for (const Peer& peer : kPeers) {
    if (peer.make != nullptr) names.emplace_back(peer.name);
  }
  return names;
}

Result<std::vector<std::unique_ptr<Contender>>> make_peers(std::span<const std::string> names) {
  std::vector<std::unique_ptr<Contender>> made;
  for (const std::string& name : names) {
    const auto* const peer = std::find_if(std::begin(kPeers), std::end(kPeers), [&](const Peer& one) { return one.name == name; });
    if (peer == std::end(kPeers)) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("no peer is called '{}'; there are {}", name, all_names()));
    }
    if (peer->make == nullptr) {
      return Error(
          ErrorCode::kUnsupported,
          fmt::format("{} was not found when this was built; install the package {} and build again", name, peer->package));
    }
    made.push_back(std::make_unique<PeerContender>(peer->make()));
  }
  return made;
}

}  // namespace powercut::measure
