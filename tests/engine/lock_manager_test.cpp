// The lock manager: what may be held side by side, who comes first, who gives way, and random schedules against a list of
// all locks held.
#include "engine/ledger/lock_manager.h"

#include "faultfs/choices.h"
#include "faultfs/random.h"
#include "tests/support/property.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {
namespace {

using namespace ledger;
using faultfs::Scheduler;

constexpr PageId kTree{5};
constexpr RowMode kRowModes[] = {RowMode::kShared, RowMode::kUpdate, RowMode::kExclusive};
constexpr TableLock kTableLocks[] = {TableLock::kIntentShared, TableLock::kIntentExclusive, TableLock::kShared,
                                     TableLock::kExclusive};

struct Accounts final : LockNames {
  std::string tree(PageId root) const override { return root == kTree ? "accounts" : "others"; }
};

// A fiber goes on until it waits, or until turn(): then all who can go on do so first.
class InTurn final : public faultfs::Choices {
  std::uint32_t choose(std::uint32_t /*n*/, const faultfs::ChoiceLabel& label) override { return label.name == "a turn" ? 1 : 0; }
};

class World {
 public:
  World() {
    for (std::uint64_t id = 1; id <= 5; ++id) owners_.emplace_back(locks, TxnId{id});
  }
  LockOwner& owner(std::size_t id) { return owners_[id - 1]; }
  void spawn(std::function<void()> body) { scheduler.spawn("fiber", std::move(body)); }
  void turn() { scheduler.yield("a turn"); }
  void run() {
    InTurn choices;
    const auto ran = scheduler.run(choices);
    INFO((ran.has_value() ? "" : ran.error().message()));
    REQUIRE(ran.has_value());
  }
  ErrorCode row_error(std::size_t id, std::string_view key, RowMode mode) {
    const auto locked = locks.lock_row(owner(id), kTree, key, mode);
    REQUIRE(locked.has_error());
    said += locked.error().context() + "\n";
    return locked.error().code();
  }
  bool row(std::size_t id, std::string_view key, RowMode mode) { return locks.lock_row(owner(id), kTree, key, mode).has_value(); }
  bool range(std::size_t id, std::string_view from, std::string_view to) {
    return locks.lock_range(owner(id), kTree, from, to).has_value();
  }
  bool table(std::size_t id, TableLock mode) { return locks.lock_table(owner(id), 77, "accounts", mode).has_value(); }
  // Waits for the row, says its number, and gives everything back.
  void spawn_and_say(std::size_t id, std::string_view key, RowMode mode) {
    spawn([=, this] {
      CHECK(row(id, key, mode));
      said += std::to_string(id);
      locks.release_all(owner(id));
    });
  }

  Scheduler scheduler;
  Accounts names;
  LockManager locks{&scheduler, &names};
  std::string said;

