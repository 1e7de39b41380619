// What an open database consists of, below sessions: control file, log, buffer pool, and who is active. Recovery works
// on it before any session exists.
#pragma once

#include "engine/ledger/buffer_pool.h"
#include "engine/ledger/catalogue.h"
#include "engine/ledger/control.h"
#include "engine/ledger/latch.h"
#include "engine/ledger/lock_manager.h"
#include "engine/ledger/log.h"
#include "engine/ledger/options.h"
#include "engine/ledger/page_store.h"
#include "faultfs/scheduler.h"

#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/local_shared_ptr.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::ledger {

inline constexpr std::string_view kDataName = "data";

class Transaction;

// A table as it was when it was looked up.
struct KnownTable : Table {
  KnownTable(Table&& found, std::uint64_t lock_of_table)
      : Table(std::move(found)), lock(lock_of_table), stands_alone(rows_stand_alone()) {}

  const std::uint64_t lock;  // what tells its lock from others
  const bool stands_alone;   // rows_stand_alone()
};
// Counted by the one thread that a database has.
using TableRef = boost::local_shared_ptr<const KnownTable>;

// What every transaction is that is active.
using ActiveHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Memory that an engine hands from one database to the next, so that opening one allocates next to nothing.
struct Memory {
  Log::Memory log;
  BufferPool::Memory pool;
  LogReader::Buffer recovery_buffer;
};

class Core final : private LockNames {
 public:
  // `scheduler_of_core` may be null: nobody waits then.
  Core(faultfs::FileSystem& files_of_core, std::string directory_of_core, const Options& options_of_core, Memory& memory_of_core,
       faultfs::Scheduler* scheduler_of_core = nullptr);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  // Whether others may run during I/O.
  bool suspends() const { return scheduler != nullptr && files.lets_others_run(); }
  // Whether work may go on: the log has not stopped, and a rollback that failed before could be finished now.
  Result<void> ready();
  // Whether ready() has nothing to do.
  bool is_ready() const { return unfinished_.empty() && !log.failure(); }
  // Until a commit that gave its locks back early is durable; at once for kNone.
  Result<void> wait_for_commit(Lsn commit);
  // The same of who made it. If it cannot be durable the database stops: others have built upon it.
  Result<void> wait_for_own_commit(Lsn commit);
  // Takes over a transaction whose rollback failed for want of space, or of a page that could not be read: until it is
  // finished the database does nothing else.
  void finish_later(std::unique_ptr<Transaction> rollback);
  // Puts what is in unused_pages on the free list, as far as that can be done.
  void free_unused_pages();

  // Opens the data file. `checkpoint_begin`: where the last checkpoint began.
  Result<void> open_data(faultfs::OpenMode mode, Lsn checkpoint_begin);

  std::string path(std::string_view name) const { return directory + "/" + std::string(name); }

  faultfs::FileSystem& files;
  const std::string directory;
  const Options options;
  Memory& memory;
  faultfs::Scheduler* const scheduler;
  // Held by whoever works on the rest, but for I/O.
  Latch latch;
  LockManager locks;
  Control control;
  Log log;
  std::optional<BufferPool> pool;
  std::optional<PageStore> store;
  TxnId next_txn{1};
  boost::intrusive::list<ActiveHook, boost::intrusive::constant_time_size<false>> active;
  // The checkpoint before writes what was dirty when this one began.
  Lsn previous_checkpoint_begin = Lsn::kNone;
  // Changes whenever the catalogue may have, so that sessions look again.
  std::uint64_t catalogue_version = 1;
  // Those that were looked up when it was at known_version.
  std::vector<TableRef> known_tables;
  std::uint64_t known_version = 0;
  // Pages that nothing refers to and that are not on the free list, the root of each tree before the rest of it. They are freed
  // from the last on: while a page is known as a leaf of a tree, no other tree gets that one's number.
  std::vector<PageId> unused_pages;

 private:
  // What people call a tree: its table, or "table.column" of an index.
  std::string tree(PageId root) const override;

  std::vector<std::unique_ptr<Transaction>> unfinished_;
};

}  // namespace powercut::ledger
