// What a process that is to be killed says of its transactions, in memory that outlives it.
//
// Invariant: an entry is there whole or not at all. Its bytes are written first, then one number is raised, so a kill at any
// moment leaves a prefix of what was said. A commit is said to be called before it is, and acknowledged after it has returned:
// so whatever the prefix, the model that replay() makes of it promises no more than the user was told, and no less.
#pragma once

#include "faultfs/bytes.h"
#include "properties/model.h"
#include "properties/violation.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace powercut::properties {

class KillJournal {
 public:
  // Memory that both processes share, zeroed. It must outlive the journal.
  explicit KillJournal(std::span<byte> memory);

  // The next process begins.
  void clear();

  // In the child. Each aborts when there is no room.
  void recovered(Present found);
  void commit_called(const Model& model, std::size_t session);
  void acknowledged(std::size_t session);
  void rolled_back(std::size_t session);
  void violated(const Violation& violation);
  void done();
  // An operation on a file has ended.
  void count_operation() { shared_->operations.fetch_add(1, std::memory_order_relaxed); }
  // There is room for some more transactions.
  bool has_room() const;

  // In the parent, which has waited for the child.
  struct Told {
    std::optional<Present> found;  // it has recovered the database, and found these of the transactions in doubt
    std::uint64_t acknowledged = 0;
    bool done = false;  // it has run all that it was to run
    std::optional<Violation> violation;
  };
  // Brings the model, which is as it was when the child began, to what the child last said.
  Told replay(Model& model) const;
  std::uint64_t operations() const { return shared_->operations; }
  // Those that ended before it had recovered the database; 0 if it has not.
  std::uint64_t operations_of_recovery() const { return shared_->operations_of_recovery; }

 private:
  struct Shared {
    std::atomic<std::uint64_t> operations{0};
    std::atomic<std::uint64_t> operations_of_recovery{0};
    std::atomic<std::uint64_t> bytes{0};  // of entries
  };
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

  void append(std::string_view entry);

  Shared* shared_;
  std::span<byte> entries_;
};

}  // namespace powercut::properties
