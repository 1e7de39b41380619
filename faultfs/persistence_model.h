// What a file system and its device promise about the moment the power fails: a handful of knobs, and presets of them.
// docs/FAULT_MODEL.md explains each knob and gives the source of each preset.
#pragma once

#include "faultfs/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::faultfs {

// How writes of data are ordered on their way to the platter.
enum class DataOrder : unsigned char {
  kAny,         // each atom independently of every other
  kFile,        // in the order of issue within a file: a prefix survives
  kEverything,  // nothing is reordered: one prefix of all operations, names and sizes included
};

// How names, truncations and allocations are ordered.
enum class MetadataOrder : unsigned char {
  kAny,      // each independently
  kJournal,  // one journal, a prefix of which survives
};

struct PersistenceModel {
  std::string name = "posix";
  // The unit that is written whole or not at all (bytes).
  std::uint32_t atom_bytes = 512;
  // A whole write is one atom, whatever its size; atom_bytes is then only the unit of bookkeeping.
  bool write_is_atom = false;
  // An atom that was being written at the cut may hold garbage instead of old or new.
  bool in_flight_garbage = false;
  DataOrder data_order = DataOrder::kAny;
  MetadataOrder metadata_order = MetadataOrder::kAny;
  // Appended data reaches the disk before the size that exposes it.
  bool append_before_size = false;
  // Bytes inside a surviving size whose data did not survive may be garbage, not only zeros.
  bool unwritten_garbage = true;
  bool fsync_makes_new_name_durable = false;
  bool fsync_makes_all_metadata_durable = false;
  // Replacing a file by rename writes the new file's data out before the rename.
  bool rename_flushes_data = false;
  // A rename is three steps across a crash (unlink the target, link, unlink the source), each of which may be lost.
  bool rename_is_split = true;
  // After a sync that failed the old bytes are back, for good; otherwise reads show the new ones, which no later sync will
  // write and a crash may keep or not.
  bool failed_sync_shows_old = false;
  // A sync that fails says so at the next sync of the file, not now.
  bool failed_sync_reported_next = false;

  friend bool operator==(const PersistenceModel&, const PersistenceModel&) = default;
};

struct PresetInfo {
  std::string_view name;
  std::string_view summary;
};

// The presets: posix, ext4-ordered, ext4-writeback, xfs, btrfs, prefix.
std::span<const PresetInfo> presets();

// The preset of that name, or kInvalidArgument with the names there are.
Result<PersistenceModel> preset(std::string_view name);

// A knob that can be set by itself.
struct KnobInfo {
  std::string_view name;
  std::string_view values;  // "yes no"
  std::string_view summary;
};
std::span<const KnobInfo> knobs();
bool is_knob(std::string_view name);

// Sets a knob from text. kInvalidArgument, with what there is, for an unknown name or value.
Result<void> set_knob(PersistenceModel& model, std::string_view name, std::string_view value);

// The value as set_knob takes it. The knob must exist.
std::string knob_text(const PersistenceModel& model, std::string_view name);

// The knobs in which the model differs from the preset whose name it has: "rename=one-step", ….
std::vector<std::string> changed_knobs(const PersistenceModel& model);

// Sets the atom from text: "512", "4096" or "write".
Result<void> set_atom(PersistenceModel& model, std::string_view text);

// The atom as set_atom takes it.
std::string atom_text(const PersistenceModel& model);

}  // namespace powercut::faultfs
