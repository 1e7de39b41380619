#include "properties/blame.h"

#include "properties/check.h"
#include "properties/source_lines.h"
#include "properties/timeline.h"

#include <algorithm>
#include <compare>
#include <map>
#include <optional>
#include <set>

namespace powercut::properties {
namespace {

using faultfs::ChainKind;
using faultfs::Operation;
using FileOperation = faultfs::OperationKind;

// A chain as seen by one crash of a run.
struct Chain {
  std::uint32_t crash = 0;  // 1 for the first
  ChainKind kind = ChainKind::kAtom;
  faultfs::InodeId inode = 0;
  std::uint64_t index = 0;
  std::string name;

  auto operator<=>(const Chain&) const = default;
};

// Questions that are not about what survived ("where does the power fail again?"), by word and depth.
using Plan = std::map<std::pair<std::string, std::uint64_t>, std::uint32_t>;

struct Asked {
  Chain chain;
  std::uint32_t picked = 0;
  std::uint32_t oldest = 0;
};

// Answers by chain.
struct Answers {
  std::map<Chain, std::uint32_t> given;
  bool others_oldest = false;  // else newest
};

class ChainChoices final : public faultfs::Choices {
 public:
  ChainChoices(const Plan& plan, const Answers& answers) : plan_(plan), answers_(answers) {}

  const std::vector<Asked>& asked() const { return asked_; }

 private:
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& label) override {
    if (label.crash == 0) {
      const auto known = plan_.find({std::string(label.what), label.first});
      return known == plan_.end() ? 0 : std::min(known->second, n - 1);
    }
    Chain chain = chain_of(label);
    const auto known = answers_.given.find(chain);
    std::uint32_t pick = answers_.others_oldest ? label.oldest : 0;
    if (known != answers_.given.end()) pick = std::min(known->second, n - 1);
    asked_.push_back({std::move(chain), pick, label.oldest});
    return pick;
  }

 public:
  static Chain chain_of(const faultfs::ChoiceLabel& label) {
    const ChainKind kind = label.what == "atom"   ? ChainKind::kAtom
                           : label.what == "size" ? ChainKind::kSize
                                                  : ChainKind::kName;
    return {label.crash, kind, static_cast<faultfs::InodeId>(label.first), label.second, std::string(label.name)};
  }

 private:
  const Plan& plan_;
  const Answers& answers_;
  std::vector<Asked> asked_;
};

// Answers by position, and notes what was asked.
class NotingChoices final : public faultfs::Choices {
 public:
  explicit NotingChoices(const std::vector<std::uint32_t>& picks) : picks_(picks) {}

  Plan plan;
  std::vector<Asked> asked;

 private:
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& label) override {
    const std::uint32_t pick = at_ < picks_.size() ? picks_[at_] % n : 0;
    ++at_;
    if (label.crash == 0) {
      plan[{std::string(label.what), label.first}] = pick;
    } else {
      asked.push_back({ChainChoices::chain_of(label), pick, label.oldest});
    }
    return pick;
  }

  const std::vector<std::uint32_t>& picks_;
  std::size_t at_ = 0;
};

// What a run left of a chain.
struct Survivor {
  std::uint32_t operation = 0;
  std::uint32_t recovery = 0;  // whose operation
  bool garbage = false;
  std::string path;
};

// Where in a timeline something was.
struct StepStart {
  std::size_t step = 0;
  std::uint32_t operations = 0;  // before it
};

// All that was done: [0] by the workload, [n] by the n-th recovery and what followed it.
struct History {
  std::vector<std::vector<Operation>> operations{1};
  std::vector<StepStart> steps;
  std::size_t crash_step = 0;
  std::string crash_where;
  std::vector<std::string> why{std::string()};  // the power failed, by recovery
  std::vector<std::string> said;                // by recovery since the last boot

  const Operation* find(std::uint32_t recovery, std::uint32_t number) const {
    if (recovery >= operations.size() || number == 0 || number > operations[recovery].size()) return nullptr;
    return &operations[recovery][number - 1];
  }
};

