// The running half of the simulated disk: what each operation adds to the chains, and what a sync settles.
#include "faultfs/sim_disk.h"

#include "faultfs/assert.h"

#include <algorithm>

namespace powercut::faultfs {
namespace {

constexpr std::uint32_t kJournalDomain = 1;  // or, with DataOrder::kEverything, the domain of all events

// Takes bytes from several buffers in order.
class Gather {
 public:
  explicit Gather(std::span<const std::span<const byte>> buffers) : buffers_(buffers) {}

  void take(byte* to, std::size_t count) {
    while (count > 0) {
      const auto& buffer = buffers_.front();
      const std::size_t now = std::min(count, buffer.size() - used_);
      if (now > 0) std::memcpy(to, buffer.data() + used_, now);
      to += now;
      count -= now;
      used_ += now;
      if (used_ == buffer.size()) {
        buffers_ = buffers_.subspan(1);
        used_ = 0;
      }
    }
  }

 private:
  std::span<const std::span<const byte>> buffers_;
  std::size_t used_ = 0;
};

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) { return (value + by - 1) / by; }

}  // namespace

void SimDisk::Node::clear() {
  for (const auto index : touched) atoms[index] = kNone;
  touched.clear();
  pending.clear();
  forgotten.clear();
  names.clear();
  known = false;
  is_directory = false;
  clean_from = kUnclean;
  size = kNone;
  data_domain = 0;
  size_domain = 0;
  resized = {};
}

void SimDisk::clear() {
  for (const InodeId inode : known_) nodes_[inode].clear();
  known_.clear();
  domains_.assign(2, {});
  requirements_.clear();
  operation_ = 0;
  base_ = nullptr;
  choices_ = nullptr;
  depth_ = 0;
  last_inode_ = 0;
  versions_.reset(model_.atom_bytes);
  if (zeros_.size() != model_.atom_bytes) zeros_.assign(model_.atom_bytes, byte{0});
}

void SimDisk::format(const PersistenceModel& model) {
  model_ = model;
  clear();
  const InodeId root = new_inode(true);
  POWERCUT_ASSERT(root == kRootInode, "the root is the first inode");
}

SimDisk::Node& SimDisk::node(InodeId inode) {
  if (nodes_.size() <= inode) nodes_.resize(inode + 1);
  Node& found = nodes_[inode];
  if (!found.known) {
    found.known = true;
    found.is_directory = base_ != nullptr && inode <= base_->last_inode_ && base_->is_directory(inode);
    known_.push_back(inode);
  }
  return found;
}

const SimDisk::Node* SimDisk::find_node(InodeId inode) const {
  return inode < nodes_.size() && nodes_[inode].known ? &nodes_[inode] : nullptr;
}

InodeId SimDisk::new_inode(bool directory) {
  const InodeId inode = ++last_inode_;
  Node& made = node(inode);
  made.is_directory = directory;
  if (!directory) put_size(made, 0, {}, true);
  return inode;
}

bool SimDisk::is_directory(InodeId inode) const {
  for (const SimDisk* disk = this; disk != nullptr; disk = disk->base_) {
    if (const Node* found = disk->find_node(inode)) return found->is_directory;
  }
  return false;
}

SimDisk::Name* SimDisk::find_name(Node& directory, std::string_view name) {
  const auto place = std::lower_bound(directory.names.begin(), directory.names.end(), name,
                                      [](const Name& entry, std::string_view wanted) { return entry.name < wanted; });
  return place != directory.names.end() && place->name == name ? &*place : nullptr;
}

const SimDisk::Name* SimDisk::find_name(const Node& directory, std::string_view name) {
  return find_name(const_cast<Node&>(directory), name);
}

VersionIndex SimDisk::newest_of(const ChainId& chain) const {
  const Node* found = find_node(chain.inode);
  if (found == nullptr) return kNone;
  switch (chain.kind) {
    case ChainKind::kAtom:
      return chain.index < found->atoms.size() ? found->atoms[chain.index] : kNone;
    case ChainKind::kSize:
      return found->size;
    case ChainKind::kName: {
      const Name* entry = find_name(*found, chain.name);
      return entry == nullptr ? kNone : entry->newest;
    }
  }
  return kNone;
}