 private:
  std::deque<LockOwner> owners_;
};

TEST_CASE("locks of a table are held side by side exactly where their modes allow it") {
  // By what is held: IS, IX, S, X.
  constexpr bool kAllowed[4][4] = {{true, true, true, false}, {true, true, false, false}, {true, false, true, false}, {}};
  for (std::size_t held = 0; held < 4; ++held) {
    for (std::size_t asked = 0; asked < 4; ++asked) {
      World world;
      REQUIRE(world.table(1, kTableLocks[held]));
      CHECK(world.table(2, kTableLocks[asked]) == kAllowed[held][asked]);
    }
  }
}

TEST_CASE("a table that is held shared and then with intent to write bears readers of rows and nobody else") {
  for (std::size_t asked = 0; asked < 4; ++asked) {
    World world;
    REQUIRE(world.table(1, TableLock::kShared));
    REQUIRE(world.table(1, TableLock::kIntentExclusive));
    CHECK(world.table(2, kTableLocks[asked]) == (asked == 0));
  }
}

TEST_CASE("locks of a row are held side by side exactly where their modes allow it") {
  constexpr bool kAllowed[3][3] = {{true, true, false}, {true, false, false}, {false, false, false}};
  for (std::size_t held = 0; held < 3; ++held) {
    for (std::size_t asked = 0; asked < 3; ++asked) {
      World world;
      REQUIRE(world.row(1, "k", kRowModes[held]));
      CHECK(world.locks.try_lock_row(world.owner(2), kTree, "k", kRowModes[asked]).has_value() == kAllowed[held][asked]);
      CHECK(world.row(2, "k", kRowModes[asked]) == kAllowed[held][asked]);
      CHECK(world.row(2, "other", RowMode::kExclusive));
      CHECK(world.locks.lock_row(world.owner(2), PageId{6}, "k", RowMode::kExclusive).has_value());
    }
  }
}

TEST_CASE("rows are told apart by each byte of their keys, however long these are") {
  for (std::size_t bytes = 0; bytes <= 40; ++bytes) {
    World world;
    const std::string key(bytes, 'k');
    REQUIRE(world.row(1, key, RowMode::kExclusive));
    CHECK_FALSE(world.row(2, key, RowMode::kShared));
    CHECK(world.row(2, key + 'k', RowMode::kExclusive));
    CHECK(same_bytes(key, std::string(key)));
    CHECK_FALSE(same_bytes(key, key + 'k'));
    LockKey copied;
    copied.assign(key);
    CHECK(std::string_view(copied) == key);
    for (std::size_t at = 0; at < bytes; ++at) {
      std::string other = key;
      other[at] = 'o';
      CHECK(world.row(2, other, RowMode::kExclusive));
      CHECK_FALSE(same_bytes(key, other));
      copied.assign(other);
      CHECK(std::string_view(copied) == other);
    }
  }
}

TEST_CASE("what is held of one table says nothing of another, and nothing once it was given back") {
  World world;
  LockOwner& owner = world.owner(1);
  const auto lock = [&](std::uint64_t table, TableLock mode) {
    return world.locks.lock_table(owner, table, "t", mode).has_value() && LockManager::holds_table(owner, table, mode);
  };
  CHECK_FALSE(LockManager::holds_table(owner, 1, TableLock::kIntentShared));
  CHECK(lock(1, TableLock::kIntentShared));
  CHECK(lock(2, TableLock::kExclusive));
  CHECK(lock(3, TableLock::kShared));
  CHECK_FALSE(LockManager::holds_table(owner, 1, TableLock::kIntentExclusive));
  CHECK(lock(1, TableLock::kIntentExclusive));
  CHECK(LockManager::holds_table(owner, 1, TableLock::kIntentShared));
  CHECK(LockManager::holds_table(owner, 2, TableLock::kShared));
  CHECK_FALSE(LockManager::holds_table(owner, 3, TableLock::kIntentExclusive));
  CHECK_FALSE(LockManager::holds_table(world.owner(2), 1, TableLock::kIntentShared));
  CHECK(world.locks.held() == 3);
  world.locks.release_all(owner);
  CHECK_FALSE(LockManager::holds_table(owner, 1, TableLock::kIntentShared));
  CHECK(world.locks.held() == 0);
}

TEST_CASE("a range keeps others from writing the keys in it, from its first to before its last, there or not") {
  struct Ranges {
    std::string_view from, to, free, locked;
  };
  for (const auto& [from, to, free, locked] :
       {Ranges{"b", "d", "ad", "bc"}, Ranges{"b", "", "a", "bcdz"}, Ranges{"", "c", "cd", "ab"}, Ranges{"", "", "", "az"}}) {
    for (const char key : std::string(free) + std::string(locked)) {
      const bool is_free = free.find(key) != std::string_view::npos;
      const std::string_view row(&key, 1);
      for (const RowMode mode : kRowModes) {
        World scan_first;
        REQUIRE(scan_first.range(1, from, to));
        CHECK(scan_first.row(2, row, mode) == (is_free || mode != RowMode::kExclusive));
        World write_first;
        REQUIRE(write_first.row(2, row, mode));
        CHECK(write_first.range(1, from, to) == (is_free || mode != RowMode::kExclusive));
        CHECK(write_first.range(2, from, to));
      }
    }
  }
}

TEST_CASE("what an owner holds itself is never in its way, and is not weakened by asking for less") {
  World world;
  REQUIRE(world.range(1, "", ""));
  for (const RowMode mode : {RowMode::kShared, RowMode::kUpdate, RowMode::kExclusive, RowMode::kShared})
    REQUIRE(world.row(1, "k", mode));
  for (const TableLock mode : kTableLocks) REQUIRE(world.table(1, mode));
  REQUIRE(world.range(1, "a", "z"));
  CHECK(world.locks.held() == 3);
  CHECK_FALSE(world.row(2, "k", RowMode::kShared));
  CHECK_FALSE(world.table(2, TableLock::kIntentShared));
  world.locks.release_all(world.owner(1));
  CHECK(world.locks.held() == 0);
  CHECK(world.row(2, "k", RowMode::kExclusive));
}

TEST_CASE("where there are no other fibers a conflict is an error at once, which says with whom") {
  World world;
  REQUIRE(world.row(1, "00001", RowMode::kShared));
  REQUIRE(world.range(2, "00001", ""));
  CHECK(world.row_error(3, "00001", RowMode::kExclusive) == ErrorCode::kDeadlock);
  CHECK(world.said ==
        "txn 3 needs an exclusive lock of accounts[00001], held by txn 1 (shared), txn 2 (shared [00001..)), and nobody can "
        "release it\n");
  REQUIRE(world.row(3, "00009", RowMode::kShared));
  REQUIRE(world.row(4, "1", RowMode::kShared));
  World other;
  REQUIRE(other.row(1, "b", RowMode::kExclusive));
  CHECK(other.locks.lock_range(other.owner(2), kTree, "a", "c").error().context() ==
        "txn 2 needs a shared lock of accounts[a..c), held by txn 1 (exclusive [b]), and nobody can release it");
  LockManager bare(nullptr);
  LockOwner first(bare, TxnId{1});
  LockOwner second(bare, TxnId{2});
  REQUIRE(bare.lock_table(first, 1, "t", TableLock::kIntentExclusive).has_value());
  CHECK(bare.lock_table(second, 1, "t", TableLock::kShared).error().context() ==
        "txn 2 needs a shared lock of table t, held by txn 1 (intent exclusive), and nobody can release it");
  REQUIRE(bare.lock_row(first, kTree, "k", RowMode::kUpdate).has_value());
  CHECK(bare.lock_row(second, kTree, "k", RowMode::kUpdate).error().context() ==
        "txn 2 needs an update lock of tree 5[k], held by txn 1 (update), and nobody can release it");
}

TEST_CASE("who waits gets the lock in the order of asking, and readers do not pass a writer") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kShared));
    world.turn();
    CHECK(world.scheduler.waits_for(1) == "an exclusive lock of accounts[k], held by txn 1 (shared)");
    CHECK(world.scheduler.waits_for(2) == "a shared lock of accounts[k], asked for before by txn 2 (exclusive)");
    world.locks.release_all(world.owner(1));
  });
  world.spawn_and_say(2, "k", RowMode::kExclusive);
  world.spawn_and_say(3, "k", RowMode::kShared);
  world.spawn_and_say(4, "k", RowMode::kExclusive);
  world.spawn_and_say(5, "k", RowMode::kShared);
  world.run();
  CHECK(world.said == "2345");
  CHECK(world.locks.counters().waits == 4);
}

