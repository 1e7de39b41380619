#include "tests/faultfs/naive_disk.h"

#include "faultfs/file_system.h"

#include <algorithm>
#include <functional>

namespace powercut::testing {

using faultfs::DataOrder;
using faultfs::MetadataOrder;
using faultfs::name_of;
using faultfs::parent_of;

namespace {

std::uint64_t atoms_in(std::uint64_t cells) { return (cells + kCellsPerAtom - 1) / kCellsPerAtom; }

std::string cells_of(const NaiveState::File& file, std::uint64_t atom) {
  const auto found = file.atoms.find(atom);
  return found == file.atoms.end() ? std::string(kCellsPerAtom, '\0') : found->second;
}

}  // namespace

int NaiveState::find(std::string_view path) const {
  int at = kNaiveRoot;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto directory = directories.find(at);
    if (directory == directories.end()) return 0;
    const auto entry = directory->second.find(std::string(path.substr(0, slash)));
    if (entry == directory->second.end()) return 0;
    at = entry->second;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return at;
}

std::string answer(const NaiveState& state, const Probe& probe) {
  const int inode = state.find(probe.path);
  std::string text;
  if (probe.kind == Probe::kExists) return inode == 0 ? "no" : "yes";
  if (probe.kind == Probe::kList) {
    if (!state.directories.contains(inode)) return "-";
    for (const auto& [name, target] : state.directories.at(inode)) text += name + (state.directories.contains(target) ? "/ " : " ");
    return text;
  }
  if (!state.files.contains(inode)) return "-";
  const NaiveState::File& file = state.files.at(inode);
  if (probe.kind == Probe::kSize) return std::to_string(file.size);
  for (std::uint64_t cell = probe.offset; cell < std::min(probe.offset + probe.count, file.size); ++cell) {
    const char letter = cells_of(file, cell / kCellsPerAtom)[cell % kCellsPerAtom];
    text += letter == '\0' ? '.' : letter;
  }
  return text;
}

NaiveDisk::NaiveDisk(const faultfs::PersistenceModel& model, NaiveState start) : model_(model), start_(std::move(start)) {
  for (const auto& [inode, file] : start_.files) last_inode_ = std::max(last_inode_, inode);
  for (const auto& [inode, names] : start_.directories) last_inode_ = std::max(last_inode_, inode);
  running_ = start_;
}

bool NaiveDisk::journalled() const {
  return model_.metadata_order == MetadataOrder::kJournal || model_.data_order == DataOrder::kEverything;
}

// --- What happens ---

void NaiveDisk::perform(NaiveState& state, const Effect& effect) {
  if (effect.what == Effect::kName) {
    auto& names = state.directories[effect.inode];
    if (effect.target == 0) {
      names.erase(effect.text);
    } else {
      names[effect.text] = effect.target;
    }
  } else if (effect.what == Effect::kSize) {
    state.files[effect.inode].size = effect.index;
  } else if (effect.text.empty()) {
    state.files[effect.inode].atoms.erase(effect.index);
  } else {
    state.files[effect.inode].atoms[effect.index] = effect.text;
  }
}

std::size_t NaiveDisk::add(Happening happening) {
  if (model_.data_order == DataOrder::kEverything && !happenings_.empty()) happening.needs.insert(happenings_.size() - 1);
  for (const Effect& effect : happening.effects) perform(running_, effect);
  happenings_.push_back(std::move(happening));
  return happenings_.size() - 1;
}

std::size_t NaiveDisk::add_metadata(std::vector<Effect> effects) {
  Happening happening{std::move(effects), true, false, {}};
  for (std::size_t at = 0; at < happenings_.size(); ++at) {
    if (journalled() && happenings_[at].metadata) happening.needs.insert(at);
  }
  return add(std::move(happening));
}

// Everything so far that concerns what is in the file.
std::set<std::size_t> NaiveDisk::contents_of(int file) const {
  std::set<std::size_t> found;
  for (std::size_t at = 0; at < happenings_.size(); ++at) {
    const auto& effects = happenings_[at].effects;
    if (std::any_of(effects.begin(), effects.end(), [&](const Effect& e) { return e.what != Effect::kName && e.inode == file; })) {
      found.insert(at);
    }
  }
  return found;
}

void NaiveDisk::write(int file, const NaiveOperation& operation) {
  const std::uint64_t end = operation.offset + operation.count;
  const std::uint64_t before = running_.files[file].size;
  const bool everything = model_.data_order == DataOrder::kEverything;

  std::vector<Happening> pieces;
  for (std::uint64_t atom = operation.offset / kCellsPerAtom; atom < atoms_in(end); ++atom) {
    Effect effect{Effect::kAtom, file, atom, cells_of(running_.files[file], atom), 0};
    for (std::uint64_t cell = std::max(operation.offset, atom * kCellsPerAtom); cell < std::min(end, (atom + 1) * kCellsPerAtom);
         ++cell) {
      effect.text[cell % kCellsPerAtom] = operation.letter;
    }
    if (pieces.empty() || !model_.write_is_atom) pieces.emplace_back();
    pieces.back().effects.push_back(effect);
    const std::uint64_t reached = std::min(end, (atom + 1) * kCellsPerAtom);
    if (everything && reached > before) pieces.back().effects.push_back({Effect::kSize, file, reached, {}, 0});
  }

  // A size is tied to its write where the write is one atom, unless something orders sizes.
  const bool sizes_are_ordered = journalled() || model_.append_before_size;
  const bool size_is_part = model_.write_is_atom && !sizes_are_ordered;
  if (end > before && size_is_part) pieces.back().effects.push_back({Effect::kSize, file, end, {}, 0});

  Happening grows{{{Effect::kSize, file, end, {}, 0}}, false, false, {}};
  for (const std::size_t at : contents_of(file)) {
    const Happening& earlier = happenings_[at];
    const bool sets_size =
        std::any_of(earlier.effects.begin(), earlier.effects.end(), [](const Effect& e) { return e.what == Effect::kSize; });
    if (sizes_are_ordered && sets_size && (!earlier.metadata || journalled())) grows.needs.insert(at);
  }
  for (Happening& piece : pieces) {
    // An atom that lies within the old size is overwritten in place, not appended.
    const bool appends = (piece.effects.front().index + 1) * kCellsPerAtom > before;
    for (const std::size_t at : contents_of(file)) {
      const auto& effects = happenings_[at].effects;
      const bool data = std::any_of(effects.begin(), effects.end(), [](const Effect& e) { return e.what == Effect::kAtom; });
      if (model_.data_order == DataOrder::kFile && data && !happenings_[at].metadata) piece.needs.insert(at);
    }
    const std::size_t added = add(std::move(piece));
    if (model_.write_is_atom || (model_.append_before_size && appends)) grows.needs.insert(added);
  }
  if (end > before && !size_is_part && !everything) add(std::move(grows));
}

void NaiveDisk::resize(int file, std::uint64_t cells) {
  const NaiveState::File& now = running_.files[file];
  if (cells == now.size) return;
  std::vector<Effect> effects{{Effect::kSize, file, cells, {}, 0}};
  if (cells < now.size) {
    if (const std::uint64_t kept = cells % kCellsPerAtom; kept != 0) {
      std::string boundary = cells_of(now, cells / kCellsPerAtom);
      std::fill(boundary.begin() + static_cast<std::ptrdiff_t>(kept), boundary.end(), '\0');
      effects.push_back({Effect::kAtom, file, cells / kCellsPerAtom, boundary, 0});
    }
    for (std::uint64_t atom = atoms_in(cells); atom < atoms_in(now.size); ++atom)
      effects.push_back({Effect::kAtom, file, atom, {}, 0});
  }
  add_metadata(std::move(effects));
}

void NaiveDisk::rename(int moved, const NaiveOperation& operation) {
  const int replaced = running_.find(operation.other);
  if (replaced == moved) return;
  const auto name = [&](std::string_view path, int target) {
    return Effect{Effect::kName, running_.find(parent_of(path)), 0, std::string(name_of(path)), target};
  };
  std::vector<std::vector<Effect>> steps;
  if (model_.rename_is_split) {
    if (replaced != 0) steps.push_back({name(operation.other, 0)});
    steps.push_back({name(operation.other, moved)});
    steps.push_back({name(operation.path, 0)});
  } else {
    steps.push_back({name(operation.other, moved), name(operation.path, 0)});
  }
  const std::set<std::size_t> contents = contents_of(moved);
  for (auto& step : steps) {
    const std::size_t added = add_metadata(std::move(step));
    if (model_.rename_flushes_data && replaced != 0) happenings_[added].needs.insert(contents.begin(), contents.end());
  }
}

// --- What is durable ---

void NaiveDisk::make_durable(std::size_t at) {
  if (happenings_[at].durable) return;
  happenings_[at].durable = true;
  for (const std::size_t needed : happenings_[at].needs) make_durable(needed);
}

void NaiveDisk::sync(const std::function<bool(const Effect&)>& concerned) {
  std::set<std::pair<int, std::string>> newer;  // names that something later changed
  for (std::size_t at = happenings_.size(); at > 0; --at) {
    bool settles = happenings_[at - 1].metadata && model_.fsync_makes_all_metadata_durable;
    for (const Effect& effect : happenings_[at - 1].effects) {
      const bool newest = effect.what != Effect::kName || newer.insert({effect.inode, effect.text}).second;
      settles = settles || (newest && concerned(effect));
    }
    if (settles) make_durable(at - 1);
  }
}

void NaiveDisk::sync_file(int file) {
  sync([&](const Effect& effect) {
    if (effect.what != Effect::kName) return effect.inode == file;
    return model_.fsync_makes_new_name_durable && effect.target == file;
  });
}

bool NaiveDisk::apply(const NaiveOperation& operation) {
  const int parent = running_.find(parent_of(operation.path));
  const int inode = running_.find(operation.path);
  const std::string name(name_of(operation.path));
  const bool is_file = running_.files.contains(inode);
  switch (operation.kind) {
    case NaiveKind::kCreate:
    case NaiveKind::kMakeDirectory: {
      if (!running_.directories.contains(parent) || inode != 0) return false;
      const int made = ++last_inode_;
      for (NaiveState* state : {&start_, &running_}) {
        if (operation.kind == NaiveKind::kCreate) {
          state->files[made];
        } else {
          state->directories[made];
        }
      }
      add_metadata({{Effect::kName, parent, 0, name, made}});
      return true;
    }
    case NaiveKind::kWrite:
      if (is_file) write(inode, operation);
      return is_file;
    case NaiveKind::kResize:
      if (is_file) resize(inode, operation.offset);
      return is_file;
    case NaiveKind::kAllocate:
      if (is_file) resize(inode, std::max(running_.files[inode].size, operation.offset + operation.count));
      return is_file;
    case NaiveKind::kRename: {
      const int target = running_.find(operation.other);
      if (inode == 0 || !running_.directories.contains(running_.find(parent_of(operation.other)))) return false;
      if (running_.directories.contains(target) || (target != 0 && !is_file)) return false;
      if (!is_file && operation.other.starts_with(operation.path + "/")) return false;
      rename(inode, operation);
      return true;
    }
    case NaiveKind::kRemove:
      if (is_file) add_metadata({{Effect::kName, parent, 0, name, 0}});
      return is_file;
    case NaiveKind::kRemoveDirectory:
      if (inode == 0 || is_file || !running_.directories.at(inode).empty()) return false;
      add_metadata({{Effect::kName, parent, 0, name, 0}});
      return true;
    case NaiveKind::kSync:
      if (is_file) sync_file(inode);
      return is_file;
    case NaiveKind::kSyncDirectory:
      if (inode == 0 || is_file) return false;
      sync([&](const Effect& effect) { return effect.what == Effect::kName && effect.inode == inode; });
      return true;
  }
  return false;
}

// --- What a crash may keep ---

std::size_t NaiveDisk::pending() const {
  return static_cast<std::size_t>(
      std::count_if(happenings_.begin(), happenings_.end(), [](const Happening& h) { return !h.durable; }));
}

// Whether an atom inside the surviving size may hold garbage, what survives being given.
bool NaiveDisk::may_be_garbage(int file, std::uint64_t atom, const std::vector<bool>& survives) const {
  const auto old = start_.files.find(file);
  bool hole = old == start_.files.end() || !old->second.atoms.contains(atom);
  bool covered = old != start_.files.end() && old->second.size > atom * kCellsPerAtom;  // since it is a hole, by a durable size
  bool lost = false;  // a write of it was lost, and nothing later reached it
  for (std::size_t at = 0; at < happenings_.size(); ++at) {
    for (const Effect& effect : happenings_[at].effects) {
      if (effect.inode != file || effect.what == Effect::kName) continue;
      if (effect.what == Effect::kSize) {
        covered = covered || (happenings_[at].durable && effect.index > atom * kCellsPerAtom);
      } else if (effect.index == atom && survives[at]) {
        hole = effect.text.empty();
        covered = false;
        lost = false;
      } else if (effect.index == atom) {
        lost = lost || !effect.text.empty();
      }
    }
  }
  return (model_.unwritten_garbage && hole && !covered) || (model_.in_flight_garbage && lost);
}

// Forgets what no reader can come to: what lies beyond a size, what has no name.
void NaiveDisk::tidy(NaiveState& state) {
  std::set<int> reached{kNaiveRoot};
  for (std::vector<int> left{kNaiveRoot}; !left.empty();) {
    const int directory = left.back();
    left.pop_back();
    if (!state.directories.contains(directory)) continue;
    for (const auto& [name, target] : state.directories.at(directory)) {
      if (reached.insert(target).second) left.push_back(target);
    }
  }
  std::erase_if(state.directories, [&](const auto& entry) { return !reached.contains(entry.first); });
  std::erase_if(state.files, [&](const auto& entry) { return !reached.contains(entry.first); });
  for (auto& [inode, file] : state.files) {
    file.atoms.erase(file.atoms.lower_bound(atoms_in(file.size)), file.atoms.end());
    const auto boundary = file.atoms.find(file.size / kCellsPerAtom);
    if (boundary == file.atoms.end()) continue;
    for (std::uint64_t cell = file.size % kCellsPerAtom; cell < kCellsPerAtom; ++cell) boundary->second[cell] = '\0';
  }
}

std::set<NaiveState> NaiveDisk::crash_states() const {
  std::set<NaiveState> all;
  std::vector<bool> survives(happenings_.size(), false);
  const auto finish = [&] {
    NaiveState state = start_;
    for (std::size_t at = 0; at < happenings_.size(); ++at) {
      if (!survives[at]) continue;
      for (const Effect& effect : happenings_[at].effects) perform(state, effect);
    }
    tidy(state);
    std::vector<NaiveState> variants{state};
    for (const auto& [inode, file] : state.files) {
      for (std::uint64_t atom = 0; atom < atoms_in(file.size); ++atom) {
        if (!may_be_garbage(inode, atom, survives)) continue;
        for (std::size_t left = variants.size(); left > 0; --left) {
          NaiveState garbage = variants[left - 1];
          garbage.files[inode].atoms[atom] = std::string(kCellsPerAtom, '?');
          tidy(garbage);
          variants.push_back(std::move(garbage));
        }
      }
    }
    all.insert(variants.begin(), variants.end());
  };
  const std::function<void(std::size_t)> choose = [&](std::size_t at) {
    if (at == happenings_.size()) return finish();
    const auto& needs = happenings_[at].needs;
    if (std::all_of(needs.begin(), needs.end(), [&](std::size_t needed) { return survives[needed]; })) {
      survives[at] = true;
      choose(at + 1);
    }
    survives[at] = false;
    if (!happenings_[at].durable) choose(at + 1);
  };
  choose(0);
  return all;
}

}  // namespace powercut::testing