// Notes the operations that count, with their calls.
class OperationSink final : public faultfs::TraceSink {
 public:
  explicit OperationSink(std::vector<std::vector<Operation>>& all) : all_(all) {}
  void begin(std::size_t recovery) {
    all_.resize(recovery + 1);
    all_[recovery].clear();
    now_ = recovery;
  }
  void on_operation(const Operation& operation) override {
    if (operation.number == 0) return;
    // A recovery goes on after the crash in it was looked at.
    while (now_ > 1 && operation.number != all_[now_].size() + 1) --now_;
    if (operation.number == all_[now_].size() + 1) all_[now_].push_back(operation);
  }
  bool wants_calls() const override { return true; }

 private:
  std::vector<std::vector<Operation>>& all_;
  std::size_t now_ = 0;
};

class Observer final : public CheckObserver {
 public:
  explicit Observer(History& history) : history_(history), sink_(history.operations) {}

  std::map<Chain, Survivor> survivors;

  void on_boot(std::size_t depth, std::string_view why) override {
    sink_.begin(depth + 1);
    history_.why.resize(depth + 1);
    history_.why[depth] = why;
    history_.said.clear();
  }
  void on_resolution(const faultfs::SimDisk& disk, const faultfs::Resolution& resolution) override {
    const Chain chain{resolution.crash, resolution.kind, resolution.inode, resolution.index, std::string(resolution.name)};
    survivors[chain] = {resolution.survivor, resolution.crash - 1 - resolution.level, resolution.garbage,
                        disk.path_of(resolution.inode)};
  }
  void on_recovery(std::string_view phase, std::string_view line) override {
    history_.said.push_back(std::string(phase) + ": " + std::string(line));
  }
  void on_checked(faultfs::SimDisk&) override {}
  faultfs::TraceSink& trace() override { return sink_; }

 private:
  History& history_;
  OperationSink sink_;
};

// The delta debugging, at the moment of the crash.
class Search {
 public:
  Search(Checker& checker, const CrashMoment& moment, const Case& failing)
      : checker_(checker), moment_(moment), failing_(failing) {}

  struct Lost {
    Chain chain;
    std::uint32_t pick = 0;
    Survivor version;  // what was lost; `garbage`: and garbage is there instead
  };
  struct Kept {
    Chain chain;
    Survivor version;
  };
  std::vector<Lost> lost;
  std::vector<Kept> kept;
  History history;  // of the recoveries with `lost` lost and all else newest
  bool minimal = true;

  // False if the case does not fail.
  bool run() {
    NotingChoices noting(failing_.failure.picks);
    const auto violation = checker_.check(moment_, noting, failing_.setting.nested);
    if (!violation) return false;
    oracle_ = violation->oracle;
    plan_ = std::move(noting.plan);
    lose_least(noting.asked);
    keep_least();
    return true;
  }

 private:
  using Chains = std::vector<Chain>;

  bool fails(const Answers& answers, std::vector<Asked>* asked = nullptr) {
    if (checker_.recoveries() >= kBlameRecoveries) {
      minimal = false;
      return false;
    }
    ChainChoices choices(plan_, answers);
    const auto violation = checker_.check(moment_, choices, failing_.setting.nested);
    if (asked != nullptr) *asked = choices.asked();
    return violation && violation->oracle == oracle_;
  }

  std::map<Chain, Survivor> observe(const Answers& answers, History& told) {
    ChainChoices choices(plan_, answers);
    Observer observer(told);
    static_cast<void>(checker_.check(moment_, choices, failing_.setting.nested, &observer));
    return std::move(observer.survivors);
  }

  // A subset of which no single element can be taken away.
  template <class Test>
  Chains least(Chains items, const Test& holds) {
    if (items.empty() || holds(Chains())) return {};
    for (std::size_t chunk = std::max<std::size_t>(1, items.size() / 2);;) {
      bool fewer = false;
      for (std::size_t at = 0; at < items.size();) {
        Chains rest(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(at));
        rest.insert(rest.end(), items.begin() + static_cast<std::ptrdiff_t>(std::min(at + chunk, items.size())), items.end());
        if (!rest.empty() && holds(rest)) {
          items = std::move(rest);
          fewer = true;
        } else {
          at += chunk;
        }
      }
      if (chunk == 1 && !fewer) return items;
      chunk = std::max<std::size_t>(1, chunk / 2);
    }
  }