TEST_CASE("readers behind a writer are let in together") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kExclusive));
    world.turn();
    world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kNone);
    for (const faultfs::FiberId reader : {1U, 2U, 3U}) CHECK(world.scheduler.is_parked(reader) == (reader == 3));
  });
  world.spawn_and_say(2, "k", RowMode::kShared);
  world.spawn_and_say(3, "k", RowMode::kUpdate);
  world.spawn_and_say(4, "k", RowMode::kUpdate);
  world.run();
  CHECK(world.said == "234");
}

TEST_CASE("a range waits behind a writer in it, and a writer behind a range that waits") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "c", RowMode::kExclusive));
    world.turn();
    CHECK(world.said.empty());
    world.locks.release_all(world.owner(1));
  });
  world.spawn([&] {
    REQUIRE(world.range(2, "b", "e"));
    world.said += "2";
    world.locks.release_all(world.owner(2));
  });
  world.spawn_and_say(3, "d", RowMode::kExclusive);
  world.spawn([&] {
    REQUIRE(world.range(4, "d", ""));
    world.said += "4";
  });
  world.run();
  CHECK(world.said == "234");
}

TEST_CASE("a conversion comes before those who hold nothing") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kShared));
    REQUIRE(world.row(2, "k", RowMode::kShared));
    world.turn();
    world.locks.release_all(world.owner(1));
  });
  world.spawn_and_say(3, "k", RowMode::kExclusive);
  world.spawn_and_say(2, "k", RowMode::kExclusive);
  world.run();
  CHECK(world.said == "23");
  CHECK(world.locks.counters().deadlocks == 0);
}

