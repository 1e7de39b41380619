// A slow and obvious model of the simulated disk: it keeps every effect of every operation, and lists all legal crash
// states by trying every subset of the effects that are not durable.
#pragma once

#include "faultfs/persistence_model.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace powercut::testing {

// The contents of a disk with one directory. Atoms are one letter each: 0 for zeros, '?' for garbage.
struct NaiveState {
  struct File {
    std::uint64_t atoms = 0;  // the size
    std::map<std::uint64_t, char> content;
  };
  std::map<std::string, int> names;  // to inodes
  std::map<int, File> files;

  // Equal texts for states that nobody can tell apart.
  std::string text() const;
};

enum class NaiveKind { kCreate, kWrite, kResize, kRename, kRemove, kSync, kSyncDirectory };

struct NaiveOperation {
  NaiveKind kind = NaiveKind::kWrite;
  std::string name;
  std::string other;         // rename: the new name
  std::uint64_t offset = 0;  // write, in atoms; resize: the new size
  std::uint64_t count = 1;   // write, in atoms
  char letter = 'a';         // write
};

class NaiveDisk {
 public:
  // `start` is durable. What lies beyond a file's size does not come back.
  NaiveDisk(const faultfs::PersistenceModel& model, NaiveState start);

  // Does nothing when the name that it needs is not there (or, for create, is).
  void apply(const NaiveOperation& operation);

  const NaiveState& running() const { return running_; }
  std::size_t pending() const;
  std::vector<NaiveState> crash_states() const;

 private:
  enum class What { kAtom, kSize, kName };
  struct Effect {
    What what = What::kAtom;
    int inode = 0;
    std::uint64_t index = 0;  // atom; or the size
    char letter = 0;
    std::string name;  // stands for inode, or nothing if inode is 0
    bool durable = false;
    std::set<std::size_t> needs;  // effects that survive if this one does
  };

  std::size_t add(Effect effect);
  std::size_t add_metadata(Effect effect);
  void together(std::size_t a, std::size_t b);
  void make_durable(std::size_t effect);
  void write(const NaiveOperation& operation);
  void resize(const NaiveOperation& operation);
  void rename(const NaiveOperation& operation);
  static void perform(NaiveState& state, const Effect& effect);
  std::uint64_t durable_atoms(int inode) const;

  faultfs::PersistenceModel model_;
  NaiveState running_;
  NaiveState durable_;  // at the start
  std::vector<Effect> effects_;
  std::map<int, std::size_t> resized_;    // last resize in the journal
  std::map<int, std::size_t> extended_;   // last extension
  std::size_t last_metadata_ = SIZE_MAX;  // last in the journal
  int next_inode_ = 1;
};

}  // namespace powercut::testing
