// What an open database consists of, below sessions: control file, log, buffer pool, and who is active. Recovery works
// on it before any session exists.
#pragma once

#include "engine/ledger/buffer_pool.h"
#include "engine/ledger/control.h"
#include "engine/ledger/log.h"
#include "engine/ledger/options.h"
#include "engine/ledger/page_store.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace powercut::ledger {

inline constexpr std::string_view kDataName = "data";

class Transaction;

// Memory that an engine hands from one database to the next, so that opening one allocates next to nothing.
struct Memory {
  Log::Memory log;
  BufferPool::Memory pool;
  LogReader::Buffer recovery_buffer;
};

class Core {
 public:
  Core(faultfs::FileSystem& files_of_core, std::string directory_of_core, const Options& options_of_core, Memory& memory_of_core)
      : files(files_of_core),
        directory(std::move(directory_of_core)),
        options(options_of_core),
        memory(memory_of_core),
        control(files, directory, options.defects),
        log(files, directory, control, options.defects, memory.log) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Opens the data file. `checkpoint_begin`: where the last checkpoint began.
  Result<void> open_data(faultfs::OpenMode mode, Lsn checkpoint_begin);

  std::string path(std::string_view name) const { return directory + "/" + std::string(name); }

  faultfs::FileSystem& files;
  const std::string directory;
  const Options options;
  Memory& memory;
  Control control;
  Log log;
  std::optional<BufferPool> pool;
  std::optional<PageStore> store;
  TxnId next_txn{1};
  std::vector<Transaction*> active;
  // The checkpoint before writes what was dirty when this one began.
  Lsn previous_checkpoint_begin = Lsn::kNone;
  // Changes whenever the catalogue may have, so that sessions look again.
  std::uint64_t catalogue_version = 1;
  // Why the database takes no more work, once a change failed half-way.
  std::optional<Error> failure;
};

}  // namespace powercut::ledger
