#include "tests/faultfs/naive_disk.h"

#include <functional>

namespace powercut::testing {

using faultfs::DataOrder;
using faultfs::MetadataOrder;

std::string NaiveState::text() const {
  std::string out;
  std::map<int, std::string> seen;
  for (const auto& [name, inode] : names) {
    out += name;
    if (seen.contains(inode)) {
      out += "=" + seen[inode] + ";";
      continue;
    }
    seen[inode] = name;
    const File& file = files.at(inode);
    out += "[" + std::to_string(file.atoms) + "]";
    for (std::uint64_t index = 0; index < file.atoms; ++index) {
      const auto found = file.content.find(index);
      out += found == file.content.end() || found->second == 0 ? '.' : found->second;
    }
    out += ";";
  }
  return out;
}

NaiveDisk::NaiveDisk(const faultfs::PersistenceModel& model, NaiveState start) : model_(model), durable_(std::move(start)) {
  for (auto& [inode, file] : durable_.files) {
    next_inode_ = std::max(next_inode_, inode + 1);
    file.content.erase(file.content.lower_bound(file.atoms), file.content.end());
  }
  running_ = durable_;
}

void NaiveDisk::perform(NaiveState& state, const Effect& effect) {
  if (effect.what == What::kName) {
    if (effect.inode == 0) {
      state.names.erase(effect.name);
    } else {
      state.names[effect.name] = effect.inode;
      state.files[effect.inode];
    }
  } else if (effect.what == What::kSize) {
    state.files[effect.inode].atoms = effect.index;
  } else {
    state.files[effect.inode].content[effect.index] = effect.letter;
  }
}

std::size_t NaiveDisk::add(Effect effect) {
  // "Nothing is reordered": each effect needs the one before.
  if (model_.data_order == DataOrder::kEverything && !effects_.empty()) effect.needs.insert(effects_.size() - 1);
  perform(running_, effect);
  effects_.push_back(std::move(effect));
  return effects_.size() - 1;
}

std::size_t NaiveDisk::add_metadata(Effect effect) {
  if (model_.metadata_order == MetadataOrder::kJournal && last_metadata_ != SIZE_MAX) effect.needs.insert(last_metadata_);
  last_metadata_ = add(std::move(effect));
  return last_metadata_;
}

void NaiveDisk::together(std::size_t a, std::size_t b) {
  effects_[a].needs.insert(b);
  effects_[b].needs.insert(a);
}

void NaiveDisk::make_durable(std::size_t at) {
  if (effects_[at].durable) return;
  effects_[at].durable = true;
  for (const std::size_t needed : effects_[at].needs) make_durable(needed);
}

void NaiveDisk::write(const NaiveOperation& operation) {
  const int inode = running_.names.at(operation.name);
  const std::uint64_t end = operation.offset + operation.count;
  const std::uint64_t before = running_.files[inode].atoms;
  const bool extends = end > before;
  const bool everything = model_.data_order == DataOrder::kEverything;
  std::vector<std::size_t> atoms;
  std::size_t size = SIZE_MAX;
  for (std::uint64_t index = operation.offset; index < end; ++index) {
    Effect effect;
    effect.inode = inode;
    effect.index = index;
    effect.letter = operation.letter;
    if (model_.data_order == DataOrder::kFile) {
      for (std::size_t at = effects_.size(); at > 0; --at) {
        const Effect& earlier = effects_[at - 1];
        if (earlier.what == What::kAtom && earlier.inode == inode && earlier.letter != 0) {
          effect.needs.insert(at - 1);
          break;
        }
      }
    }
    atoms.push_back(add(effect));
    if (everything && !model_.write_is_atom && index + 1 > before) {
      Effect grows{What::kSize, inode, index + 1, 0, {}, false, {}};
      size = add(grows);
      together(atoms.back(), size);
    }
  }
  if (extends && size == SIZE_MAX) {
    Effect grows{What::kSize, inode, end, 0, {}, false, {}};
    const bool ordered = model_.metadata_order == MetadataOrder::kJournal || model_.append_before_size;
    if (ordered && !everything) {
      if (extended_.contains(inode)) grows.needs.insert(extended_[inode]);
      if (resized_.contains(inode)) grows.needs.insert(resized_[inode]);
    }
    size = add(grows);
    extended_[inode] = size;
    if (model_.append_before_size || (model_.write_is_atom && ordered)) {
      for (const std::size_t atom : atoms) {
        if (model_.write_is_atom || effects_[atom].index >= before) effects_[size].needs.insert(atom);
      }
    }
    if (model_.write_is_atom && (!ordered || everything)) together(size, atoms.front());
  }
  if (model_.write_is_atom) {
    for (const std::size_t atom : atoms) together(atom, atoms.front());
  }
}

void NaiveDisk::resize(const NaiveOperation& operation) {
  const int inode = running_.names.at(operation.name);
  const std::uint64_t before = running_.files[inode].atoms;
  if (operation.offset == before) return;
  const std::size_t size = add_metadata({What::kSize, inode, operation.offset, 0, {}, false, {}});
  if (model_.metadata_order == MetadataOrder::kJournal) resized_[inode] = size;
  for (std::uint64_t index = operation.offset; index < before; ++index) {
    if (!running_.files[inode].content.contains(index)) continue;
    together(size, add({What::kAtom, inode, index, 0, {}, false, {}}));
  }
}

void NaiveDisk::rename(const NaiveOperation& operation) {
  const int moved = running_.names.at(operation.name);
  const bool replaces = running_.names.contains(operation.other);
  if (replaces && running_.names.at(operation.other) == moved) return;
  const std::size_t before = effects_.size();
  const auto name = [](const std::string& text, int inode) { return Effect{What::kName, inode, 0, 0, text, false, {}}; };
  if (model_.rename_is_split) {
    if (replaces) add_metadata(name(operation.other, 0));
    add_metadata(name(operation.other, moved));
    add_metadata(name(operation.name, 0));
    return;
  }
  const std::size_t to = add_metadata(name(operation.other, moved));
  const std::size_t from = add_metadata(name(operation.name, 0));
  together(to, from);
  if (!model_.rename_flushes_data || !replaces) return;
  std::set<std::pair<What, std::uint64_t>> newest;
  for (std::size_t at = before; at > 0; --at) {
    const Effect& effect = effects_[at - 1];
    if (effect.inode != moved || effect.what == What::kName) continue;
    const std::uint64_t place = effect.what == What::kSize ? 0 : effect.index;
    if (newest.insert({effect.what, place}).second) effects_[to].needs.insert(at - 1);
  }
}

void NaiveDisk::apply(const NaiveOperation& operation) {
  const bool there = running_.names.contains(operation.name);
  const auto settle = [&](const auto& concerned) {
    for (std::size_t at = 0; at < effects_.size(); ++at) {
      const bool metadata = effects_[at].what == What::kName ||
                            (effects_[at].what == What::kSize && model_.fsync_makes_all_metadata_durable &&
                             std::any_of(resized_.begin(), resized_.end(), [&](const auto& entry) { return entry.second == at; }));
      if (concerned(effects_[at]) || (metadata && model_.fsync_makes_all_metadata_durable)) make_durable(at);
    }
    if (model_.fsync_makes_all_metadata_durable && last_metadata_ != SIZE_MAX) make_durable(last_metadata_);
  };
  switch (operation.kind) {
    case NaiveKind::kCreate:
      if (!there) {
        durable_.files[next_inode_];
        add_metadata({What::kName, next_inode_++, 0, 0, operation.name, false, {}});
      }
      return;
    case NaiveKind::kWrite:
      if (there) write(operation);
      return;
    case NaiveKind::kResize:
      if (there) resize(operation);
      return;
    case NaiveKind::kRename:
      if (there && operation.name != operation.other) rename(operation);
      return;
    case NaiveKind::kRemove:
      if (there) add_metadata({What::kName, 0, 0, 0, operation.name, false, {}});
      return;
    case NaiveKind::kSync: {
      if (!there) return;
      const int inode = running_.names.at(operation.name);
      settle([&](const Effect& effect) { return effect.what != What::kName && effect.inode == inode; });
      if (model_.fsync_makes_new_name_durable && model_.metadata_order == MetadataOrder::kAny) {
        settle([&](const Effect& effect) {
          return effect.what == What::kName && effect.inode == inode && running_.names.contains(effect.name) &&
                 running_.names.at(effect.name) == inode;
        });
      }
      return;
    }
    case NaiveKind::kSyncDirectory:
      settle([](const Effect& effect) { return effect.what == What::kName; });
      return;
  }
}

std::size_t NaiveDisk::pending() const {
  std::size_t count = 0;
  for (const Effect& effect : effects_) count += effect.durable ? 0 : 1;
  return count;
}

std::uint64_t NaiveDisk::durable_atoms(int inode) const {
  const auto found = durable_.files.find(inode);
  std::uint64_t atoms = found == durable_.files.end() ? 0 : found->second.atoms;
  for (const Effect& effect : effects_) {
    if (effect.durable && effect.what == What::kSize && effect.inode == inode) atoms = effect.index;
  }
  return atoms;
}

std::vector<NaiveState> NaiveDisk::crash_states() const {
  std::vector<NaiveState> all;
  std::vector<bool> survives(effects_.size(), false);
  const auto finish = [&] {
    for (std::size_t at = 0; at < effects_.size(); ++at) {
      if (!survives[at]) continue;
      for (const std::size_t needed : effects_[at].needs) {
        if (!survives[needed]) return;
      }
    }
    NaiveState state = durable_;
    for (std::size_t at = 0; at < effects_.size(); ++at) {
      if (survives[at]) perform(state, effects_[at]);
    }
    std::vector<NaiveState> variants{state};
    for (auto& [inode, file] : state.files) {
      if (!model_.unwritten_garbage) break;
      for (std::uint64_t index = durable_atoms(inode); index < file.atoms; ++index) {
        if (file.content.contains(index)) continue;
        const std::size_t count = variants.size();
        for (std::size_t at = 0; at < count; ++at) {
          NaiveState garbage = variants[at];
          garbage.files[inode].content[index] = '?';
          variants.push_back(std::move(garbage));
        }
      }
    }
    all.insert(all.end(), variants.begin(), variants.end());
  };
  const std::function<void(std::size_t)> choose = [&](std::size_t at) {
    if (at == effects_.size()) return finish();
    survives[at] = true;
    choose(at + 1);
    if (effects_[at].durable) return;
    survives[at] = false;
    choose(at + 1);
  };
  choose(0);
  return all;
}

}  // namespace powercut::testing
