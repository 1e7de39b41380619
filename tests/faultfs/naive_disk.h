// A slow and obvious model of the simulated disk, written from the meaning of the knobs (persistence_model.h) and not from
// the simulator: it keeps the list of everything that happened, and enumerates every legal crash state by trying every
// subset of what is not durable.
//
// Contents are counted in cells, half an atom each and one letter long (0: zeros, '?': garbage), so that writes and sizes
// may begin and end in the middle of an atom.
#pragma once

#include "faultfs/persistence_model.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::testing {

inline constexpr std::uint64_t kCellsPerAtom = 2;
inline constexpr int kNaiveRoot = 1;

// What is on a disk. An atom that is not in the map was never written (or was cut off): a hole.
struct NaiveState {
  struct File {
    std::uint64_t size = 0;  // cells
    std::map<std::uint64_t, std::string> atoms;
    std::strong_ordering operator<=>(const File&) const = default;
  };
  std::map<int, std::map<std::string, int>> directories{{kNaiveRoot, {}}};  // names to inodes
  std::map<int, File> files;
  std::strong_ordering operator<=>(const NaiveState&) const = default;

  // The inode at a path ("a" or "d/a"); 0 if none.
  int find(std::string_view path) const;
};

enum class NaiveKind {
  kCreate,
  kWrite,
  kResize,
  kAllocate,
  kRename,
  kRemove,
  kMakeDirectory,
  kRemoveDirectory,
  kSync,
  kSyncDirectory
};

struct NaiveOperation {
  NaiveKind kind = NaiveKind::kWrite;
  std::string path;
  std::string other;         // rename: the new path
  std::uint64_t offset = 0;  // write, allocate: cells; resize: the new size in cells
  std::uint64_t count = 1;   // write, allocate: cells
  char letter = 'a';         // write
};

// A question that a reader may put to a file system; the answer is a text.
struct Probe {
  enum Kind { kList, kExists, kSize, kRead } kind = kList;
  std::string path;
  std::uint64_t offset = 0;  // read: cells
  std::uint64_t count = 1;   // read: cells
};

std::string answer(const NaiveState& state, const Probe& probe);

class NaiveDisk {
 public:
  // `start`, empty or a crash state, is durable.
  NaiveDisk(const faultfs::PersistenceModel& model, NaiveState start);

  // Whether the operation succeeded; one that did not changes nothing.
  bool apply(const NaiveOperation& operation);

  const NaiveState& running() const { return running_; }
  std::size_t pending() const;
  std::set<NaiveState> crash_states() const;

 private:
  struct Effect {
    enum What { kAtom, kSize, kName } what = kAtom;
    int inode = 0;            // the file, or the directory that holds the name
    std::uint64_t index = 0;  // kAtom: which; kSize: cells
    std::string text;         // kAtom: the cells, empty for a hole; kName: the name
    int target = 0;           // kName: the inode that it stands for, 0 for none
  };
  // What survives whole or not at all.
  struct Happening {
    std::vector<Effect> effects;
    bool metadata = false;
    bool durable = false;
    std::set<std::size_t> needs;  // earlier ones without which it does not survive
  };

  static void perform(NaiveState& state, const Effect& effect);
  std::size_t add(Happening happening);
  std::size_t add_metadata(std::vector<Effect> effects);
  void make_durable(std::size_t at);
  // Makes durable what holds an effect that is the newest in its place and concerns the sync, and all that it needs.
  void sync(const std::function<bool(const Effect&)>& concerned);
  std::set<std::size_t> contents_of(int file) const;
  void write(int file, const NaiveOperation& operation);
  void resize(int file, std::uint64_t cells);
  void rename(int moved, const NaiveOperation& operation);
  void sync_file(int file);
  bool journalled() const;
  bool may_be_garbage(int file, std::uint64_t atom, const std::vector<bool>& survives) const;
  static void tidy(NaiveState& state);

  faultfs::PersistenceModel model_;
  NaiveState start_;
  NaiveState running_;
  std::vector<Happening> happenings_;
  int last_inode_ = kNaiveRoot;
};

}  // namespace powercut::testing