TEST_CASE("a conversion comes first also where those before it in line do not wait for it") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kUpdate));
    REQUIRE(world.row(2, "k", RowMode::kShared));
    world.turn();
    world.locks.release_all(world.owner(1));
  });
  world.spawn_and_say(3, "k", RowMode::kUpdate);
  world.spawn_and_say(2, "k", RowMode::kUpdate);
  world.run();
  CHECK(world.said == "23");
}

TEST_CASE("of two who convert the same lock the one who has changed less gives way, and of equals the younger") {
  struct Costs {
    std::uint64_t first, second;
    std::size_t victim;
  };
  for (const auto& [first, second, victim] : {Costs{1, 2, 1}, Costs{2, 1, 2}, Costs{3, 3, 2}}) {
    World world;
    world.owner(1).cost = first;
    world.owner(2).cost = second;
    for (const std::size_t id : {std::size_t{1}, std::size_t{2}}) {
      world.spawn([&, id] {
        REQUIRE(world.row(id, "k", RowMode::kShared));
        world.turn();
        const auto locked = world.locks.lock_row(world.owner(id), kTree, "k", RowMode::kExclusive);
        CHECK(locked.has_value() == (id != victim));
        if (locked.has_error()) {
          CHECK(locked.error().code() == ErrorCode::kDeadlock);
          CHECK(
              locked.error().context() ==
              "txn 2 waits for txn 1 (exclusive lock of accounts[k]), txn 1 waits for txn 2 (exclusive lock of accounts[k]); txn " +
                  std::to_string(victim) + " was chosen as it " +
                  (first == second ? "is the youngest of those that have changed least" : "has changed least"));
          CHECK(world.row_error(id, "k", RowMode::kExclusive) == ErrorCode::kDeadlock);
        }
        world.said += std::to_string(id);
        world.locks.release_all(world.owner(id));
      });
    }
    world.run();
    CHECK(world.said.substr(world.said.size() - 2) == std::to_string(victim) + std::to_string(3 - victim));
    CHECK(world.locks.counters().deadlocks == 1);
    CHECK(world.locks.held() == 0);
  }
}

TEST_CASE("a cycle of three is found by the last wait, through a table, a range and a row") {
  World world;
  const auto finish = [&](std::size_t id, const Result<void>& locked) {
    world.said += std::to_string(id) + (locked.has_value() ? " " : ": " + locked.error().context() + "\n");
    world.locks.release_all(world.owner(id));
  };
  for (std::size_t id = 1; id <= 3; ++id) world.owner(id).cost = id == 2 ? 1 : 9;
  world.spawn([&] {
    REQUIRE(world.table(1, TableLock::kIntentExclusive));
    world.turn();
    const auto locked = world.locks.lock_range(world.owner(1), kTree, "a", "c");
    finish(1, locked.has_value() ? Result<void>(success()) : Result<void>(locked.error()));
  });
  world.spawn([&] {
    REQUIRE(world.row(2, "b", RowMode::kExclusive));
    world.turn();
    const auto locked = world.locks.lock_row(world.owner(2), PageId{6}, "u", RowMode::kShared);
    finish(2, locked.has_value() ? Result<void>(success()) : Result<void>(locked.error()));
  });
  world.spawn([&] {
    REQUIRE(world.locks.lock_row(world.owner(3), PageId{6}, "u", RowMode::kExclusive).has_value());
    world.turn();
    finish(3, world.locks.lock_table(world.owner(3), 77, "accounts", TableLock::kShared));
  });
  world.run();
  CHECK(world.said ==
        "2: txn 3 waits for txn 1 (shared lock of table accounts), txn 1 waits for txn 2 (shared lock of accounts[a..c)), txn 2 "
        "waits "
        "for txn 3 (shared lock of others[u]); txn 2 was chosen as it has changed least\n1 3 ");
}

