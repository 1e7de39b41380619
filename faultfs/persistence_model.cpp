#include "faultfs/persistence_model.h"

#include <array>

namespace powercut::faultfs {
namespace {

constexpr std::array<PresetInfo, 3> kPresets{{
    {"posix", "the weakest that the standard's text allows: everything unsynced may be lost, torn or reordered"},
    {"ext4-ordered", "ext4 with data=ordered: journalled metadata, appended data before its size"},
    {"prefix", "nothing is reordered: a prefix of all operations survives (what naive tests assume)"},
}};

}  // namespace

std::span<const PresetInfo> presets() { return kPresets; }

Result<PersistenceModel> preset(std::string_view name) {
  PersistenceModel model;
  model.name = name;
  if (name == "posix") return model;
  model.unwritten_garbage = false;
  model.rename_is_split = false;
  model.append_before_size = true;
  if (name == "ext4-ordered") {
    model.metadata_order = MetadataOrder::kJournal;
    model.fsync_makes_new_name_durable = true;
    model.fsync_makes_all_metadata_durable = true;
    model.rename_flushes_data = true;
    return model;
  }
  if (name == "prefix") {
    model.data_order = DataOrder::kEverything;
    model.metadata_order = MetadataOrder::kJournal;
    return model;
  }
  std::string message = "no persistence model is called '" + std::string(name) + "'; there are:";
  for (const auto& known : kPresets) message.append(" ").append(known.name);
  return Error(ErrorCode::kInvalidArgument, message);
}

Result<void> set_atom(PersistenceModel& model, std::string_view text) {
  model.write_is_atom = text == "write";
  if (text == "512" || text == "write") {
    model.atom_bytes = 512;
  } else if (text == "4096") {
    model.atom_bytes = 4096;
  } else {
    return Error(ErrorCode::kInvalidArgument, "no atom is '" + std::string(text) + "'; there are: 512, 4096, write");
  }
  return success();
}

std::string atom_text(const PersistenceModel& model) { return model.write_is_atom ? "write" : std::to_string(model.atom_bytes); }

}  // namespace powercut::faultfs
