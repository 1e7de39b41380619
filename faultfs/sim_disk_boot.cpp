// The crashed half of the simulated disk: which values of a chain are still possible, and what an answer implies.
#include "faultfs/sim_disk.h"

#include "faultfs/assert.h"
#include "faultfs/hash.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace powercut::faultfs {

void SimDisk::boot(const SimDisk& crashed, Choices& choices) {
  POWERCUT_ASSERT(&crashed != this, "a disk cannot be booted from itself");
  if (model_ != crashed.model_) model_ = crashed.model_;
  clear();
  base_ = &crashed;
  choices_ = &choices;
  last_inode_ = crashed.last_inode_;
  depth_ = crashed.depth_ + 1;
  if (cuts_.size() < depth_) cuts_.resize(depth_);
  for (std::uint32_t level = 1; level < depth_; ++level) cuts_[level] = crashed.cuts_[level - 1];
  cuts_[0].clear();
  for (const Domain& domain : crashed.domains_) cuts_[0].push_back({domain.durable, domain.count, domain.durable});
  for (const Requirement& requirement : crashed.requirements_) {
    if (requirement.a.position < cuts_[0][requirement.a.domain].lo) mark_in(0, requirement.b);
  }
  if (!crashed.requirements_.empty()) {
    for (Cut& cut : cuts_[0]) cut.durable = cut.lo;
  }
}

const SimDisk& SimDisk::below(std::uint32_t level) const {
  const SimDisk* disk = base_;
  for (; level > 0; --level) disk = disk->base_;
  return *disk;
}

bool SimDisk::feasible(std::uint32_t level, const Version& version) const {
  return version.tie.domain == 0 || version.tie.position < cuts_[level][version.tie.domain].hi;
}

bool SimDisk::forced(std::uint32_t level, const Version& version) const {
  return version.durable || (version.tie.domain != 0 && version.tie.position < cuts_[level][version.tie.domain].lo) ||
         (version.floor.domain != 0 && version.floor.position < cuts_[level][version.floor.domain].lo);
}

// Prefixes of domains tied by implications form a lattice, so keeping each interval consistent with its neighbours is
// enough: every value left in one interval is part of a whole solution.
void SimDisk::mark_in(std::uint32_t level, const Event& event) {
  Cut& cut = cuts_[level][event.domain];
  if (cut.lo > event.position) return;
  cut.lo = event.position + 1;
  POWERCUT_ASSERT(cut.lo <= cut.hi, "an event cannot both survive and be lost");
  for (const Requirement& requirement : below(level).requirements_) {
    if (requirement.a.domain == event.domain && requirement.a.position < cuts_[level][event.domain].lo)
      mark_in(level, requirement.b);
  }
}

void SimDisk::mark_out(std::uint32_t level, const Event& event) {
  Cut& cut = cuts_[level][event.domain];
  if (cut.hi <= event.position) return;
  cut.hi = event.position;
  POWERCUT_ASSERT(cut.lo <= cut.hi, "an event cannot both survive and be lost");
  for (const Requirement& requirement : below(level).requirements_) {
    if (requirement.b.domain == event.domain && requirement.b.position >= cuts_[level][event.domain].hi)
      mark_out(level, requirement.a);
  }
}

// Whether the version could not be lost, whatever was answered since.
bool SimDisk::durable(std::uint32_t level, const Version& version) const {
  const auto is_durable = [&](const Event& event) {
    return event.domain != 0 && event.position < cuts_[level][event.domain].durable;
  };
  return version.durable || is_durable(version.tie) || is_durable(version.floor);
}

std::uint64_t SimDisk::durable_size(std::uint32_t level, InodeId file) const {
  for (const SimDisk* disk = &below(level); disk != nullptr; disk = disk->base_, ++level) {
    const Node* found = disk->find_node(file);
    for (VersionIndex index = found == nullptr ? kNone : found->size; index > kHole; index = disk->versions_[index].below) {
      const Version& version = disk->versions_[index];
      if (durable(level, version)) return version.value;
    }
    if (found != nullptr && found->clean_from != Node::kUnclean) return found->clean_from;
  }
  return 0;
}