// --- Events ---

std::uint32_t SimDisk::new_domain() {
  domains_.emplace_back();
  return static_cast<std::uint32_t>(domains_.size() - 1);
}

Event SimDisk::next_event(std::uint32_t domain) { return {domain, domains_[domain].count++}; }

bool SimDisk::journalled() const {
  return model_.metadata_order == MetadataOrder::kJournal || model_.data_order == DataOrder::kEverything;
}

Event SimDisk::metadata_event() { return journalled() ? group_event() : Event{}; }

Event SimDisk::group_event() {
  const Event event = next_event(journalled() ? kJournalDomain : new_domain());
  domains_[event.domain].metadata = domains_[event.domain].count;
  return event;
}

// The event of a write that has a place in an order or is one atom.
Event SimDisk::write_event(Node& node) {
  if (model_.data_order == DataOrder::kEverything) return next_event(kJournalDomain);
  if (model_.data_order == DataOrder::kAny) return next_event(new_domain());
  if (node.data_domain == 0) node.data_domain = new_domain();
  return next_event(node.data_domain);
}

// The event by which appended bytes come inside the size. It has a place of its own, not in the journal: with delayed
// allocation the size follows the data, whenever that is written. But it cannot overtake a truncation before it.
Event SimDisk::extension_event(Node& node) {
  if (model_.metadata_order == MetadataOrder::kAny && !model_.append_before_size) return {};
  if (node.size_domain == 0) node.size_domain = new_domain();
  const Event event = next_event(node.size_domain);
  if (node.resized.domain != 0) requirements_.push_back({event, node.resized});
  return event;
}

void SimDisk::make_durable(VersionIndex index) {
  const Event tie = versions_[index].tie;
  if (tie.domain != 0) domains_[tie.domain].durable = std::max(domains_[tie.domain].durable, tie.position + 1);
  versions_.settle(index);
}

// --- Chains ---

const byte* SimDisk::atom(Node& node, InodeId inode, std::uint64_t index) {
  const VersionIndex newest = index < node.atoms.size() ? node.atoms[index] : kNone;
  if (newest > kHole) return versions_[newest].bytes();
  if (newest == kHole || base_ == nullptr || index * model_.atom_bytes >= node.clean_from) return zeros();
  return reinterpret_cast<const byte*>(resolve({ChainKind::kAtom, inode, index}));
}

bool SimDisk::has_content(InodeId inode, std::uint64_t index) const {
  for (const SimDisk* disk = this; disk != nullptr; disk = disk->base_) {
    const VersionIndex newest = disk->newest_of({ChainKind::kAtom, inode, index});
    if (newest != kNone) return newest != kHole;
  }
  return false;
}

void SimDisk::entry(Node& node, std::uint64_t index, VersionIndex newest) {
  if (index >= node.atoms.size()) node.atoms.resize(index + 1, kNone);
  if (node.atoms[index] == kNone) node.touched.push_back(static_cast<std::uint32_t>(index));
  node.atoms[index] = newest;
}

void SimDisk::put_atom(Node& node, std::uint64_t index, Version version) {
  const VersionIndex before = index < node.atoms.size() ? node.atoms[index] : kNone;
  const bool was_pending = before > kHole && !versions_[before].durable && !versions_[before].forgotten;
  version.below = before;
  version.operation = operation_;
  entry(node, index, versions_.add(version));
  if (!was_pending) node.pending.push_back(static_cast<std::uint32_t>(index));
}

void SimDisk::put_size(Node& node, std::uint64_t bytes, Event tie, bool durable) {
  Version version;
  version.value = bytes;
  version.below = node.size;
  version.operation = operation_;
  version.tie = tie;
  version.durable = durable;
  node.size = versions_.add(version);
}

void SimDisk::put_name(Node& directory, std::string_view name, InodeId target, Event tie, bool durable) {
  Name* entry = find_name(directory, name);
  if (entry == nullptr) {
    const auto place = std::lower_bound(directory.names.begin(), directory.names.end(), name,
                                        [](const Name& known, std::string_view wanted) { return known.name < wanted; });
    entry = &*directory.names.insert(place, Name{std::string(name), kNone});
  }
  Version version;
  version.value = target;
  version.below = entry->newest;
  version.operation = operation_;
  version.tie = tie;
  version.durable = durable;
  entry->newest = versions_.add(version);
}