  void lose_least(const std::vector<Asked>& recorded) {
    std::map<Chain, Asked> all;
    Chains losing;
    for (const Asked& one : recorded) {
      if (one.picked == 0) continue;
      if (all.emplace(one.chain, one).second) losing.push_back(one.chain);
    }
    const auto with = [&](const Chains& chains) {
      Answers answers;
      for (const Chain& chain : chains) answers.given[chain] = all.at(chain).picked;
      return answers;
    };
    losing = least(std::move(losing), [&](const Chains& chains) { return fails(with(chains)); });
    base_ = with(losing);
    // Each as little as possible: old bytes rather than garbage, and the younger of two old versions.
    for (const Chain& chain : losing) {
      const Asked& one = all.at(chain);
      std::uint32_t& pick = base_.given[chain];
      const std::uint32_t before = pick;
      bool smaller = false;
      for (std::uint32_t next = 1; next < std::min(before, one.oldest + 1) && !smaller; ++next) {
        pick = next;
        smaller = fails(base_);
      }
      if (!smaller) pick = before;
    }
    const auto survivors = observe(base_, history);
    for (const Chain& chain : losing) {
      // What was lost is what would be there if a little less were.
      Answers less = base_;
      std::uint32_t& pick = less.given[chain];
      const bool garbage = pick > all.at(chain).oldest;
      pick = garbage ? 0 : pick - 1;
      History unused;
      auto version = observe(less, unused)[chain];
      const auto here = survivors.find(chain);
      if (here != survivors.end()) version.path = here->second.path;
      version.garbage = garbage;
      lost.push_back({chain, base_.given[chain], std::move(version)});
    }
  }

  void keep_least() {
    std::vector<Asked> asked;
    if (!fails(base_, &asked)) return;
    std::map<Chain, std::uint32_t> oldest;
    Chains keeping;
    for (const Asked& one : asked) {
      if (base_.given.contains(one.chain)) continue;
      if (oldest.emplace(one.chain, one.oldest).second && one.oldest > 0) keeping.push_back(one.chain);
    }
    const auto with = [&](const Chains& chains) {
      Answers answers = base_;
      answers.others_oldest = true;
      for (const Chain& chain : chains) answers.given[chain] = 0;
      return answers;
    };
    keeping = least(std::move(keeping), [&](const Chains& chains) { return fails(with(chains)); });
    Answers answers = with(keeping);
    for (const Chain& chain : keeping) {
      std::uint32_t& pick = answers.given[chain];
      for (pick = oldest[chain] - 1; pick > 0 && !fails(answers); --pick) {
      }
    }
    History unused;
    auto at_oldest = observe(answers, unused);
    History unused_too;
    auto at_newest = observe(base_, unused_too);
    for (const Chain& chain : keeping) {
      // Operations of a recovery are numbered as in the run that is told.
      const bool older = answers.given[chain] > 0;
      kept.push_back({chain, older ? at_oldest[chain] : at_newest[chain]});
    }
  }

  Checker& checker_;
  const CrashMoment& moment_;
  const Case& failing_;
  Oracle oracle_ = Oracle::kAlive;
  Plan plan_;
  Answers base_;  // the losses that are left
};


std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t at = 0; at < parts.size(); ++at) {
    text += (at == 0 ? "" : at + 1 == parts.size() ? " and " : ", ") + parts[at];
  }
  return text;
}

std::string ordinal(std::uint32_t number) {
  static constexpr std::string_view kWords[] = {"", "first", "second", "third"};
  return number < std::size(kWords) ? std::string(kWords[number]) : std::to_string(number) + "th";
}

// Puts what the search found into words, beside the history.
class Telling {
 public:
  Telling(const Case& failing, const Search& search, const History& history)
      : failing_(failing), search_(search), history_(history) {}

  Blame tell() {
    for (const auto& one : search_.lost) add(blame_.lost, one.chain, one.version);
    for (const auto& one : search_.kept) add(blame_.kept, one.chain, one.version);
    for (auto* changes : {&blame_.lost, &blame_.kept}) {
      std::sort(changes->begin(), changes->end(), [](const BlamedChange& a, const BlamedChange& b) {
        return std::pair(a.recovery, a.operation) < std::pair(b.recovery, b.operation);
      });
      for (BlamedChange& change : *changes) complete(change);
    }
    blame_.minimal = search_.minimal;
    blame_.kind = kind();
    switch (blame_.kind) {
      case Blame::Kind::kPowerOn:
        break;
      case Blame::Kind::kRecovery:
        tell_recovery();
        break;
      case Blame::Kind::kTooEarly:
        tell_too_early();
        break;
      case Blame::Kind::kLost:
        tell_lost();
        break;
      case Blame::Kind::kTorn:
        tell_torn();
        break;
      case Blame::Kind::kOrder:
        tell_order();
        break;
    }
    if (!blame_.minimal) blame_.sentence += " (The search was cut short: less may be enough.)";
    add_context();
    return std::move(blame_);
  }