TEST_CASE("two who scanned the same range and then write in it deadlock") {
  World world;
  for (const std::size_t id : {std::size_t{1}, std::size_t{2}}) {
    world.spawn([&, id] {
      REQUIRE(world.range(id, "a", "m"));
      world.turn();
      if (world.row(id, id == 1 ? "b" : "c", RowMode::kExclusive)) world.said += std::to_string(id);
      world.locks.release_all(world.owner(id));
    });
  }
  world.run();
  CHECK(world.said == "1");
  CHECK(world.locks.counters().deadlocks == 1);
}

TEST_CASE("one wait that closes two cycles costs one of each its transaction") {
  World world;
  world.owner(3).cost = 9;
  for (const std::size_t id : {std::size_t{1}, std::size_t{2}}) {
    world.spawn([&, id] {
      REQUIRE(world.row(id, "k", RowMode::kShared));
      world.turn();
      CHECK_FALSE(world.row(id, "m", RowMode::kShared));
      world.locks.release_all(world.owner(id));
    });
  }
  world.spawn([&] {
    REQUIRE(world.row(3, "m", RowMode::kExclusive));
    world.turn();
    CHECK(world.row(3, "k", RowMode::kExclusive));
  });
  world.run();
  CHECK(world.locks.counters().deadlocks == 2);
}

TEST_CASE("a place in line that would close a cycle is given up, and nobody gives way") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "c", RowMode::kExclusive));
    world.turn();
    // txn 2 waits for txn 1, and its range is before this in line.
    CHECK(world.row(1, "d", RowMode::kExclusive));
    world.said += "1";
    world.turn();
    world.locks.release_all(world.owner(1));
  });
  world.spawn([&] {
    CHECK(world.range(2, "a", "z"));
    world.said += "2";
  });
  world.run();
  CHECK(world.said == "12");
  CHECK(world.locks.counters().deadlocks == 0);
}

TEST_CASE("another who keeps its place in a cycle is let out of the line") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "c", RowMode::kExclusive));
    world.turn();
    // Waits for txn 3, which waits in line behind txn 2, which waits for this.
    CHECK(world.row(1, "x", RowMode::kExclusive));
    world.said += "1";
    world.locks.release_all(world.owner(1));
  });
  world.spawn([&] {
    CHECK(world.range(2, "a", "m"));
    world.said += "2";
  });
  world.spawn([&] {
    REQUIRE(world.row(3, "x", RowMode::kExclusive));
    CHECK(world.row(3, "d", RowMode::kExclusive));
    world.said += "3";
    world.locks.release_all(world.owner(3));
  });
  world.run();
  CHECK(world.said == "312");
  CHECK(world.locks.counters().deadlocks == 0);
}

TEST_CASE("a cycle through the line behind one who was let out of it is found too") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kShared));
    REQUIRE(world.range(3, "k", "l"));
    REQUIRE(world.row(4, "m", RowMode::kExclusive));
    world.turn();
    world.locks.release_all(world.owner(1));
  });
  world.spawn([&] {
    CHECK(world.range(5, "a", "z"));
    world.said += "5";
    world.locks.release_all(world.owner(5));
  });
  world.spawn_and_say(2, "k", RowMode::kExclusive);
  world.spawn_and_say(3, "k", RowMode::kExclusive);  // waits for txn 1 alone: txn 2 waits for its range
  world.spawn_and_say(4, "k", RowMode::kShared);     // behind txn 2, which is behind txn 5, which waits for this
  world.run();
  CHECK(world.said.size() == 4);
  CHECK(world.said.starts_with("45"));
  CHECK(world.locks.counters().deadlocks == 0);
}