// Before a booted disk's file grows: bytes that were on the platter beyond the surviving size do not come back.
void SimDisk::clean_tail(Node& node, InodeId inode, std::uint64_t size) {
  if (base_ == nullptr || node.clean_from != Node::kUnclean) return;
  node.clean_from = size;
  const std::uint64_t boundary = size / model_.atom_bytes;
  const std::size_t kept = size % model_.atom_bytes;
  if (kept != 0) {
    Version version;
    version.value = reinterpret_cast<std::uint64_t>(atom(node, inode, boundary));
    version.durable = true;
    if (boundary >= node.atoms.size() || node.atoms[boundary] == kNone) entry(node, boundary, versions_.add(version));
    VersionIndex oldest = node.atoms[boundary];
    while (versions_[oldest].below > kHole) oldest = versions_[oldest].below;
    if (!versions_[oldest].durable && versions_[oldest].below == kNone) {
      // Written in part, so it was read, and what lies below is known.
      const bool known = settled_value({ChainKind::kAtom, inode, boundary}, version.value);
      POWERCUT_ASSERT(known, "what was read has one value");
      const VersionIndex bottom = versions_.add(version);
      versions_[oldest].below = bottom;
    }
    for (VersionIndex index = node.atoms[boundary]; index > kHole; index = versions_[index].below) {
      Version& cleaned = versions_[index];
      if (!cleaned.owns_bytes) {
        byte* const copy = versions_.new_atom();
        std::memcpy(copy, cleaned.bytes(), kept);
        cleaned.value = reinterpret_cast<std::uint64_t>(copy);
        cleaned.owns_bytes = true;
      }
      std::memset(reinterpret_cast<byte*>(cleaned.value) + kept, 0, model_.atom_bytes - kept);
    }
  }
  std::size_t atoms_below = 0;
  for (const SimDisk* disk = base_; disk != nullptr; disk = disk->base_) {
    if (const Node* found = disk->find_node(inode)) atoms_below = std::max(atoms_below, found->atoms.size());
  }
  for (std::uint64_t index = divide_up(size, model_.atom_bytes); index < atoms_below; ++index) {
    if (index >= node.atoms.size() || node.atoms[index] == kNone) entry(node, index, kHole);
  }
}

// --- Directories ---

InodeId SimDisk::lookup(InodeId directory, std::string_view name) {
  const ChainId chain{ChainKind::kName, directory, 0, name};
  const VersionIndex newest = newest_of(chain);
  if (newest != kNone) return static_cast<InodeId>(versions_[newest].value);
  return base_ == nullptr ? 0 : static_cast<InodeId>(resolve(chain));
}