 private:
  static constexpr std::size_t kMostContext = 8;
  static constexpr std::size_t kMostNamed = 3;

  // Operations by recovery and number.
  using Place = std::pair<std::uint32_t, std::uint32_t>;
  static Place place(const BlamedChange& change) { return {change.recovery, change.operation}; }

  void add(std::vector<BlamedChange>& to, const Chain& chain, const Survivor& version) {
    const std::uint64_t atom = failing_.setting.model.atom_bytes;
    const auto same = std::find_if(to.begin(), to.end(), [&](const BlamedChange& known) {
      return known.kind == chain.kind && chain.kind != ChainKind::kName && known.recovery == version.recovery &&
             known.operation == version.operation && known.path == version.path && known.garbage == version.garbage;
    });
    BlamedChange& change = same != to.end() ? *same : to.emplace_back();
    change.kind = chain.kind;
    change.recovery = version.recovery;
    change.operation = version.operation;
    change.path = version.path;
    change.name = chain.name;
    change.garbage = version.garbage;
    if (chain.kind == ChainKind::kAtom) change.ranges.emplace_back(chain.index * atom, (chain.index + 1) * atom);
  }

  // The ranges of a write are clipped to it, and neighbours joined.
  void complete(BlamedChange& change) {
    std::sort(change.ranges.begin(), change.ranges.end());
    const Operation* const operation = history_.find(change.recovery, change.operation);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (auto [from, to] : change.ranges) {
      if (operation != nullptr && operation->kind == FileOperation::kWrite) {
        from = std::max(from, operation->offset);
        to = std::min(to, operation->offset + operation->length);
      }
      if (!ranges.empty() && ranges.back().second == from) {
        ranges.back().second = to;
      } else {
        ranges.emplace_back(from, to);
      }
    }
    change.ranges = std::move(ranges);
    if (operation == nullptr) return;
    if (change.kind != ChainKind::kName) change.path = operation->path;
    change.what = describe(*operation);
    change.what.erase(0, change.what.find(' ') + 1);
    change.source = lines_.text(operation->calls);
  }

  Blame::Kind kind() const {
    if (blame_.lost.empty()) return blame_.kept.empty() ? Blame::Kind::kRecovery : Blame::Kind::kTooEarly;
    if (blame_.kept.empty()) return Blame::Kind::kLost;
    const bool torn = std::all_of(blame_.kept.begin(), blame_.kept.end(), [&](const BlamedChange& kept) {
      return std::any_of(blame_.lost.begin(), blame_.lost.end(),
                         [&](const BlamedChange& lost) { return place(lost) == place(kept); });
    });
    return torn ? Blame::Kind::kTorn : Blame::Kind::kOrder;
  }

  std::string number(const BlamedChange& change) const { return "#" + std::to_string(change.operation) + whose(change.recovery); }

  std::string whose(std::uint32_t recovery) const {
    if (recovery == 0) return "";
    return history_.operations.size() > 2 ? " of the " + ordinal(recovery) + " recovery" : " of recovery";
  }