TEST_CASE("a wait ends at its limit, and those behind it go on") {
  World world;
  world.owner(2).lock_limit = 500;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kShared));
    world.turn();
    struct Nothing final : Scheduler::Wait {
      std::string text() const override { return "nothing"; }
    } nothing;
    CHECK(world.scheduler.park(nothing, 1000) == Scheduler::Woken::kTimedOut);
    world.said += "1";
  });
  world.spawn([&] { CHECK(world.row_error(2, "k", RowMode::kExclusive) == ErrorCode::kTimeout); });
  world.spawn_and_say(3, "k", RowMode::kShared);
  world.spawn([&] {
    REQUIRE(world.range(4, "a", "z"));
    world.said += "4";
  });
  world.run();
  CHECK(world.said == "txn 2 waited too long for an exclusive lock of accounts[k], held by txn 1 (shared)\n341");
  CHECK(world.locks.counters().timeouts == 1);
}

TEST_CASE("a range that waits in vain leaves the writers behind it free") {
  World world;
  world.owner(2).lock_limit = 500;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kExclusive));
    world.turn();
    struct Nothing final : Scheduler::Wait {
      std::string text() const override { return "nothing"; }
    } nothing;
    CHECK(world.scheduler.park(nothing, 1000) == Scheduler::Woken::kTimedOut);
    world.said += "1";
  });
  world.spawn([&] { CHECK_FALSE(world.range(2, "a", "z")); });
  world.spawn_and_say(3, "m", RowMode::kExclusive);
  world.run();
  CHECK(world.said == "31");
}

TEST_CASE("when everything ends, so do waits") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kShared));
    world.turn();
    world.scheduler.stop();
  });
  world.spawn([&] {
    CHECK(world.row_error(2, "k", RowMode::kExclusive) == ErrorCode::kStopped);
    CHECK(world.row_error(2, "k", RowMode::kExclusive) == ErrorCode::kStopped);
  });
  world.run();
  CHECK(world.said.starts_with("everything ends while txn 2 waits for an exclusive lock of accounts[k], held by txn 1 (shared)\n"));
}

TEST_CASE("a short lock that is given back leaves what was held before it") {
  World world;
  const auto lock = [&](RowMode mode) { return world.locks.lock_row(world.owner(1), kTree, "k", mode).value(); };
  const auto others_may = [&](RowMode mode) {
    const auto locked = world.locks.try_lock_row(world.owner(2), kTree, "k", mode);
    if (locked.has_value()) world.locks.unlock_row(world.owner(2), kTree, "k", *locked);
    return locked.has_value();
  };
  CHECK(lock(RowMode::kShared) == RowMode::kNone);
  CHECK(lock(RowMode::kShared) == RowMode::kShared);
  world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kShared);
  CHECK_FALSE(others_may(RowMode::kExclusive));
  CHECK(lock(RowMode::kUpdate) == RowMode::kShared);
  CHECK_FALSE(others_may(RowMode::kUpdate));
  world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kShared);
  CHECK(others_may(RowMode::kUpdate));
  CHECK(lock(RowMode::kExclusive) == RowMode::kShared);
  world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kExclusive);
  CHECK_FALSE(others_may(RowMode::kShared));
  world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kShared);
  REQUIRE(world.range(2, "", ""));
  CHECK_FALSE(world.locks.try_lock_row(world.owner(1), kTree, "k", RowMode::kExclusive).has_value());
  world.locks.release_all(world.owner(2));
  world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kNone);
  CHECK(world.locks.held() == 0);
  world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kNone);
  CHECK(others_may(RowMode::kExclusive));
}

