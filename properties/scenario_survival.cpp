#include "properties/scenario_survival.h"

#include <algorithm>
#include <set>

namespace powercut::properties {
namespace {

bool is_named(const Survival& survival, const std::string& path) {
  const std::string_view last = std::string_view(path).substr(path.rfind('/') + 1);
  return std::any_of(survival.lost.begin(), survival.lost.end(), [&](const auto& name) { return name == path || name == last; });
}

}  // namespace

std::uint32_t SurvivalChoices::choose(std::uint32_t n, const faultfs::ChoiceLabel& label) {
  const std::uint32_t oldest = std::min(label.oldest, n - 1);
  if (survival_.all_lost) return oldest;
  if (survival_.lost.empty()) return 0;
  const auto inode = static_cast<faultfs::InodeId>(label.first);
  if (!label.name.empty()) return is_named(survival_, crashed_.path_of(inode) + "/" + std::string(label.name)) ? oldest : 0;
  const auto [known, is_new] = known_.try_emplace(inode, false);
  if (is_new) known->second = is_named(survival_, crashed_.path_of(inode));
  return known->second ? oldest : 0;
}

void ChangeText::add(const std::string& path, faultfs::ChainKind kind, std::uint64_t index, std::string_view name) {
  auto file = std::find_if(files_.begin(), files_.end(), [&](const File& other) { return other.path == path; });
  if (file == files_.end()) {
    files_.push_back({path, {}, false, {}});
    file = files_.end() - 1;
  }
  if (kind == faultfs::ChainKind::kSize) file->size = true;
  if (kind == faultfs::ChainKind::kName) file->names.emplace_back(name);
  if (kind == faultfs::ChainKind::kAtom) file->atoms.emplace_back(index, index + 1);
}

std::vector<std::string> ChangeText::lines() const {
  std::vector<std::string> all;
  for (const File& file : files_) {
    auto atoms = file.atoms;
    std::sort(atoms.begin(), atoms.end());
    std::string text;
    const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
    for (std::size_t at = 0; at < atoms.size();) {
      const std::uint64_t from = atoms[at].first;
      std::uint64_t to = from;
      for (; at < atoms.size() && atoms[at].first <= to; ++at) to = std::max(to, atoms[at].second);
      add("[" + std::to_string(from * atom_bytes_) + ", " + std::to_string(to * atom_bytes_) + ")");
    }
    if (file.size) add("its size");
    for (const auto& name : file.names) add("the name '" + name + "'");
    all.push_back((file.path.empty() ? "the root" : file.path) + " " + text);
  }
  return all;
}

std::vector<std::string> pending_text(const faultfs::SimDisk& disk) {
  ChangeText text(disk.model().atom_bytes);
  disk.for_each_pending(
      [&](const faultfs::PendingChange& change) { text.add(disk.path_of(change.inode), change.kind, change.index, change.name); });
  return text.lines();
}

std::string unknown_lost(const faultfs::SimDisk& crashed, const Survival& survival) {
  std::set<std::string> paths;
  crashed.for_each_pending([&](const faultfs::PendingChange& change) {
    std::string path = crashed.path_of(change.inode);
    if (change.kind == faultfs::ChainKind::kName) path += "/" + std::string(change.name);
    paths.insert(std::move(path));
  });
  for (const auto& name : survival.lost) {
    if (std::any_of(paths.begin(), paths.end(), [&](const auto& path) { return is_named({true, {name}}, path); })) continue;
    std::string text = "of '" + name + "' nothing can be lost; of these something can:";
    for (const auto& path : paths) text += " " + path;
    return text;
  }
  return {};
}

}  // namespace powercut::properties
