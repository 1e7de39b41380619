#include "faultfs/persistence_model.h"

#include <algorithm>
#include <array>

namespace powercut::faultfs {
namespace {

constexpr std::array<PresetInfo, 6> kPresets{{
    {"posix", "the weakest that the standard's text allows: everything unsynced may be lost, torn or reordered"},
    {"ext4-ordered", "ext4 with data=ordered: journalled metadata, appended data before its size"},
    {"ext4-writeback", "ext4 with data=writeback: journalled metadata, which may expose bytes never written"},
    {"xfs", "XFS: logged metadata, sizes follow their data, a sync forces the log up to the file's last change"},
    {"btrfs", "btrfs: copy on write by blocks of 4096, a sync makes nothing durable but its own file and name"},
    {"prefix", "nothing is reordered: a prefix of all operations survives (what naive tests assume)"},
}};

// A knob, with its values in the order of the numbers that they stand for.
struct Knob {
  KnobInfo info;
  unsigned (*get)(const PersistenceModel&);
  void (*set)(PersistenceModel&, unsigned);
};

template <bool PersistenceModel::*Member>
constexpr Knob flag(std::string_view name, std::string_view summary, std::string_view values = "no yes") {
  return {{name, values, summary},
          [](const PersistenceModel& model) { return model.*Member ? 1U : 0U; },
          [](PersistenceModel& model, unsigned value) { model.*Member = value == 1; }};
}

constexpr std::array<Knob, 12> kKnobs{{
    {{"atom", "512 4096 write", "what is written whole or not at all (bytes, or a whole write)"},
     [](const PersistenceModel& model) { return model.write_is_atom        ? 2U
                                                : model.atom_bytes == 4096 ? 1U
                                                                           : 0U; },
     [](PersistenceModel& model, unsigned value) {
       model.write_is_atom = value == 2;
       model.atom_bytes = value == 1 ? 4096 : 512;
     }},
    flag<&PersistenceModel::in_flight_garbage>("in-flight-garbage", "an atom that was being written may hold garbage"),
    {{"data-order", "any file everything", "writes survive in any order; a prefix in each file; a prefix of all operations"},
     [](const PersistenceModel& model) { return static_cast<unsigned>(model.data_order); },
     [](PersistenceModel& model, unsigned value) { model.data_order = static_cast<DataOrder>(value); }},
    {{"metadata-order", "any journal", "names, truncations and allocations survive in any order; a prefix of them"},
     [](const PersistenceModel& model) { return static_cast<unsigned>(model.metadata_order); },
     [](PersistenceModel& model, unsigned value) { model.metadata_order = static_cast<MetadataOrder>(value); }},
    flag<&PersistenceModel::append_before_size>("append-before-size", "appended data is durable before the size that exposes it"),
    flag<&PersistenceModel::unwritten_garbage>("unwritten-garbage", "bytes never written, inside the size, may be garbage"),
    flag<&PersistenceModel::fsync_makes_new_name_durable>("fsync-new-file-durable", "a sync of a new file makes its name durable"),
    flag<&PersistenceModel::fsync_makes_all_metadata_durable>("fsync-all-metadata-durable",
                                                              "a sync of any file makes all earlier metadata durable"),
    flag<&PersistenceModel::rename_flushes_data>("rename-flushes-data", "replacing a file by rename writes its data out first"),
    flag<&PersistenceModel::rename_is_split>("rename", "a rename is one step across a crash, or three", "one-step split"),
    flag<&PersistenceModel::failed_sync_shows_old>("failed-sync-shows", "what reads show after a sync that failed", "new old"),
    flag<&PersistenceModel::failed_sync_reported_next>("failed-sync-reported", "when a sync that fails says so", "now next"),
}};

constexpr auto kKnobInfos = [] {
  std::array<KnobInfo, kKnobs.size()> infos{};
  for (std::size_t at = 0; at < infos.size(); ++at) infos[at] = kKnobs[at].info;
  return infos;
}();

const Knob* find_knob(std::string_view name) {
  const auto* const found = std::find_if(kKnobs.begin(), kKnobs.end(), [&](const Knob& knob) { return knob.info.name == name; });
  return found == kKnobs.end() ? nullptr : found;
}

// Word number `at` of words separated by blanks; empty beyond the last.
std::string_view word(std::string_view words, unsigned at) {
  for (; at > 0; --at) {
    const auto blank = words.find(' ');
    if (blank == std::string_view::npos) return {};
    words.remove_prefix(blank + 1);
  }
  return words.substr(0, words.find(' '));
}

}  // namespace

std::span<const PresetInfo> presets() { return kPresets; }

std::span<const KnobInfo> knobs() { return kKnobInfos; }

bool is_knob(std::string_view name) { return find_knob(name) != nullptr; }

Result<PersistenceModel> preset(std::string_view name) {
  PersistenceModel model;
  model.name = name;
  if (name == "posix") return model;
  model.unwritten_garbage = false;
  model.rename_is_split = false;
  model.append_before_size = true;
  if (name == "btrfs") {
    model.atom_bytes = 4096;
    model.fsync_makes_new_name_durable = true;
    model.rename_flushes_data = true;
    model.failed_sync_shows_old = true;
    return model;
  }
  model.metadata_order = MetadataOrder::kJournal;
  if (name == "prefix") {
    model.data_order = DataOrder::kEverything;
    return model;
  }
  model.fsync_makes_new_name_durable = true;
  if (name == "xfs") return model;
  model.fsync_makes_all_metadata_durable = true;
  model.rename_flushes_data = true;
  if (name == "ext4-ordered") return model;
  if (name == "ext4-writeback") {
    model.append_before_size = false;
    model.unwritten_garbage = true;
    return model;
  }
  std::string message = "no persistence model is called '" + std::string(name) + "'; there are:";
  for (const auto& known : kPresets) message.append(" ").append(known.name);
  return Error(ErrorCode::kInvalidArgument, message);
}

Result<void> set_knob(PersistenceModel& model, std::string_view name, std::string_view value) {
  const Knob* const knob = find_knob(name);
  if (knob == nullptr) {
    std::string message = "no knob of a model is called '" + std::string(name) + "'; there are:";
    for (const auto& known : kKnobs) message.append(" ").append(known.info.name);
    return Error(ErrorCode::kInvalidArgument, message);
  }
  for (unsigned at = 0; !word(knob->info.values, at).empty(); ++at) {
    if (word(knob->info.values, at) != value) continue;
    knob->set(model, at);
    return success();
  }
  return Error(ErrorCode::kInvalidArgument, "the knob " + std::string(name) + " cannot be '" + std::string(value) +
                                                "'; there are: " + std::string(knob->info.values));
}

std::string knob_text(const PersistenceModel& model, std::string_view name) {
  const Knob* const knob = find_knob(name);
  return std::string(word(knob->info.values, knob->get(model)));
}

std::vector<std::string> changed_knobs(const PersistenceModel& model) {
  std::vector<std::string> changed;
  const auto named = preset(model.name);
  if (named.has_error()) return changed;
  for (const Knob& knob : kKnobs) {
    if (knob.get(model) == knob.get(named.value())) continue;
    changed.push_back(std::string(knob.info.name) + "=" + knob_text(model, knob.info.name));
  }
  return changed;
}

Result<void> set_atom(PersistenceModel& model, std::string_view text) { return set_knob(model, "atom", text); }

std::string atom_text(const PersistenceModel& model) { return knob_text(model, "atom"); }

}  // namespace powercut::faultfs