TEST_CASE("giving a short lock back lets those go on who waited for it") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kShared));
    REQUIRE(world.row(1, "k", RowMode::kUpdate));
    world.turn();
    world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kShared);
    world.turn();
    CHECK(world.said == "2");
    world.locks.unlock_row(world.owner(1), kTree, "k", RowMode::kNone);
  });
  world.spawn_and_say(2, "k", RowMode::kUpdate);
  world.spawn_and_say(3, "k", RowMode::kExclusive);
  world.run();
  CHECK(world.said == "23");
}

TEST_CASE("a lock that is tried is not had by passing others, and leaves nothing behind in vain") {
  World world;
  world.spawn([&] {
    REQUIRE(world.row(1, "k", RowMode::kShared));
    world.turn();
    CHECK_FALSE(world.locks.try_lock_row(world.owner(3), kTree, "k", RowMode::kShared).has_value());
    CHECK(world.locks.try_lock_row(world.owner(3), kTree, "m", RowMode::kShared).value() == RowMode::kNone);
    REQUIRE(world.range(3, "x", ""));
    CHECK_FALSE(world.locks.try_lock_row(world.owner(1), kTree, "y", RowMode::kExclusive).has_value());
    world.locks.release_all(world.owner(1));
  });
  world.spawn_and_say(2, "k", RowMode::kExclusive);
  world.run();
  CHECK(world.said == "2");
}

TEST_CASE("a range that was locked for a while is free again, and one that is held for longer stays") {
  World world;
  LockOwner& reader = world.owner(1);
  CHECK(world.locks.lock_range(reader, kTree, "a", "m").value());
  CHECK_FALSE(world.locks.lock_range(reader, kTree, "b", "c").value());
  CHECK(world.locks.lock_range(reader, kTree, "k", "z").value());
  world.locks.unlock_range(reader, kTree, "k", "z");
  CHECK(world.locks.try_lock_row(world.owner(2), kTree, "n", RowMode::kExclusive).has_value());
  CHECK_FALSE(world.locks.try_lock_row(world.owner(2), kTree, "k", RowMode::kExclusive).has_value());
  world.spawn([&] { CHECK(world.row(3, "k", RowMode::kExclusive)); });
  world.spawn([&] {
    world.turn();
    world.locks.unlock_range(reader, kTree, "a", "m");
  });
  world.run();
}

TEST_CASE("the planted bug leaves cycles alone") {
  World world;
  world.locks.ignore_deadlocks(true);
  for (const std::size_t id : {std::size_t{1}, std::size_t{2}}) {
    world.spawn([&, id] {
      REQUIRE(world.row(id, "k", RowMode::kShared));
      world.turn();
      CHECK(world.row_error(id, "k", RowMode::kExclusive) == ErrorCode::kStopped);
    });
  }
  InTurn choices;
  CHECK(world.scheduler.run(choices).error().code() == ErrorCode::kDeadlock);
}

// A list of all that is held, compared in pairs.
class NaiveLocks {
 public:
  struct Held {
    std::size_t owner;
    char kind;  // t, r or g, a range
    std::string key, to;
    int mode;
  };

  // False when somebody else holds what conflicts.
  bool add(Held added) {
    const bool free = std::none_of(held_.begin(), held_.end(), [&](const Held& held) {
      return held.owner != added.owner && (conflict(held, added) || conflict(added, held));
    });
    held_.push_back(std::move(added));
    return free;
  }
  void drop_all(std::size_t owner) {
    std::erase_if(held_, [&](const Held& held) { return held.owner == owner; });
  }
  void drop_last(std::size_t owner) {
    const auto last = std::find_if(held_.rbegin(), held_.rend(), [&](const Held& held) { return held.owner == owner; });
    held_.erase(std::next(last).base());
  }

 private:
  static bool conflict(const Held& a, const Held& b) {
    if (a.kind == 't' && b.kind == 't') {
      constexpr std::string_view kBeside[] = {"IS IX S", "IS IX", "IS S", ""};
      constexpr std::string_view kNames[] = {"IS", "IX", "S", "X"};
      const auto beside = kBeside[a.mode];
      // "S" alone, not the one in "IS".
      if (b.mode == 2) return !(beside.ends_with(" S"));
      return beside.find(kNames[b.mode]) == std::string_view::npos;
    }
    if (a.kind == 'r' && b.kind == 'r') return a.key == b.key && (a.mode + b.mode >= 2);  // 0 shared, 1 update, 2 exclusive
    if (a.kind == 'g' && b.kind == 'r') return b.mode == 2 && b.key >= a.key && (a.to.empty() || b.key < a.to);
    return false;
  }

