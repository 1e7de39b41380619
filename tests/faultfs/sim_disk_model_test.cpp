// The simulated disk against a naive model of it: the crash states that can be observed by booting and reading are
// exactly the legal ones, after one crash and after two.
#include "faultfs/random.h"
#include "faultfs/sim_file_system.h"
#include "tests/faultfs/naive_disk.h"
#include "tests/support/property.h"

#include <algorithm>
#include <set>

namespace powercut::testing {
namespace {

using namespace faultfs;

// Tries every list of picks, depth first.
class EveryChoice final : public Choices {
 public:
  // Goes to the next list; false when there is none.
  bool advance() {
    while (!taken_.empty() && taken_.back().pick + 1 == taken_.back().options) taken_.pop_back();
    if (taken_.empty()) return false;
    ++taken_.back().pick;
    return true;
  }
  void rewind() { at_ = 0; }
  std::size_t asked() const { return at_; }

 private:
  struct Taken {
    std::uint32_t pick = 0;
    std::uint32_t options = 0;
  };
  std::uint32_t choose(std::uint32_t n, const ChoiceLabel& /*label*/) override {
    if (at_ == taken_.size()) taken_.push_back({0, n});
    RC_ASSERT(taken_[at_].options == n);
    return taken_[at_++].pick;
  }
  std::vector<Taken> taken_;
  std::size_t at_ = 0;
};

void apply(SimFileSystem& files, const PersistenceModel& model, const NaiveOperation& operation) {
  const bool there = files.exists(operation.name).value();
  const std::uint64_t atom = model.atom_bytes;
  const auto open = [&] { return std::move(files.open(operation.name, OpenMode::kReadWrite)).value(); };
  switch (operation.kind) {
    case NaiveKind::kCreate:
      if (!there) RC_ASSERT(files.open(operation.name, OpenMode::kCreateNew).has_value());
      return;
    case NaiveKind::kWrite: {
      if (!there) return;
      const std::string bytes(operation.count * atom, operation.letter);
      RC_ASSERT(write_full(*open(), operation.offset * atom, as_bytes(bytes)).has_value());
      return;
    }
    case NaiveKind::kResize:
      if (there) RC_ASSERT(open()->resize(operation.offset * atom).has_value());
      return;
    case NaiveKind::kRename:
      if (there && operation.name != operation.other) RC_ASSERT(files.rename(operation.name, operation.other).has_value());
      return;
    case NaiveKind::kRemove:
      if (there) RC_ASSERT(files.remove(operation.name).has_value());
      return;
    case NaiveKind::kSync:
      if (there) RC_ASSERT(open()->sync(SyncKind::kFull).has_value());
      return;
    case NaiveKind::kSyncDirectory:
      RC_ASSERT(files.sync_directory("").has_value());
      return;
  }
}

// Everything that can be read, as NaiveState::text writes it. `order` shuffles the order of reading.
std::string observe(SimDisk& disk, std::uint64_t order) {
  SimFileSystem files(disk);
  Random random(order);
  NaiveState state;
  const auto entries = files.list("").value();
  for (const auto& entry : entries) {
    state.names[entry.name] = static_cast<int>(disk.lookup(kRootInode, entry.name));
  }
  const std::uint64_t atom = disk.model().atom_bytes;
  std::vector<std::string> names;
  for (const auto& [name, inode] : state.names) names.push_back(name);
  for (std::size_t at = names.size(); at > 1; --at) std::swap(names[at - 1], names[random.below(static_cast<std::uint32_t>(at))]);
  for (const std::string& name : names) {
    NaiveState::File& file = state.files[state.names[name]];
    const auto opened = files.open(name, OpenMode::kRead);
    const bool size_first = random.below(2) == 0;
    if (size_first) file.atoms = opened.value()->size().value() / atom;
    std::vector<byte> bytes(atom);
    for (std::uint64_t index = 0; index < 4; ++index) {
      const std::size_t got = opened.value()->read(index * atom, bytes).value();
      if (got == 0) continue;
      RC_ASSERT(got == atom);
      const bool uniform = std::all_of(bytes.begin(), bytes.end(), [&](byte b) { return b == bytes[0]; });
      file.content[index] = uniform ? static_cast<char>(bytes[0]) : '?';
    }
    file.atoms = opened.value()->size().value() / atom;
  }
  return state.text();
}

PersistenceModel draw_model(Random& random) {
  static constexpr std::string_view kNames[] = {"posix", "ext4-ordered", "prefix"};
  PersistenceModel model = preset(kNames[random.below(3)]).value();
  if (random.below(2) == 0) model.atom_bytes = 4096;
  if (random.below(4) == 0) model.write_is_atom = true;
  // Half of the time, knobs of no preset.
  if (model.name != "prefix" && random.below(2) == 0) {
    if (random.below(3) == 0) model.data_order = DataOrder::kFile;
    if (random.below(2) == 0) model.unwritten_garbage = !model.unwritten_garbage;
    if (random.below(2) == 0) model.rename_is_split = !model.rename_is_split;
    if (random.below(3) == 0) model.fsync_makes_new_name_durable = !model.fsync_makes_new_name_durable;
    if (random.below(3) == 0) model.append_before_size = !model.append_before_size;
  }
  return model;
}

NaiveOperation draw_operation(Random& random) {
  static constexpr NaiveKind kKinds[] = {NaiveKind::kCreate, NaiveKind::kWrite,        NaiveKind::kWrite,  NaiveKind::kWrite,
                                         NaiveKind::kResize, NaiveKind::kRename,       NaiveKind::kRemove, NaiveKind::kSync,
                                         NaiveKind::kSync,   NaiveKind::kSyncDirectory};
  NaiveOperation operation;
  operation.kind = kKinds[random.below(10)];
  operation.name = random.below(2) == 0 ? "a" : "b";
  operation.other = random.below(2) == 0 ? "a" : "b";
  operation.offset = random.below(3);
  operation.count = 1 + random.below(2);
  operation.letter = static_cast<char>('a' + random.below(4));
  if (operation.kind == NaiveKind::kResize) operation.offset = random.below(4);
  return operation;
}

// A history that begins with a file, so that most operations find something.
std::vector<NaiveOperation> draw_operations(Random& random, std::uint32_t most) {
  std::vector<NaiveOperation> all;
  if (random.below(4) != 0) all.push_back({NaiveKind::kCreate, "a", {}, 0, 1, 'a'});
  const std::uint32_t count = 1 + random.below(most);
  while (all.size() < count) all.push_back(draw_operation(random));
  return all;
}

std::string told(const std::vector<NaiveOperation>& operations) {
  static constexpr std::string_view kVerbs[] = {"create", "write", "resize", "rename", "remove", "sync", "sync directory"};
  std::string text;
  for (const NaiveOperation& operation : operations) {
    text += "\n  " + std::string(kVerbs[static_cast<std::size_t>(operation.kind)]) + " " + operation.name + " " + operation.other +
            " " + std::to_string(operation.offset) + " " + std::to_string(operation.count) + " " + operation.letter;
  }
  return text;
}

std::string told(const PersistenceModel& model) {
  return model.name + " atom " + atom_text(model) + " data order " + std::to_string(static_cast<int>(model.data_order)) +
         " garbage " + std::to_string(model.unwritten_garbage) + " append before size " + std::to_string(model.append_before_size) +
         " split " + std::to_string(model.rename_is_split) + " new name " + std::to_string(model.fsync_makes_new_name_durable);
}

std::string told(const std::set<std::string>& states) {
  std::string text;
  for (const std::string& state : states) text += "\n  '" + state + "'";
  return text;
}

}  // namespace

TEST_CASE("the states seen after a crash are exactly the legal ones") {
  property(
      "one crash",
      [] {
        Random random(*rc::gen::arbitrary<std::uint64_t>());
        const PersistenceModel model = draw_model(random);
        SimDisk disk;
        disk.format(model);
        SimFileSystem files(disk);
        NaiveDisk naive(model, {});
        const auto operations = draw_operations(random, 8);
        RC_LOG() << told(model) << told(operations) << "\n";
        for (const NaiveOperation& operation : operations) {
          apply(files, model, operation);
          naive.apply(operation);
        }
        RC_PRE(naive.pending() <= 14U);
        RC_ASSERT(observe(disk, 0) == naive.running().text());
        std::set<std::string> legal;
        for (const NaiveState& state : naive.crash_states()) legal.insert(state.text());
        std::set<std::string> seen;
        EveryChoice choices;
        const std::uint64_t order = random.next();
        do {
          choices.rewind();
          SimDisk booted;
          booted.boot(disk, choices);
          const std::string first = observe(booted, order);
          RC_ASSERT(observe(booted, order + 1) == first);
          seen.insert(first);
        } while (choices.advance());
        RC_LOG() << "legal:" << told(legal) << "\nseen:" << told(seen);
        RC_ASSERT(seen == legal);
        RC_ASSERT(observe(disk, 0) == naive.running().text());
      },
      6);
}

TEST_CASE("the states seen after a crash, some work and another crash are exactly the legal ones") {
  property(
      "two crashes",
      [] {
        Random random(*rc::gen::arbitrary<std::uint64_t>());
        PersistenceModel model = draw_model(random);
        // Garbage that the first crash left is an ordinary letter for the second; the model of it is not worth its length.
        model.unwritten_garbage = false;
        const auto before = draw_operations(random, 5);
        std::vector<NaiveOperation> after;
        for (std::uint32_t left = 1 + random.below(3); left > 0; --left) after.push_back(draw_operation(random));

        NaiveDisk naive(model, {});
        for (const NaiveOperation& operation : before) naive.apply(operation);
        RC_PRE(naive.pending() <= 8U);
        std::set<std::string> legal;
        for (const NaiveState& state : naive.crash_states()) {
          NaiveDisk second(model, state);
          for (const NaiveOperation& operation : after) second.apply(operation);
          RC_PRE(second.pending() <= 9U);
          for (const NaiveState& end : second.crash_states()) legal.insert(end.text());
        }

        SimDisk disk;
        disk.format(model);
        SimFileSystem files(disk);
        for (const NaiveOperation& operation : before) apply(files, model, operation);
        std::set<std::string> seen;
        EveryChoice choices;
        const std::uint64_t order = random.next();
        do {
          choices.rewind();
          SimDisk booted;
          booted.boot(disk, choices);
          SimFileSystem booted_files(booted);
          for (const NaiveOperation& operation : after) apply(booted_files, model, operation);
          SimDisk again;
          again.boot(booted, choices);
          seen.insert(observe(again, order));
        } while (choices.advance());
        RC_LOG() << told(model) << told(before) << "\nafter the first crash:" << told(after) << "\nlegal:" << told(legal)
                 << "\nseen:" << told(seen);
        RC_ASSERT(seen == legal);
      },
      6);
}

TEST_CASE("what is durable, or the same either way, is never asked") {
  property("questions", [] {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    const PersistenceModel model = draw_model(random);
    SimDisk disk;
    disk.format(model);
    SimFileSystem files(disk);
    for (const NaiveOperation& operation : draw_operations(random, 8)) apply(files, model, operation);
    for (const std::string name : {"a", "b"}) apply(files, model, {NaiveKind::kSync, name, {}, 0, 1, 'a'});
    apply(files, model, {NaiveKind::kSyncDirectory, {}, {}, 0, 1, 'a'});
    EveryChoice choices;
    SimDisk booted;
    booted.boot(disk, choices);
    observe(booted, 0);
    RC_ASSERT(choices.asked() == 0U);
  });
}

}  // namespace powercut::testing