  static std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }
  static std::string_view last_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

  static std::string ranges_text(const BlamedChange& change) {
    std::vector<std::string> parts;
    for (const auto& [from, to] : change.ranges) {
      if (parts.size() == kMostNamed) {
        parts.push_back("more");
        break;
      }
      parts.push_back("[" + std::to_string(from) + ", " + std::to_string(to) + ")");
    }
    return joined(parts);
  }

  // What of the operation it is.
  std::string part(const BlamedChange& change) const {
    if (change.kind == ChainKind::kAtom) return change.path + " " + ranges_text(change);
    if (change.kind == ChainKind::kSize) return "the new size of " + change.path;
    const Operation* const operation = history_.find(change.recovery, change.operation);
    const bool goes = operation != nullptr && (operation->kind == FileOperation::kRemove ||
                                               operation->kind == FileOperation::kRemoveDirectory ||
                                               (operation->kind == FileOperation::kRename &&
                                                last_name(operation->other_path) != change.name));
    return (goes ? "the removal of the name " : "the name ") + quoted(change.name) + (goes ? " from " : " in ") + change.path;
  }

  std::string made_by(const BlamedChange& change) const {
    const Operation* const operation = history_.find(change.recovery, change.operation);
    if (operation == nullptr) return "what was there before";
    return std::string(to_string(operation->kind)) + " " + number(change) + ", " + change.source;
  }

  std::string whole(const BlamedChange& change) const { return part(change) + " (" + made_by(change) + ")"; }

  std::string list(const std::vector<BlamedChange>& changes) const {
    std::vector<std::string> parts;
    for (const BlamedChange& change : changes) {
      if (parts.size() == kMostNamed && changes.size() > kMostNamed + 1) {
        parts.push_back(std::to_string(changes.size() - kMostNamed) + " more");
        break;
      }
      parts.push_back(whole(change));
    }
    return joined(parts);
  }

  // What has to be synced to keep it: the file, or the directory of the name.
  static std::string to_sync(const BlamedChange& change) { return change.path; }

  // A sync of what was changed, after the change and before operation `until` (0: the crash). Files are followed through
  // renames.
  const Operation* sync_between(const BlamedChange& change, std::uint32_t until) const {
    if (change.recovery >= history_.operations.size()) return nullptr;
    std::string path = to_sync(change);
    const FileOperation wanted = change.kind == ChainKind::kName ? FileOperation::kSyncDirectory : FileOperation::kSync;
    for (const Operation& operation : history_.operations[change.recovery]) {
      if (operation.number <= change.operation || operation.error) continue;
      if (until != 0 && operation.number >= until) break;
      if (operation.kind == FileOperation::kRename && operation.path == path && change.kind != ChainKind::kName) {
        path = operation.other_path;
      }
      if (operation.kind == wanted && operation.path == path) return &operation;
    }
    return nullptr;
  }

  std::string never_synced(const BlamedChange& change, std::uint32_t until, const std::string& end) const {
    const Operation* const sync = sync_between(change, until);
    const std::string what = (change.kind == ChainKind::kName ? "directory " : "") + to_sync(change);
    if (sync == nullptr) return "no sync of " + what + " came between " + number(change) + " and " + end;
    return "sync #" + std::to_string(sync->number) + " of " + what + " came between " + number(change) + " and " + end +
           ", and did not make it durable";
  }

  // The step of the workload that made it.
  std::optional<std::size_t> step_of(const BlamedChange& change) const {
    std::optional<std::size_t> found;
    if (change.recovery != 0) return found;
    for (const StepStart& start : history_.steps) {
      if (start.operations < change.operation) found = start.step;
    }
    return found;
  }

  // What the user had been told of the step that made it: empty if nothing.
  std::string answered(const BlamedChange& change) const {
    const auto step = step_of(change);
    if (!step) return {};
    const bool returned =
        *step < history_.crash_step || history_.crash_where.starts_with("after");
    if (!returned) return {};
    const Step& made = failing_.steps[*step];
    const std::string which = " of step " + std::to_string(*step);
    if (made.kind == StepKind::kCheckpoint) return "the checkpoint" + which + " had returned";
    if (made.kind == StepKind::kReopen) return "the reopening" + which + " had returned";
    return made.commit ? "the commit" + which + " had been acknowledged" : "the rollback" + which + " had returned";
  }

  void tell_recovery() {
    blame_.sentence = "recovery itself is at fault: it fails although nothing was lost";
    if (history_.why.size() > 1) {
      blame_.sentence += ", when the power fails again " + history_.why.back();
    }
    if (!history_.said.empty()) blame_.sentence += "; the last it did: " + history_.said.back();
    blame_.sentence += ".";
  }

  void tell_too_early() {
    blame_.sentence = "recovery itself is at fault, or a write came too early: it fails although nothing was lost, once " +
                      list(blame_.kept) + " reached the disk.";
  }

  void tell_lost() {
    const BlamedChange& first = blame_.lost.front();
    const std::string told = answered(first);
    if (first.kind == ChainKind::kName && blame_.lost.size() == 1 && history_.find(first.recovery, first.operation) != nullptr) {
      const Operation& operation = *history_.find(first.recovery, first.operation);
      const std::string made = operation.kind == FileOperation::kRename ? "renamed it"
                               : part(first).starts_with("the removal") ? "removed it"
                                                                        : "made it";
      blame_.missing = first.path + (sync_between(first, 0) == nullptr ? " was never synced after " : " was synced after ") +
                       number(first) + " " + made + " (" + first.source + ")";
      blame_.sentence = part(first) + " was lost" + (told.empty() ? "" : " although " + told) + ": " + blame_.missing;
    } else {
      blame_.sentence = list(blame_.lost) + (blame_.lost.size() == 1 ? " was lost" : " were lost");
      if (first.garbage) blame_.sentence += ", and garbage is there instead";
      if (!told.empty()) blame_.sentence += " although " + told;
      blame_.missing = never_synced(first, 0, told.empty() ? "the power failure" : "the answer");
      blame_.sentence += ": " + blame_.missing;
    }
    const std::string later = synced_without(blame_.lost.back());
    if (!later.empty()) blame_.sentence += ", although what came after it was made durable: " + later;
    blame_.sentence += ".";
  }

  // What else was synced after it.
  std::string synced_without(const BlamedChange& change) {
    std::vector<std::string> parts;
    if (change.recovery >= history_.operations.size()) return {};
    const auto& operations = history_.operations[change.recovery];
    for (std::size_t at = operations.size(); at > change.operation && parts.size() < 2; --at) {
      const Operation& operation = operations[at - 1];
      if (operation.kind != FileOperation::kSync && operation.kind != FileOperation::kSyncDirectory) continue;
      parts.push_back(operation.path + " (" + std::string(to_string(operation.kind)) + " #" + std::to_string(operation.number) +
                      ", " + lines_.text(operation.calls) + ")");
    }
    std::reverse(parts.begin(), parts.end());
    return joined(parts);
  }

  void tell_torn() {
    const BlamedChange& first = blame_.lost.front();
    const Operation* const operation = history_.find(first.recovery, first.operation);
    std::vector<std::string> kept;
    std::vector<std::string> lost;
    for (const BlamedChange& change : blame_.kept) kept.push_back(torn_part(change, first));
    for (const BlamedChange& change : blame_.lost) lost.push_back(torn_part(change, first));
    blame_.sentence = (operation == nullptr ? std::string("a write") : made_by(first)) + (first.path.empty() ? "" : ", of " + first.path) +
                      " was torn: " + joined(kept) + " reached the disk, " + joined(lost) + " did not";
    if (first.garbage) blame_.sentence += " (garbage is there instead)";
    blame_.missing = never_synced(first, 0, "the power failure");
    blame_.sentence += "; recovery neither noticed nor repaired it.";
  }

  std::string torn_part(const BlamedChange& change, const BlamedChange& first) const {
    if (change.kind == ChainKind::kAtom && change.path == first.path) return ranges_text(change);
    return part(change);
  }

  void tell_order() {
    blame_.sentence = list(blame_.kept) + " reached the disk; " + list(blame_.lost) + " did not. ";
    // The pair that shows it best: the last loss before the first survivor, else the first after it.
    const BlamedChange* lost = nullptr;
    const BlamedChange* kept = nullptr;
    for (const BlamedChange& late : blame_.kept) {
      for (const BlamedChange& early : blame_.lost) {
        if (early.recovery == late.recovery && early.operation < late.operation) {
          lost = &early;
          kept = &late;
        }
      }
    }
    if (lost != nullptr) {
      blame_.missing = never_synced(*lost, kept->operation, number(*kept));
      blame_.sentence += "Nothing made the first wait for the second: " + blame_.missing + ".";
      return;
    }
    lost = &blame_.lost.front();
    kept = &blame_.kept.front();
    if (lost->recovery == kept->recovery) {
      blame_.missing = number(*kept) + " was issued before " + number(*lost) + (lost->operation == kept->operation ? "" : ", which was never synced");
      blame_.sentence += "Nothing made the first wait for the second: " + blame_.missing + ".";
    } else {
      blame_.missing = never_synced(*lost, 0, "the power failure");
      blame_.sentence += "Nothing made the one wait for the other: " + blame_.missing + ".";
    }
  }

  // The operations on what is blamed, the blamed ones marked; where there are too many, the last.
  void add_context() {
    std::set<std::string> paths;
    std::map<Place, std::string> marks;
    for (const BlamedChange& change : blame_.kept) {
      paths.insert(change.path);
      marks[place(change)] = "kept";
    }
    for (const BlamedChange& change : blame_.lost) {
      paths.insert(change.path);
      auto& mark = marks[place(change)];
      mark = mark.empty() || mark == "lost" ? "lost" : "torn";
    }
    if (marks.empty()) {
      const std::size_t from = history_.said.size() - std::min(history_.said.size(), kMostContext);
      blame_.context.assign(history_.said.begin() + static_cast<std::ptrdiff_t>(from), history_.said.end());
      return;
    }
    std::vector<std::pair<Place, const Operation*>> shown;
    for (std::uint32_t recovery = 0; recovery < history_.operations.size(); ++recovery) {
      for (const Operation& operation : history_.operations[recovery]) {
        const Place here{recovery, operation.number};
        if (here < marks.begin()->first) continue;
        if (recovery > marks.rbegin()->first.first) break;
        const bool syncs = operation.kind == FileOperation::kSync || operation.kind == FileOperation::kSyncDirectory;
        if (marks.contains(here) || syncs || paths.contains(operation.path) || paths.contains(operation.other_path)) {
          shown.emplace_back(here, &operation);
        }
      }
    }
    std::size_t spare = shown.size() - std::min(shown.size(), kMostContext);
    for (const auto& [here, operation] : shown) {
      const auto mark = marks.find(here);
      if (mark == marks.end() && spare > 0) {
        --spare;
        continue;
      }
      if (blame_.context.size() == kMostContext) break;
      blame_.context.push_back((mark == marks.end() ? "    " : mark->second) + "  " + describe(*operation) + whose(here.first) +
                               "  " + lines_.text(operation->calls));
    }
  }

  const Case& failing_;
  const Search& search_;
  const History& history_;
  SourceLines lines_;
  Blame blame_;
};