  std::vector<Held> held_;
};

// Fibers that lock and unlock at random. The sequence of what they were told.
std::string random_run(std::uint64_t seed) {
  Random random(seed);
  Scheduler scheduler;
  LockManager locks(&scheduler);
  NaiveLocks naive;
  std::string told;
  std::string wrong;  // an exception must not leave a fiber
  std::uint64_t next_txn = 1;
  const std::uint32_t keys = 1 + random.below(6);
  const bool limits = random.below(3) == 0;
  const std::uint32_t fibers = 2 + random.below(6);
  for (std::size_t fiber = 0; fiber < fibers; ++fiber) {
    scheduler.spawn("fiber", [&, fiber] {
      for (std::uint32_t txn = 0; txn < 6; ++txn) {
        LockOwner owner(locks, TxnId{next_txn++});
        if (limits && random.below(2) == 0) owner.lock_limit = random.below(3);
        const std::uint32_t statements = 1 + random.below(5);
        for (std::uint32_t statement = 0; statement < statements; ++statement) {
          owner.cost = random.below(3);
          const auto key = [&] { return std::string(1, static_cast<char>('a' + random.below(keys))); };
          const std::uint32_t what = random.below(8);
          NaiveLocks::Held asked{fiber, 'r', key(), {}, static_cast<int>(random.below(3))};
          std::optional<Error> error;
          std::optional<RowMode> before;
          if (what == 0) {
            asked.kind = 't';
            asked.mode = static_cast<int>(random.below(20) == 0 ? 3 : random.below(3));
            const auto mode = kTableLocks[asked.mode];
            if (const auto locked = locks.lock_table(owner, 9, "t", mode); locked.has_error()) error = locked.error();
          } else if (what == 1) {
            asked.kind = 'g';
            asked.to = random.below(3) == 0 ? "" : asked.key + key();
            if (const auto locked = locks.lock_range(owner, kTree, asked.key, asked.to); locked.has_error()) error = locked.error();
          } else if (what == 2) {
            before = locks.try_lock_row(owner, kTree, asked.key, kRowModes[asked.mode]);
            if (!before) continue;
          } else {
            const auto locked = locks.lock_row(owner, kTree, asked.key, kRowModes[asked.mode]);
            if (locked.has_error()) {
              error = locked.error();
            } else {
              before = locked.value();
            }
          }
          told += std::to_string(raw(owner.id)) + (error ? error->message() : asked.kind + asked.key) + "\n";
          if (error) {
            if (error->code() == ErrorCode::kTimeout && owner.lock_limit != Scheduler::kNoLimit) continue;
            if (error->code() != ErrorCode::kDeadlock) wrong = error->message();
            scheduler.yield("undo");
            break;
          }
          if (!naive.add(asked)) wrong = "txn " + std::to_string(raw(owner.id)) + " got what others hold";
          scheduler.yield("a statement");
          if (before && random.below(3) == 0) {
            naive.drop_last(fiber);
            locks.unlock_row(owner, kTree, asked.key, *before);
          }
        }
        naive.drop_all(fiber);
      }
    });
  }
  faultfs::RandomChoices choices(seed);
  const auto ran = scheduler.run(choices);
  if (ran.has_error()) RC_FAIL(ran.error().message());
  RC_ASSERT(wrong == "");
  RC_ASSERT(locks.held() == 0U);
  return told;
}

TEST_CASE("whatever the schedule, no two hold what conflicts, nobody waits for ever, and the same seed grants the same") {
  property(
      "locks under random schedules",
      [](std::uint64_t seed) {
        const std::string told = random_run(seed);
        RC_ASSERT(random_run(seed) == told);
      },
      10);
}

}  // namespace
}  // namespace powercut::testing