// Whether an atom of which no version is in may be garbage although no write was in flight: it came inside the size, and
// that was not durable. The chain ends in the disk of `level`.
bool SimDisk::may_be_garbage(const ChainId& chain, std::uint32_t level) const {
  if (chain.kind != ChainKind::kAtom || !model_.unwritten_garbage) return false;
  for (std::uint32_t at = 0; at <= level && at < depth_; ++at) {
    if (chain.index * model_.atom_bytes >= durable_size(at, chain.inode)) return true;
    const Node* found = below(at).find_node(chain.inode);
    if (found != nullptr && chain.index * model_.atom_bytes >= found->clean_from) return false;
  }
  return false;
}

// The same of an atom that a truncation cut off.
bool SimDisk::exposed(const ChainId& chain, std::uint32_t level, const Version& hole) const {
  return model_.unwritten_garbage && (!durable(level, hole) || chain.index * model_.atom_bytes >= durable_size(level, chain.inode));
}

// The chain's value if only one is possible and no question needs to be asked. The path of nearly every read.
bool SimDisk::settled_value(const ChainId& chain, std::uint64_t& value) const {
  const SimDisk* disk = base_;
  for (std::uint32_t level = 0; level < depth_; ++level, disk = disk->base_) {
    const VersionIndex newest = disk->newest_of(chain);
    if (newest == kNone) continue;
    if (newest == kHole) {
      if (may_be_garbage(chain, level)) return false;
      break;
    }
    const Version& version = disk->versions_[newest];
    if (!forced(level, version) || (version.hole && exposed(chain, level, version))) return false;
    value = version.value;
    return true;
  }
  if (disk == nullptr && may_be_garbage(chain, depth_ - 1)) return false;
  value = chain.kind == ChainKind::kAtom ? reinterpret_cast<std::uint64_t>(zeros()) : 0;
  return true;
}

// The values first, the newest before the older; then garbage, wherever in the chain it comes from.
void SimDisk::collect(const ChainId& chain, std::vector<Candidate>& out) const {
  out.clear();
  garbage_.clear();
  const auto so_far = [&] { return static_cast<std::uint32_t>(out.size()); };
  const bool tears = chain.kind == ChainKind::kAtom && model_.in_flight_garbage;
  bool torn = false;  // the newest write that may be lost was seen; what it leaves covers all older garbage
  bool ended = false;
  const SimDisk* disk = base_;
  std::uint32_t level = 0;
  for (; level < depth_; ++level, disk = disk->base_) {
    VersionIndex index = disk->newest_of(chain);
    for (; index > kHole && !ended; index = disk->versions_[index].below) {
      const Version& version = disk->versions_[index];
      const bool in = feasible(level, version);
      if (in && version.hole && !torn && exposed(chain, level, version)) garbage_.push_back({0, &version, level, true, so_far()});
      if (in) out.push_back({version.value, &version, level, false, so_far()});
      ended = forced(level, version);
      if (tears && !torn && !ended && !version.hole) {
        torn = true;
        garbage_.push_back({0, nullptr, level, true, so_far()});
      }
    }
    if (ended || index == kHole) break;
  }
  if (!ended) {
    const std::uint32_t bottom = std::min(level, depth_ - 1);
    if (!torn && may_be_garbage(chain, bottom)) garbage_.push_back({0, nullptr, bottom, true, so_far()});
    out.push_back(
        {chain.kind == ChainKind::kAtom ? reinterpret_cast<std::uint64_t>(zeros()) : 0, nullptr, bottom, false, so_far()});
  }
  out.insert(out.end(), garbage_.begin(), garbage_.end());
}

bool SimDisk::same_value(ChainKind kind, const Candidate& a, const Candidate& b) const {
  if (a.garbage || b.garbage) return false;
  if (a.value == b.value) return true;
  return kind == ChainKind::kAtom &&
         std::memcmp(reinterpret_cast<const byte*>(a.value), reinterpret_cast<const byte*>(b.value), model_.atom_bytes) == 0;
}

