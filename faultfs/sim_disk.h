// The simulated disk: every version that an atom, a size or a name may still have after a power cut.
//
// A running system always sees the newest version. A crash is boot(): another SimDisk is laid over this one, which must
// then not change while the other lives, and shows one legal crash state of it. Booting costs nothing and copies
// nothing: only when something with several possible versions is read does the new disk ask its Choices which survived
// (DESIGN: "resolved lazily"). What was resolved stays so; what is overwritten first is never asked. A booted disk can
// be written, can crash and be booted from in turn: a crash during recovery is the same thing one level down.
//
// Which combinations are legal. Every change is an event. A free event survives or not on its own. Others have a place
// in an ordering domain, a sequence of which a prefix survives (a journal; a file's writes under "issue order"; the two
// names of a rename in one step). What a chain holds after the crash is its newest surviving version. A booted disk
// knows of each domain of the disks under it only an interval, how long the surviving prefix is at least and at most;
// each answer narrows it, and no answer can contradict an earlier one.
//
// One thread; nothing here depends on time, addresses or hash order.
#pragma once

#include "faultfs/choices.h"
#include "faultfs/persistence_model.h"
#include "faultfs/result.h"
#include "faultfs/version_store.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::faultfs {

using InodeId = std::uint32_t;  // 0: none
inline constexpr InodeId kRootInode = 1;

enum class ChainKind : unsigned char { kAtom, kSize, kName };

// What the crash kept of one chain, told when it is first read.
struct Resolution {
  ChainKind kind = ChainKind::kAtom;
  InodeId inode = 0;           // the file, or the directory that holds the name
  std::uint64_t index = 0;     // kAtom: the atom's number in its file
  std::string_view name;       // kName
  std::uint32_t newest = 0;    // the operation that wrote the newest version
  std::uint32_t survivor = 0;  // the operation that wrote the surviving one (0: what was there before, or nothing)
  bool garbage = false;        // neither: garbage
  std::uint64_t value = 0;     // kSize: bytes; kName: the inode, 0 for none
  std::uint32_t options = 0;   // how many values were possible
  std::uint32_t level = 0;     // whose write survived: 0 the disk that crashed, 1 the one that it was booted from, …
  std::uint32_t crash = 0;     // 1 for the first crash of a disk, 2 for that of a disk booted after it, …
};

// A write that a crash now may undo, for explanation.
struct PendingChange {
  ChainKind kind = ChainKind::kAtom;
  InodeId inode = 0;
  std::uint64_t index = 0;
  std::string_view name;
  std::uint32_t operation = 0;
};

class SimDisk {
 public:
  SimDisk() { format(PersistenceModel{}); }
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // An empty disk: a root directory and nothing else. Keeps memory.
  void format(const PersistenceModel& model);

  // A crash state of `crashed`, which must outlive this disk's use and not change meanwhile. Keeps memory.
  void boot(const SimDisk& crashed, Choices& choices);

  const PersistenceModel& model() const { return model_; }

  // Called just before a sync takes effect: the last moment at which everything pending is still pending.
  using CrashHook = std::function<void()>;
  void set_crash_hook(CrashHook hook) { crash_hook_ = std::move(hook); }

  // Called at each resolution. For replay only.
  using ResolutionObserver = std::function<void(const Resolution&)>;
  void set_resolution_observer(ResolutionObserver observer) { observer_ = std::move(observer); }

  // Operations so far that changed or synced something; the number of the last one.
  std::uint32_t operations() const { return operation_; }

  // Chains that have more than one version now: n such chains have up to 2^n states and more.
  std::uint64_t pending_chains() const;

  // Of a disk that was booted and not used yet: log2 of the number of crash states that it may turn out to be. Exact, but for
  // orders between changes of different files, which make it an upper bound.
  double open_bits();

  // Of a booted disk: equal for two disks booted from the same one if every crash of the one may leave the same as a crash
  // of the other, and both show the same to a system that runs on.
  std::uint64_t image_hash() const;

  // Every change that a crash now may undo, oldest disk's excluded, in the order of inode and place.
  void for_each_pending(const std::function<void(const PendingChange&)>& visit) const;

  // A path of the inode, by the newest names ("?" when it has none). Slow; for explanation.
  std::string path_of(InodeId inode) const;

  // --- The file system's view (SimFileSystem) ---

  // The inode that the name stands for in the directory; 0 if none.
  InodeId lookup(InodeId directory, std::string_view name);
  bool is_directory(InodeId inode) const;
  std::vector<std::string> names(InodeId directory);

  InodeId create(InodeId directory, std::string_view name, bool directory_itself);
  void unlink(InodeId directory, std::string_view name);
  void rename(InodeId from_directory, std::string_view from, InodeId to_directory, std::string_view to);
  void sync_directory(InodeId directory);

  std::uint64_t size(InodeId file);
  std::size_t read(InodeId file, std::uint64_t offset, std::span<byte> into);
  void write(InodeId file, std::uint64_t offset, std::span<const std::span<const byte>> buffers);
  void resize(InodeId file, std::uint64_t bytes);
  void allocate(InodeId file, std::uint64_t offset, std::uint64_t bytes);
  void sync_file(InodeId file);

  // --- A disk that fails or lies (FaultyFileSystem) ---

  // A sync that fails: what was to be written may have been or not, and no later sync will write it; or it is gone, where the
  // model says that reads show the old bytes. Names and sizes are in a journal and stay to be written.
  void fail_sync(InodeId file);
  // What was written there is believed to be on the disk, and may be or not.
  void forget(InodeId file, std::uint64_t offset, std::uint64_t bytes);
  // These bytes landed on the disk, inside the file's size, where nobody knows of them: reads go on showing what was there.
  void overwrite_below(InodeId file, std::uint64_t offset, std::span<const byte> bytes);