std::vector<std::string> SimDisk::names(InodeId directory) {
  std::vector<std::string> all;
  for (const SimDisk* disk = this; disk != nullptr; disk = disk->base_) {
    if (const Node* found = disk->find_node(directory)) {
      for (const Name& entry : found->names) all.push_back(entry.name);
    }
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::erase_if(all, [&](const std::string& name) { return lookup(directory, name) == 0; });
  return all;
}

InodeId SimDisk::create(InodeId directory, std::string_view name, bool directory_itself) {
  ++operation_;
  const InodeId made = new_inode(directory_itself);
  put_name(node(directory), name, made, metadata_event());
  return made;
}

void SimDisk::unlink(InodeId directory, std::string_view name) {
  ++operation_;
  put_name(node(directory), name, 0, metadata_event());
}

void SimDisk::rename(InodeId from_directory, std::string_view from, InodeId to_directory, std::string_view to) {
  ++operation_;
  const InodeId moved = lookup(from_directory, from);
  const InodeId replaced = lookup(to_directory, to);
  if (moved == replaced) return;
  // Each step, or the one that there is, survives only if the data does that it is to follow.
  const bool flushes = model_.rename_flushes_data && replaced != 0 && !is_directory(moved);
  Event flushed;
  if (flushes) {
    flushed = journalled() ? group_event() : next_event(new_domain());
    order_after_data(flushed, moved);
  }
  const auto step = [&] {
    const Event event = flushes || !model_.rename_is_split ? group_event() : metadata_event();
    if (flushes && !journalled()) requirements_.push_back({event, flushed});
    return event;
  };
  if (model_.rename_is_split) {
    if (replaced != 0) put_name(node(to_directory), to, 0, step());
    put_name(node(to_directory), to, moved, step());
    put_name(node(from_directory), from, 0, step());
    return;
  }
  const Event event = step();
  put_name(node(to_directory), to, moved, event);
  put_name(node(from_directory), from, 0, event);
}

// The event survives only if what the file holds now does. A version that has a floor is reached through that: what
// else has the same floor is older than what the file holds now, or part of it.
void SimDisk::order_after_data(Event event, InodeId file) {
  Node& from = node(file);
  const auto order = [&](Version& newest) {
    if (newest.tie.domain != 0) {
      requirements_.push_back({event, newest.tie});
    } else if (newest.floor.domain != 0) {
      requirements_.push_back({event, newest.floor});
    } else {
      newest.floor = event;
    }
  };
  for (const auto index : from.pending) order(versions_[from.atoms[index]]);
  if (from.size != kNone && !versions_[from.size].durable) order(versions_[from.size]);
}

void SimDisk::sync_directory(InodeId directory) {
  if (crash_hook_) crash_hook_();
  ++operation_;
  for (const Name& entry : node(directory).names) {
    if (!versions_[entry.newest].durable) make_durable(entry.newest);
  }
  if (model_.fsync_makes_all_metadata_durable) make_metadata_durable();
}

void SimDisk::make_metadata_durable() {
  const auto settle = [](Domain& domain) { domain.durable = std::max(domain.durable, domain.metadata); };
  if (journalled()) return settle(domains_[kJournalDomain]);
  for (Domain& domain : domains_) settle(domain);
  for (const InodeId inode : known_) {
    for (const Name& entry : nodes_[inode].names) {
      if (!versions_[entry.newest].durable) make_durable(entry.newest);
    }
  }
}

// --- Files ---

std::uint64_t SimDisk::size(InodeId file) {
  const Node* found = find_node(file);
  if (found != nullptr && found->size != kNone) return versions_[found->size].value;
  return base_ == nullptr ? 0 : resolve({ChainKind::kSize, file});
}

std::size_t SimDisk::read(InodeId file, std::uint64_t offset, std::span<byte> into) {
  std::size_t count = into.size();
  if (!covers(file, offset + count)) {
    const std::uint64_t end = size(file);
    if (offset >= end) return 0;
    count = static_cast<std::size_t>(std::min<std::uint64_t>(count, end - offset));
  }
  Node& from = node(file);
  std::uint64_t index = offset / model_.atom_bytes;
  std::size_t skip = offset % model_.atom_bytes;
  for (std::size_t done = 0; done < count; ++index) {
    const std::size_t now = std::min<std::size_t>(model_.atom_bytes - skip, count - done);
    std::memcpy(into.data() + done, atom(from, file, index) + skip, now);
    done += now;
    skip = 0;
  }
  return count;
}

void SimDisk::write(InodeId file, std::uint64_t offset, std::span<const std::span<const byte>> buffers) {
  ++operation_;
  std::uint64_t end = offset;
  for (const auto& buffer : buffers) end += buffer.size();
  if (end == offset) return;

  Node& to = node(file);
  std::uint64_t known_size = end;
  if (!covers(file, end)) {
    known_size = size(file);
    if (end > known_size) clean_tail(to, file, known_size);
  }
  const bool extends = end > known_size;
  const bool everything_ordered = model_.data_order == DataOrder::kEverything;

  Event whole;  // of the whole write, where it is one atom
  if (model_.write_is_atom) whole = write_event(to);
  Event extension;
  if (extends && !everything_ordered) {
    extension = extension_event(to);
    if (whole.domain != 0) {
      if (extension.domain != 0) {
        requirements_.push_back({extension, whole});
      } else {
        extension = whole;
      }
    }
    put_size(to, end, extension);
  } else if (extends && whole.domain != 0) {
    put_size(to, end, whole);
  }

  Gather gather(buffers);
  while (offset < end) {
    const std::uint64_t index = offset / model_.atom_bytes;
    const std::size_t begin = offset % model_.atom_bytes;
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(model_.atom_bytes - begin, end - offset));
    byte* const fresh = versions_.new_atom();
    if (count < model_.atom_bytes) std::memcpy(fresh, atom(to, file, index), model_.atom_bytes);
    gather.take(fresh + begin, count);
    offset += count;

    Version version;
    version.value = reinterpret_cast<std::uint64_t>(fresh);
    version.owns_bytes = true;
    if (whole.domain != 0) {
      version.tie = whole;
    } else if (everything_ordered) {
      version.tie = write_event(to);
      if (offset > known_size) put_size(to, offset, version.tie);
    } else {
      if (model_.data_order == DataOrder::kFile) version.tie = write_event(to);
      if (offset > known_size && model_.append_before_size) {
        if (version.tie.domain != 0) {
          requirements_.push_back({extension, version.tie});
        } else {
          version.floor = extension;
        }
      }
    }
    put_atom(to, index, version);
  }
}

