// The simulated disk against a naive model of it: what can be observed by booting and reading is exactly what is legal,
// after one crash and after two, under every setting of every knob.
//
// A history is a list of steps, operations and questions, with power cuts in between. Its transcript is what a program
// sees of it: whether each operation succeeded, and each answer. The naive model lists every legal transcript; every list
// of picks gives one of the simulated disk. Sound: each of those is legal. Complete: each legal one is among those.
#include "faultfs/sim_file_system.h"
#include "tests/faultfs/every_choice.h"
#include "tests/faultfs/naive_disk.h"
#include "tests/support/property.h"

#include <algorithm>
#include <set>
#include <variant>

namespace powercut::testing {
namespace {

using namespace faultfs;

using Step = std::variant<NaiveOperation, Probe>;
using Steps = std::vector<Step>;

// --- Picks ---

// Picks at random and notes which atoms it was asked about.
class AtomsAsked final : public Choices {
 public:
  explicit AtomsAsked(std::uint64_t seed) : random_(seed) {}

  std::set<std::pair<std::uint64_t, std::uint64_t>> atoms;  // inode, number

 private:
  std::uint32_t choose(std::uint32_t n, const ChoiceLabel& label) override {
    if (label.what == "atom") atoms.insert({label.first, label.second});
    return random_.below(n);
  }
  Random random_;
};

// --- Steps on the simulated disk ---

std::uint64_t cell_bytes(const SimDisk& disk) { return disk.model().atom_bytes / kCellsPerAtom; }

bool take(SimDisk& disk, const NaiveOperation& operation) {
  SimFileSystem files(disk);
  const std::uint64_t cell = cell_bytes(disk);
  const auto with_file = [&](const auto& act) {
    const auto opened = files.open(operation.path, OpenMode::kReadWrite);
    if (opened.has_error()) return false;
    RC_ASSERT(act(*opened.value()).has_value());
    return true;
  };
  switch (operation.kind) {
    case NaiveKind::kCreate:
      return files.open(operation.path, OpenMode::kCreateNew).has_value();
    case NaiveKind::kWrite: {
      const std::string bytes(operation.count * cell, operation.letter);
      return with_file([&](File& file) { return write_full(file, operation.offset * cell, as_bytes(bytes)); });
    }
    case NaiveKind::kResize:
      return with_file([&](File& file) { return file.resize(operation.offset * cell); });
    case NaiveKind::kAllocate:
      return with_file([&](File& file) { return file.allocate(operation.offset * cell, operation.count * cell); });
    case NaiveKind::kRename:
      return files.rename(operation.path, operation.other).has_value();
    case NaiveKind::kRemove:
      return files.remove(operation.path).has_value();
    case NaiveKind::kMakeDirectory:
      return files.make_directory(operation.path).has_value();
    case NaiveKind::kRemoveDirectory:
      return files.remove_directory(operation.path).has_value();
    case NaiveKind::kSync:
      return with_file([](File& file) { return file.sync(SyncKind::kFull); });
    case NaiveKind::kSyncDirectory:
      return files.sync_directory(operation.path).has_value();
  }
  return false;
}

std::string answer(SimDisk& disk, const Probe& probe) {
  SimFileSystem files(disk);
  const std::uint64_t cell = cell_bytes(disk);
  if (probe.kind == Probe::kExists) {
    const auto exists = files.exists(probe.path);
    return exists.has_value() && exists.value() ? "yes" : "no";
  }
  std::string text;
  if (probe.kind == Probe::kList) {
    const auto entries = files.list(probe.path);
    if (entries.has_error()) return "-";
    for (const auto& entry : entries.value()) text += entry.name + (entry.is_directory ? "/ " : " ");
    return text;
  }
  const auto opened = files.open(probe.path, OpenMode::kRead);
  if (opened.has_error()) return "-";
  if (probe.kind == Probe::kSize) {
    const std::uint64_t bytes = opened.value()->size().value();
    RC_ASSERT(bytes % cell == 0U);
    return std::to_string(bytes / cell);
  }
  std::vector<byte> bytes(probe.count * cell);
  bytes.resize(opened.value()->read(probe.offset * cell, bytes).value());
  RC_ASSERT(bytes.size() % cell == 0U);
  for (std::size_t at = 0; at < bytes.size(); at += cell) {
    const bool uniform = std::all_of(&bytes[at], &bytes[at] + cell, [&](byte b) { return b == bytes[at]; });
    text += !uniform ? '?' : bytes[at] == byte{0} ? '.' : static_cast<char>(bytes[at]);
  }
  return text;
}

bool take(NaiveDisk& disk, const NaiveOperation& operation) { return disk.apply(operation); }
std::string answer(const NaiveDisk& disk, const Probe& probe) { return answer(disk.running(), probe); }

template <class Disk>
std::string transcript(Disk& disk, const Steps& steps) {
  std::string text;
  for (const Step& step : steps) {
    if (const auto* operation = std::get_if<NaiveOperation>(&step)) {
      text += take(disk, *operation) ? "done;" : "refused;";
    } else {
      text += answer(disk, std::get<Probe>(step)) + ";";
    }
  }
  return text;
}

// --- Drawing ---

// At least `least`, less than `end`. (rapidcheck's own range is narrower the smaller the case.)
rc::Gen<std::uint64_t> within(std::uint64_t least, std::uint64_t end) {
  return rc::gen::resize(rc::kNominalSize, rc::gen::inRange(least, end));
}

// The knobs of a preset, or of none.
rc::Gen<PersistenceModel> any_model() {
  return rc::gen::exec([] {
    PersistenceModel model;
    const auto drawn = *rc::gen::element<std::string>("posix", "ext4-ordered", "prefix", "any", "any", "any", "any");
    if (drawn != "any") model = preset(drawn).value();
    model.name = drawn;
    model.atom_bytes = *rc::gen::element(512U, 4096U);
    model.write_is_atom = *rc::gen::weightedElement<bool>({{3, false}, {1, true}});
    if (drawn != "any") return model;
    model.in_flight_garbage = *rc::gen::weightedElement<bool>({{2, false}, {1, true}});
    model.data_order =
        *rc::gen::weightedElement<DataOrder>({{3, DataOrder::kAny}, {3, DataOrder::kFile}, {1, DataOrder::kEverything}});
    model.metadata_order = *rc::gen::element(MetadataOrder::kAny, MetadataOrder::kJournal);
    bool* const knobs[] = {&model.append_before_size,           &model.unwritten_garbage,
                           &model.fsync_makes_new_name_durable, &model.fsync_makes_all_metadata_durable,
                           &model.rename_flushes_data,          &model.rename_is_split};
    for (bool* const knob : knobs) *knob = *rc::gen::element(false, true);
    return model;
  });
}

rc::Gen<std::string> any_path() { return rc::gen::element<std::string>("a", "a", "a", "a", "b", "b", "d/a", "d"); }

rc::Gen<NaiveOperation> any_operation() {
  return rc::gen::exec([] {
    using enum NaiveKind;
    NaiveOperation drawn;
    drawn.kind = *rc::gen::weightedElement<NaiveKind>({{2, kCreate},
                                                       {10, kWrite},
                                                       {3, kResize},
                                                       {1, kAllocate},
                                                       {4, kRename},
                                                       {1, kRemove},
                                                       {1, kMakeDirectory},
                                                       {1, kRemoveDirectory},
                                                       {2, kSync},
                                                       {1, kSyncDirectory}});
    drawn.path = *any_path();
    if (drawn.kind == kMakeDirectory || drawn.kind == kRemoveDirectory) drawn.path = "d";
    if (drawn.kind == kSyncDirectory) drawn.path = *rc::gen::element<std::string>("", "d");
    if (drawn.kind == kRename) drawn.other = *any_path();
    drawn.offset = *within(0, 6);
    drawn.count = *within(1, 5);
    drawn.letter = *rc::gen::element('a', 'b', 'c');
    return drawn;
  });
}

rc::Gen<Probe> any_probe() {
  return rc::gen::exec([] {
    Probe drawn;
    drawn.kind = *rc::gen::element(Probe::kRead, Probe::kRead, Probe::kSize, Probe::kExists, Probe::kList);
    drawn.path = drawn.kind == Probe::kList ? *rc::gen::element<std::string>("", "d") : *any_path();
    drawn.offset = *within(0, 6);
    drawn.count = *within(1, 5);
    return drawn;
  });
}

// Steps on an empty disk. Mostly it has files before anything else happens, and some of them are durable.
Steps draw_history(int most) {
  Steps steps;
  const auto add = [&](NaiveKind kind, const std::string& path) { steps.push_back(NaiveOperation{kind, path, {}, 0, 1, 'a'}); };
  const int start = *rc::gen::element(0, 1, 2, 3, 4, 4);
  if (start >= 1) add(NaiveKind::kCreate, "a");
  if (start == 2) add(NaiveKind::kCreate, "b");
  if (start == 3) {
    add(NaiveKind::kMakeDirectory, "d");
    add(NaiveKind::kCreate, "d/a");
    add(NaiveKind::kSyncDirectory, "d");
  }
  if (start >= 2) {
    steps.push_back(NaiveOperation{NaiveKind::kWrite, "a", {}, 0, *within(1, 7), 'z'});
    add(NaiveKind::kSync, "a");
    add(NaiveKind::kSyncDirectory, "");
  }
  for (NaiveOperation& operation : *rc::gen::resize(most, rc::gen::container<std::vector<NaiveOperation>>(any_operation()))) {
    steps.push_back(std::move(operation));
  }
  return steps;
}

// Steps on a disk of which little is known.
Steps draw_steps(int most) {
  const auto any_step =
      rc::gen::oneOf(rc::gen::cast<Step>(any_operation()), rc::gen::cast<Step>(any_operation()), rc::gen::cast<Step>(any_probe()));
  return *rc::gen::resize(most, rc::gen::container<Steps>(any_step));
}

// Questions: a few, then mostly everything that there is to ask.
Steps draw_probes() {
  Steps steps;
  for (const Probe& probe : *rc::gen::resize(4, rc::gen::container<std::vector<Probe>>(any_probe()))) steps.push_back(probe);
  if (*within(0, 4) == 0) return steps;
  for (const std::string path : {"", "d"}) steps.push_back(Probe{Probe::kList, path, 0, 0});
  for (const std::string path : {"a", "b", "d/a", "d"}) {
    steps.push_back(Probe{Probe::kRead, path, 0, 12});
    steps.push_back(Probe{Probe::kSize, path, 0, 0});
  }
  return steps;
}

// --- Telling ---

std::string told(const PersistenceModel& model) {
  std::ostringstream out;
  out << model.name << ": atom " << model.atom_bytes << (model.write_is_atom ? ", a write is one" : "") << ", data order "
      << static_cast<int>(model.data_order) << ", metadata order " << static_cast<int>(model.metadata_order);
  const std::pair<bool, std::string_view> knobs[] = {{model.in_flight_garbage, "in-flight garbage"},
                                                     {model.append_before_size, "append before size"},
                                                     {model.unwritten_garbage, "unwritten garbage"},
                                                     {model.fsync_makes_new_name_durable, "fsync makes new name durable"},
                                                     {model.fsync_makes_all_metadata_durable, "fsync makes all metadata durable"},
                                                     {model.rename_flushes_data, "rename flushes data"},
                                                     {model.rename_is_split, "rename is split"}};
  for (const auto& [on, name] : knobs) {
    if (on) out << ", " << name;
  }
  return out.str();
}

std::string told(const Steps& steps) {
  static constexpr std::string_view kVerbs[] = {"create", "write",          "resize",           "allocate", "rename",
                                                "remove", "make directory", "remove directory", "sync",     "sync directory"};
  static constexpr std::string_view kQuestions[] = {"list?", "exists?", "size?", "read?"};
  std::ostringstream out;
  for (const Step& step : steps) {
    if (const auto* operation = std::get_if<NaiveOperation>(&step)) {
      out << "\n  " << kVerbs[static_cast<std::size_t>(operation->kind)] << " '" << operation->path << "' " << operation->other
          << " offset " << operation->offset << " count " << operation->count << " " << operation->letter;
    } else {
      const Probe& probe = std::get<Probe>(step);
      out << "\n  " << kQuestions[probe.kind] << " '" << probe.path << "' offset " << probe.offset << " count " << probe.count;
    }
  }
  return out.str();
}

std::string told(const std::set<std::string>& transcripts) {
  std::string text;
  for (const std::string& each : transcripts) text += "\n  " + each;
  return text;
}

// --- Comparing ---

constexpr std::size_t kMostPending = 12;
constexpr std::size_t kMostStates = 300;
constexpr std::size_t kMostLists = 20000;

void check_sound_and_complete(const std::set<std::string>& legal, const std::set<std::string>& seen) {
  std::set<std::string> illegal;
  std::set<std::string> missing;
  std::set_difference(seen.begin(), seen.end(), legal.begin(), legal.end(), std::inserter(illegal, illegal.end()));
  std::set_difference(legal.begin(), legal.end(), seen.begin(), seen.end(), std::inserter(missing, missing.end()));
  RC_LOG() << "illegal, but seen:" << told(illegal) << "\nlegal, but not seen:" << told(missing) << "\n";
  RC_ASSERT(illegal.empty());
  RC_ASSERT(missing.empty());
}

}  // namespace

TEST_CASE("what is seen after a crash is exactly what is legal") {
  property(
      "one crash",
      [] {
        const PersistenceModel model = *any_model();
        const Steps history = draw_history(14);
        const Steps after = draw_probes();
        RC_LOG() << told(model) << told(history) << "\nafter the crash:" << told(after) << "\n";

        SimDisk disk;
        disk.format(model);
        NaiveDisk naive(model, {});
        RC_ASSERT(transcript(disk, history) == transcript(naive, history));
        RC_ASSERT(transcript(disk, after) == transcript(naive, after));
        RC_PRE(naive.pending() <= kMostPending);
        std::set<std::string> legal;
        for (const NaiveState& state : naive.crash_states()) {
          NaiveDisk booted(model, state);
          legal.insert(transcript(booted, after));
        }

        std::set<std::string> seen;
        EveryChoice choices;
        SimDisk booted;
        std::size_t lists = 0;
        do {
          choices.rewind();
          booted.boot(disk, choices);
          const std::string first = transcript(booted, after);
          RC_ASSERT(transcript(booted, after) == first);
          seen.insert(first);
          RC_PRE(++lists <= kMostLists);
        } while (choices.advance());
        check_sound_and_complete(legal, seen);
        RC_ASSERT(transcript(disk, after) == transcript(naive, after));
      },
      60);
}

TEST_CASE("what is seen after a crash, some work and another crash is exactly what is legal") {
  property(
      "two crashes",
      [] {
        const PersistenceModel model = *any_model();
        const Steps history = draw_history(9);
        const Steps between = draw_steps(6);
        const Steps after = draw_probes();
        RC_LOG() << told(model) << told(history) << "\nafter the first crash:" << told(between)
                 << "\nafter the second:" << told(after) << "\n";

        NaiveDisk naive(model, {});
        transcript(naive, history);
        RC_PRE(naive.pending() <= kMostPending);
        const std::set<NaiveState> states = naive.crash_states();
        RC_PRE(states.size() <= kMostStates);
        std::set<std::string> legal;
        for (const NaiveState& state : states) {
          NaiveDisk second(model, state);
          const std::string first = transcript(second, between);
          RC_PRE(second.pending() <= kMostPending - 3);
          for (const NaiveState& end : second.crash_states()) {
            NaiveDisk third(model, end);
            legal.insert(first + transcript(third, after));
          }
        }

        SimDisk disk;
        disk.format(model);
        transcript(disk, history);
        std::set<std::string> seen;
        EveryChoice choices;
        SimDisk booted;
        SimDisk again;
        std::size_t lists = 0;
        do {
          choices.rewind();
          booted.boot(disk, choices);
          const std::string first = transcript(booted, between);
          again.boot(booted, choices);
          seen.insert(first + transcript(again, after));
          RC_PRE(++lists <= kMostLists);
        } while (choices.advance());
        check_sound_and_complete(legal, seen);
      },
      60);
}

TEST_CASE("what is durable, or the same either way, is never asked") {
  property(
      "questions",
      [] {
        PersistenceModel model = *any_model();
        SimDisk disk;
        disk.format(model);
        NaiveDisk naive(model, {});
        Steps history = draw_history(9);
        for (const std::string path : {"a", "b", "d", "d/a"})
          history.push_back(NaiveOperation{NaiveKind::kSync, path, {}, 0, 1, 'a'});
        for (const std::string path : {"", "d"}) {
          history.push_back(NaiveOperation{NaiveKind::kSyncDirectory, path, {}, 0, 1, 'a'});
        }
        RC_LOG() << told(model) << told(history) << "\n";
        RC_ASSERT(transcript(disk, history) == transcript(naive, history));
        EveryChoice choices;
        SimDisk booted;
        booted.boot(disk, choices);
        const Steps after = draw_probes();
        RC_ASSERT(transcript(booted, after) == transcript(naive, after));
        RC_ASSERT(choices.asked() == 0U);
      },
      3);
}

TEST_CASE("an atom that is overwritten before it is read is never asked") {
  property(
      "overwritten",
      [] {
        const PersistenceModel model = *any_model();
        const Steps history = draw_history(12);
        const auto first = *within(0, 3);
        const auto end = first + *within(1, 4);
        AtomsAsked choices(*rc::gen::arbitrary<std::uint64_t>());
        RC_LOG() << told(model) << told(history) << "\noverwrite atoms " << first << " to " << end << " of a\n";
        SimDisk disk;
        disk.format(model);
        transcript(disk, history);

        SimDisk booted;
        booted.boot(disk, choices);
        const InodeId inode = booted.lookup(kRootInode, "a");
        RC_PRE(inode != 0 && !booted.is_directory(inode));
        std::set<std::uint64_t> overwritten;
        for (std::uint64_t atom = first; atom < end; ++atom) overwritten.insert(atom);
        const std::uint64_t atoms_before = booted.size(inode) / model.atom_bytes;
        // Before a file grows, the rest of the atom in which it ended is cleared.
        if (end > atoms_before) overwritten.erase(atoms_before);
        const std::uint64_t cells = kCellsPerAtom * (end - first);
        const Probe everything{Probe::kRead, "a", 0, 12};
        RC_ASSERT(take(booted, NaiveOperation{NaiveKind::kWrite, "a", {}, first * kCellsPerAtom, cells, 'x'}));
        answer(booted, everything);
        RC_ASSERT(take(booted, NaiveOperation{NaiveKind::kSync, "a", {}, 0, 1, 'a'}));
        SimDisk again;
        again.boot(booted, choices);
        answer(again, everything);
        for (const auto& [file, atom] : choices.atoms) RC_ASSERT(file != inode || !overwritten.contains(atom));
      },
      10);
}

}  // namespace powercut::testing