// Puts candidates of equal value into one group where that loses no state: neighbours, unless their survival hangs on
// different domains; and, where nothing in the chain hangs on anything, wherever they are.
void SimDisk::group(ChainKind kind) {
  groups_.clear();
  const auto free = [](const Candidate& candidate) {
    return candidate.version == nullptr || (candidate.version->tie.domain == 0 && candidate.version->floor.domain == 0);
  };
  const auto joins = [&](const Candidate& newer, const Candidate& older) {
    if (newer.version == nullptr || older.version == nullptr) return true;
    const auto a = newer.version->tie.domain;
    const auto b = older.version->tie.domain;
    return a == 0 || b == 0 || (a == b && newer.level == older.level);
  };
  bool all_free = true;
  for (std::uint32_t at = 0; at < candidates_.size(); ++at) {
    all_free = all_free && free(candidates_[at]);
    if (!groups_.empty() && same_value(kind, candidates_[groups_.back().first], candidates_[at]) &&
        joins(candidates_[at - 1], candidates_[at])) {
      groups_.back().last = at;
      continue;
    }
    const bool seen = all_free && std::any_of(groups_.begin(), groups_.end(), [&](const CandidateGroup& known) {
                        return same_value(kind, candidates_[known.first], candidates_[at]);
                      });
    if (!seen) groups_.push_back({at, at});
  }
}

std::uint64_t SimDisk::resolve(const ChainId& chain) {
  std::uint64_t value = 0;
  if (settled_value(chain, value)) return value;
  collect(chain, candidates_);
  group(chain.kind);
  static constexpr std::string_view kQuestion[] = {"atom", "size", "name"};
  const auto options = static_cast<std::uint32_t>(groups_.size());
  const auto oldest = options - static_cast<std::uint32_t>(garbage_.size()) - 1;  // no garbage is like anything else
  const auto picked = choices_->pick(
      options, {kQuestion[static_cast<std::size_t>(chain.kind)], chain.inode, chain.index, false, chain.name, depth_, oldest});
  const CandidateGroup chosen = groups_[picked];
  const Candidate survivor = candidates_[chosen.first];
  for (std::uint32_t at = 0; at < survivor.lost; ++at) {
    const Version* lost = candidates_[at].version;
    if (lost == nullptr) continue;
    if (lost->tie.domain != 0) mark_out(candidates_[at].level, lost->tie);
    if (lost->floor.domain != 0) mark_out(candidates_[at].level, lost->floor);
  }
  // One of the group's versions is in. If one is free nothing follows; if all hang on one domain, the oldest is in.
  bool all_tied = true;
  for (std::uint32_t at = chosen.first; at <= chosen.last; ++at) {
    all_tied = all_tied && candidates_[at].version != nullptr && candidates_[at].version->tie.domain != 0;
  }
  if (all_tied) mark_in(candidates_[chosen.last].level, candidates_[chosen.last].version->tie);

  value = survivor.garbage ? reinterpret_cast<std::uint64_t>(garbage_atom(chain)) : survivor.value;
  Version kept;
  kept.value = value;
  kept.owns_bytes = survivor.garbage;
  kept.durable = true;
  Node& here = node(chain.inode);
  switch (chain.kind) {
    case ChainKind::kAtom:
      entry(here, chain.index, versions_.add(kept));
      break;
    case ChainKind::kSize:
      here.size = versions_.add(kept);
      break;
    case ChainKind::kName:
      put_name(here, chain.name, static_cast<InodeId>(value), {}, true);
      break;
  }
  if (observer_) {
    Resolution told;
    told.kind = chain.kind;
    told.inode = chain.inode;
    told.index = chain.index;
    told.name = chain.name;
    told.newest = candidates_.front().version == nullptr ? 0 : candidates_.front().version->operation;
    told.survivor = survivor.version == nullptr || survivor.garbage ? 0 : survivor.version->operation;
    told.garbage = survivor.garbage;
    told.value = chain.kind == ChainKind::kAtom ? 0 : value;
    told.options = static_cast<std::uint32_t>(groups_.size());
    told.level = survivor.level;
    told.crash = depth_;
    observer_(told);
  }
  return value;
}