Blame with_the_power_on(const History& history) {
  Blame blame;
  blame.kind = Blame::Kind::kPowerOn;
  blame.sentence = "it fails with the power on: nothing was lost, and no recovery is needed.";
  SourceLines lines;
  const auto& operations = history.operations.front();
  const std::size_t from = operations.size() - std::min<std::size_t>(operations.size(), 4);
  for (std::size_t at = from; at < operations.size(); ++at) {
    blame.context.push_back("      " + describe(operations[at]) + "  " + lines.text(operations[at].calls));
  }
  return blame;
}

}  // namespace

std::string_view to_string(Blame::Kind kind) {
  static constexpr std::string_view kNames[] = {"power on", "recovery", "too early", "lost", "torn", "order"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<Blame> blame(const Case& failing) {
  POWERCUT_TRY(const auto engine, failing.setting.kind->make(failing.setting.options, failing.setting.defects));
  Checker checker(*engine, *failing.setting.workload);
  Timeline timeline;
  History history;
  OperationSink sink(history.operations);
  std::optional<Blame> found;
  const auto at_moment = [&](const CrashMoment& moment) {
    if (moment.point != failing.failure.crash_point) return true;
    history.crash_step = moment.step;
    history.crash_where = moment.where;
    Search search(checker, moment, failing);
    if (!search.run()) return false;
    search.history.operations.front() = history.operations.front();
    search.history.steps = history.steps;
    search.history.crash_step = history.crash_step;
    search.history.crash_where = history.crash_where;
    found = Telling(failing, search, search.history).tell();
    found->recoveries = checker.recoveries();
    return false;
  };
  const auto at_step = [&](std::size_t step) {
    history.steps.push_back({step, static_cast<std::uint32_t>(history.operations.front().size())});
  };
  const auto powered_on =
      timeline.run(*engine, *failing.setting.workload, failing.setting.model, failing.steps, at_moment, &sink, at_step);
  if (found) return std::move(*found);
  if (powered_on) return with_the_power_on(history);
  return Error(ErrorCode::kInvalidArgument, "the case does not fail: there is nothing to blame");
}

}  // namespace powercut::properties
