// Versions: what an atom, a size or a name held, each with the operation that put it there, chained from the newest to
// the oldest that may still survive a crash. The store owns the versions and the bytes of atoms, and reuses both: a
// crash cycle allocates nothing once it is warm.
#pragma once

#include "faultfs/bytes.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace powercut::faultfs {

// A position in an ordering domain: a sequence of events of which a prefix survives a crash. Domain 0 orders nothing.
struct Event {
  std::uint32_t domain = 0;
  std::uint32_t position = 0;
};

using VersionIndex = std::uint32_t;
inline constexpr VersionIndex kNone = 0;  // nothing in this store: whatever the disk below holds
inline constexpr VersionIndex kHole = 1;  // nothing was ever written here, whatever the disk below holds

struct Version {
  // An atom's bytes (a pointer), a size in bytes, or the inode that a name stands for (0: none).
  std::uint64_t value = 0;
  // The next older version in the same store, kNone or kHole.
  VersionIndex below = kNone;
  // The number of the operation that made it (0: it was there at boot).
  std::uint32_t operation = 0;
  Event tie;    // if its domain is not 0: this version survives exactly if the event does
  Event floor;  // if its domain is not 0: this version survives if the event does
  bool durable = false;
  bool owns_bytes = false;
  bool forgotten = false;  // the system believes that it was written: no sync will make it durable
  bool hole = false;       // an atom that was cut off

  const byte* bytes() const { return reinterpret_cast<const byte*>(value); }
};

class VersionStore {
 public:
  // Forgets everything, keeping memory. atom_bytes as in the persistence model.
  void reset(std::uint32_t atom_bytes) {
    if (atom_bytes != atom_bytes_) {
      slabs_.clear();
      atom_bytes_ = atom_bytes;
    }
    versions_.clear();
    versions_.resize(2);  // kNone and kHole
    free_versions_.clear();
    free_atoms_.clear();
    next_slab_ = 0;
    next_in_slab_ = 0;
  }

  Version& operator[](VersionIndex index) { return versions_[index]; }
  const Version& operator[](VersionIndex index) const { return versions_[index]; }

  VersionIndex add(const Version& version) {
    if (!free_versions_.empty()) {
      const VersionIndex index = free_versions_.back();
      free_versions_.pop_back();
      versions_[index] = version;
      return index;
    }
    versions_.push_back(version);
    return static_cast<VersionIndex>(versions_.size() - 1);
  }

  // Room for one atom's bytes, uninitialised.
  byte* new_atom() {
    if (!free_atoms_.empty()) {
      byte* const atom = free_atoms_.back();
      free_atoms_.pop_back();
      return atom;
    }
    if (next_in_slab_ == 0 && next_slab_ == slabs_.size()) {
      slabs_.push_back(std::make_unique_for_overwrite<byte[]>(std::size_t{kAtomsPerSlab} * atom_bytes_));
    }
    byte* const atom = slabs_[next_slab_].get() + std::size_t{next_in_slab_} * atom_bytes_;
    if (++next_in_slab_ == kAtomsPerSlab) {
      next_in_slab_ = 0;
      ++next_slab_;
    }
    return atom;
  }

  // Makes the version the durable one: what is below it can never come back.
  void settle(VersionIndex index) {
    VersionIndex below = versions_[index].below;
    versions_[index].durable = true;
    versions_[index].below = kNone;
    while (below > kHole) {
      const Version& dead = versions_[below];
      if (dead.owns_bytes) free_atoms_.push_back(reinterpret_cast<byte*>(dead.value));
      free_versions_.push_back(below);
      below = dead.below;
    }
  }

 private:
  static constexpr std::uint32_t kAtomsPerSlab = 128;

  std::uint32_t atom_bytes_ = 0;
  std::vector<Version> versions_;
  std::vector<VersionIndex> free_versions_;
  std::vector<std::unique_ptr<byte[]>> slabs_;
  std::vector<byte*> free_atoms_;
  std::size_t next_slab_ = 0;
  std::uint32_t next_in_slab_ = 0;
};

}  // namespace powercut::faultfs