 private:
  struct Name {
    std::string name;
    VersionIndex newest = kNone;
  };

  struct Node {
    static constexpr std::uint64_t kUnclean = ~std::uint64_t{0};
    bool known = false;  // something here differs from, or was resolved of, the disk below
    bool is_directory = false;
    VersionIndex size = kNone;
    std::uint64_t clean_from = kUnclean;  // a booted disk's size when it first grew: nothing beyond it comes back
    std::uint32_t data_domain = 0;
    std::uint32_t size_domain = 0;
    Event resized;                         // the last truncation or allocation in the journal
    std::vector<VersionIndex> atoms;       // newest, by atom
    std::vector<std::uint32_t> touched;    // atoms that have an entry here, in the order of their first
    std::vector<std::uint32_t> pending;    // atoms whose newest version the next sync makes durable
    std::vector<std::uint32_t> forgotten;  // atoms whose newest version no sync will make durable
    std::vector<Name> names;               // sorted
    void clear();
  };

  struct Domain {
    std::uint32_t count = 0;     // events so far
    std::uint32_t durable = 0;   // of which so many are durable
    std::uint32_t metadata = 0;  // up to and with the last name, truncation or allocation
  };

  // a survives only if b does.
  struct Requirement {
    Event a;
    Event b;
  };

  // How many events of a crashed disk's domain survived: at least lo, at most hi.
  struct Cut {
    std::uint32_t lo = 0;
    std::uint32_t hi = 0;
    std::uint32_t durable = 0;  // lo before anything was asked
  };

  // A value that a chain may have after the crash. It has it if every newer version is out and one of the versions
  // first..last, which have equal values, is in.
  struct Candidate {
    std::uint64_t value = 0;
    const Version* version = nullptr;  // null: nothing was ever written. Of garbage: the hole that is in; null if none need be
    std::uint32_t level = 0;           // whose version it is: 0 for the disk just below
    bool garbage = false;
    std::uint32_t lost = 0;  // so many candidates, the newest, are out
  };
  struct CandidateGroup {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
  };

  // Identifies a chain in every disk of the stack.
  struct ChainId {
    ChainKind kind;
    InodeId inode;
    std::uint64_t index = 0;
    std::string_view name = {};
  };

  void clear();
  Node& node(InodeId inode);
  const Node* find_node(InodeId inode) const;
  InodeId new_inode(bool directory);
  static Name* find_name(Node& directory, std::string_view name);
  static const Name* find_name(const Node& directory, std::string_view name);
  VersionIndex newest_of(const ChainId& chain) const;

  std::uint32_t new_domain();
  Event next_event(std::uint32_t domain);
  bool journalled() const;  // names, truncations and allocations have their places in one domain
  Event metadata_event();
  Event group_event();  // a change with several effects in one step
  Event write_event(Node& node);
  Event extension_event(Node& node);
  void make_durable(VersionIndex index);
  void make_metadata_durable();

  const byte* atom(Node& node, InodeId inode, std::uint64_t index);
  bool has_content(InodeId inode, std::uint64_t index) const;
  void entry(Node& node, std::uint64_t index, VersionIndex newest);
  void put_atom(Node& node, std::uint64_t index, Version version);
  void put_size(Node& node, std::uint64_t bytes, Event tie, bool durable = false);
  void put_name(Node& directory, std::string_view name, InodeId target, Event tie, bool durable = false);
  void clean_tail(Node& node, InodeId inode, std::uint64_t size);
  void order_after_data(Event event, InodeId file);
  const byte* zeros() const { return zeros_.data(); }

  // sim_disk_boot.cpp
  bool covers(InodeId file, std::uint64_t end);
  std::uint64_t resolve(const ChainId& chain);
  bool settled_value(const ChainId& chain, std::uint64_t& value) const;
  void collect(const ChainId& chain, std::vector<Candidate>& out) const;
  void group(ChainKind kind);
  bool may_be_garbage(const ChainId& chain, std::uint32_t level) const;
  bool exposed(const ChainId& chain, std::uint32_t level, const Version& hole) const;
  bool durable(std::uint32_t level, const Version& version) const;
  std::uint64_t durable_size(std::uint32_t level, InodeId file) const;
  bool feasible(std::uint32_t level, const Version& version) const;
  bool forced(std::uint32_t level, const Version& version) const;
  void mark_in(std::uint32_t level, const Event& event);
  void mark_out(std::uint32_t level, const Event& event);
  bool same_value(ChainKind kind, const Candidate& a, const Candidate& b) const;
  const SimDisk& below(std::uint32_t level) const;
  const byte* garbage_atom(const ChainId& chain);

  PersistenceModel model_;
  const SimDisk* base_ = nullptr;
  Choices* choices_ = nullptr;
  CrashHook crash_hook_;
  ResolutionObserver observer_;
  std::uint32_t operation_ = 0;
  VersionStore versions_;
  std::vector<Node> nodes_;  // by inode
  std::vector<InodeId> known_;
  InodeId last_inode_ = 0;
  std::vector<Domain> domains_;             // [0] unused; [1] the journal, or everything
  std::vector<Requirement> requirements_;   // between this disk's events
  std::uint32_t depth_ = 0;                 // disks below
  std::vector<std::vector<Cut>> cuts_;      // of the disks below, nearest first; depth_ of them are in use
  std::vector<Candidate> candidates_;       // scratch of resolve()
  mutable std::vector<Candidate> garbage_;  // scratch of collect()
  std::vector<CandidateGroup> groups_;      // scratch of resolve()
  std::vector<byte> zeros_;
};

}  // namespace powercut::faultfs