void SimDisk::resize(InodeId file, std::uint64_t bytes) {
  ++operation_;
  const std::uint64_t before = size(file);
  if (bytes == before) return;
  Node& changed = node(file);
  clean_tail(changed, file, before);
  const Event event = group_event();
  if (model_.metadata_order == MetadataOrder::kJournal) changed.resized = event;
  put_size(changed, bytes, event);
  if (bytes > before) return;

  // What is cut off reads as zeros if the file grows again.
  std::uint64_t index = bytes / model_.atom_bytes;
  if (const std::size_t kept = bytes % model_.atom_bytes; kept != 0) {
    byte* const fresh = versions_.new_atom();
    std::memcpy(fresh, atom(changed, file, index), kept);
    std::memset(fresh + kept, 0, model_.atom_bytes - kept);
    Version version;
    version.value = reinterpret_cast<std::uint64_t>(fresh);
    version.owns_bytes = true;
    version.tie = event;
    put_atom(changed, index, version);
    ++index;
  }
  for (; index < divide_up(before, model_.atom_bytes); ++index) {
    if (!model_.unwritten_garbage && !has_content(file, index)) continue;
    Version version;
    version.value = reinterpret_cast<std::uint64_t>(zeros());
    version.hole = true;
    version.tie = event;
    put_atom(changed, index, version);
  }
}

void SimDisk::allocate(InodeId file, std::uint64_t offset, std::uint64_t bytes) {
  if (offset + bytes > size(file)) {
    resize(file, offset + bytes);
  } else {
    ++operation_;
  }
}

void SimDisk::sync_file(InodeId file) {
  if (crash_hook_) crash_hook_();
  ++operation_;
  Node& synced = node(file);
  for (const auto index : synced.pending) make_durable(synced.atoms[index]);
  synced.pending.clear();
  if (synced.size != kNone && !versions_[synced.size].durable) make_durable(synced.size);
  if (synced.size_domain != 0) domains_[synced.size_domain].durable = domains_[synced.size_domain].count;
  if (model_.fsync_makes_all_metadata_durable) {
    make_metadata_durable();
  } else if (model_.fsync_makes_new_name_durable) {
    for (const InodeId inode : known_) {
      for (const Name& entry : nodes_[inode].names) {
        const Version& newest = versions_[entry.newest];
        if (newest.value == file && !newest.durable) make_durable(entry.newest);
      }
    }
  }
}

// --- A disk that fails or lies ---

void SimDisk::fail_sync(InodeId file) {
  if (crash_hook_) crash_hook_();
  ++operation_;
  Node& failed = node(file);
  for (const auto index : failed.pending) {
    if (model_.failed_sync_shows_old) {
      // Copy on write: what was to be written was never part of the file.
      VersionIndex old = failed.atoms[index];
      while (old > kHole && !versions_[old].durable) old = versions_[old].below;
      failed.atoms[index] = old;
      continue;
    }
    versions_[failed.atoms[index]].forgotten = true;
    failed.forgotten.push_back(index);
  }
  failed.pending.clear();
}