double SimDisk::open_bits() {
  double bits = 0;
  base_->for_each_pending([&](const PendingChange& change) {
    collect({change.kind, change.inode, change.index, change.name}, candidates_);
    group(change.kind);
    const bool ordered = std::any_of(candidates_.begin(), candidates_.end(), [](const Candidate& candidate) {
      return candidate.version != nullptr && candidate.version->tie.domain != 0;
    });
    if (!ordered) bits += std::log2(static_cast<double>(groups_.size()));
  });
  for (const Cut& cut : cuts_[0]) bits += std::log2(static_cast<double>(cut.hi - cut.lo + 1));
  return bits;
}

std::uint64_t SimDisk::image_hash() const {
  std::uint64_t hash = depth_;
  const auto add = [&hash](std::uint64_t value) { hash = combine(hash, value); };
  const auto add_event = [&add](const Event& event) { add(std::uint64_t{event.domain} << 32U | event.position); };
  std::vector<InodeId> inodes = known_;
  std::sort(inodes.begin(), inodes.end());
  const auto add_chain = [&](VersionIndex newest, ChainKind kind) {
    for (VersionIndex at = newest;; at = versions_[at].below) {
      add(std::min<VersionIndex>(at, 2));
      if (at <= kHole) return;
      const Version& version = versions_[at];
      if (kind == ChainKind::kAtom) {
        add(hash64({version.bytes(), model_.atom_bytes}));
      } else {
        add(version.value);
      }
      add((version.durable ? 1U : 0U) | (version.hole ? 2U : 0U) | (version.forgotten ? 4U : 0U));
      if (version.durable) return;
      add_event(version.tie);
      add_event(version.floor);
    }
  };
  for (const InodeId inode : inodes) {
    const Node& from = nodes_[inode];
    add(inode);
    for (const Name& entry : from.names) {
      add(hash64(as_bytes(entry.name)));
      add_chain(entry.newest, ChainKind::kName);
    }
    add_chain(from.size, ChainKind::kSize);
    std::vector<std::uint32_t> touched = from.touched;
    std::sort(touched.begin(), touched.end());
    for (const auto index : touched) {
      add(index);
      add_chain(from.atoms[index], ChainKind::kAtom);
    }
  }
  for (const Domain& domain : domains_) add(std::uint64_t{domain.count} << 32U | domain.durable);
  for (std::uint32_t level = 0; level < depth_; ++level) {
    for (const Cut& cut : cuts_[level]) add(std::uint64_t{cut.lo} << 32U | cut.hi);
  }
  for (const Requirement& requirement : requirements_) {
    add_event(requirement.a);
    add_event(requirement.b);
  }
  return depth_ > 1 ? combine(hash, base_->image_hash()) : hash;
}

// Whether bytes up to `end` lie inside the size whatever survived, so that the size need not be asked.
bool SimDisk::covers(InodeId file, std::uint64_t end) {
  const Node* found = find_node(file);
  if (found != nullptr && found->size != kNone) return end <= versions_[found->size].value;
  if (base_ == nullptr) return end == 0;
  const ChainId chain{ChainKind::kSize, file};
  std::uint64_t smallest = 0;
  if (!settled_value(chain, smallest)) {
    collect(chain, candidates_);
    smallest = std::numeric_limits<std::uint64_t>::max();
    for (const Candidate& candidate : candidates_) smallest = std::min(smallest, candidate.value);
  }
  return end <= smallest;
}

// The same garbage in the same place, whoever asks: nothing of it is a choice.
const byte* SimDisk::garbage_atom(const ChainId& chain) {
  byte* const atom = versions_.new_atom();
  Random random(combine(chain.inode, chain.index));
  for (std::size_t at = 0; at < model_.atom_bytes; at += sizeof(std::uint64_t)) store(atom + at, random.next());
  return atom;
}

}  // namespace powercut::faultfs