void SimDisk::forget(InodeId file, std::uint64_t offset, std::uint64_t bytes) {
  Node& liar = node(file);
  for (std::uint64_t index = offset / model_.atom_bytes; index * model_.atom_bytes < offset + bytes; ++index) {
    if (index >= liar.atoms.size() || liar.atoms[index] <= kHole) continue;
    Version& newest = versions_[liar.atoms[index]];
    if (newest.durable || newest.forgotten) continue;
    newest.forgotten = true;
    std::erase(liar.pending, static_cast<std::uint32_t>(index));
    liar.forgotten.push_back(static_cast<std::uint32_t>(index));
  }
}

void SimDisk::overwrite_below(InodeId file, std::uint64_t offset, std::span<const byte> bytes) {
  const std::uint64_t end = std::min<std::uint64_t>(offset + bytes.size(), size(file));
  Node& victim = node(file);
  const auto put_copy = [&](std::uint64_t index) {
    byte* const copy = versions_.new_atom();
    std::memcpy(copy, atom(victim, file, index), model_.atom_bytes);
    Version version;
    version.value = reinterpret_cast<std::uint64_t>(copy);
    version.owns_bytes = true;
    put_atom(victim, index, version);
    return copy;
  };
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t index = at / model_.atom_bytes;
    const std::size_t begin = at % model_.atom_bytes;
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(model_.atom_bytes - begin, end - at));
    const VersionIndex before = index < victim.atoms.size() ? victim.atoms[index] : kNone;
    const bool will_be_written = before > kHole && !versions_[before].durable && !versions_[before].forgotten;
    byte* const wrong = put_copy(index);
    put_copy(index);
    std::memcpy(wrong + begin, bytes.data() + (at - offset), count);
    if (!will_be_written) forget(file, index * model_.atom_bytes, model_.atom_bytes);
    at += count;
  }
}

// --- For people ---

std::uint64_t SimDisk::pending_chains() const {
  std::uint64_t count = 0;
  for_each_pending([&](const PendingChange&) { ++count; });
  return count;
}

void SimDisk::for_each_pending(const std::function<void(const PendingChange&)>& visit) const {
  const auto is_durable = [&](const Version& version) {
    return version.durable || (version.tie.domain != 0 && version.tie.position < domains_[version.tie.domain].durable) ||
           (version.floor.domain != 0 && version.floor.position < domains_[version.floor.domain].durable);
  };
  std::vector<InodeId> inodes = known_;
  std::sort(inodes.begin(), inodes.end());
  for (const InodeId inode : inodes) {
    const Node& from = nodes_[inode];
    for (const Name& entry : from.names) {
      const Version& newest = versions_[entry.newest];
      if (!is_durable(newest)) visit({ChainKind::kName, inode, 0, entry.name, newest.operation});
    }
    if (from.size != kNone && !is_durable(versions_[from.size])) {
      visit({ChainKind::kSize, inode, 0, {}, versions_[from.size].operation});
    }
    std::vector<std::uint32_t> atoms = from.pending;
    atoms.insert(atoms.end(), from.forgotten.begin(), from.forgotten.end());
    std::sort(atoms.begin(), atoms.end());
    atoms.erase(std::unique(atoms.begin(), atoms.end()), atoms.end());
    for (const auto index : atoms) {
      const Version& newest = versions_[from.atoms[index]];
      if (!is_durable(newest)) visit({ChainKind::kAtom, inode, index, {}, newest.operation});
    }
  }
}

std::string SimDisk::path_of(InodeId inode) const {
  if (inode == kRootInode) return "/";
  // The newest name that stands for it; else one that once did.
  for (const bool also_old : {false, true}) {
    for (const SimDisk* disk = this; disk != nullptr; disk = disk->base_) {
      for (const InodeId directory : disk->known_) {
        for (const Name& entry : disk->nodes_[directory].names) {
          for (VersionIndex index = entry.newest; index > kHole; index = also_old ? disk->versions_[index].below : kNone) {
            if (disk->versions_[index].value != inode) continue;
            return (directory == kRootInode ? "" : path_of(directory) + "/") + entry.name;
          }
        }
      }
    }
  }
  return "?";
}

}  // namespace powercut::faultfs
