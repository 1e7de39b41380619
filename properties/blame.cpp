#include "properties/blame.h"

#include "faultfs/fault.h"
#include "properties/check.h"
#include "properties/source_lines.h"
#include "properties/statements.h"
#include "properties/timeline.h"

#include <algorithm>
#include <compare>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>

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
    const ChainKind kind = label.what == "atom" ? ChainKind::kAtom : label.what == "size" ? ChainKind::kSize : ChainKind::kName;
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
struct IoHistory {
  std::vector<std::vector<Operation>> operations{1};
  std::vector<StepStart> steps;
  std::size_t crash_step = 0;
  std::string crash_where;
  bool numbered = true;                         // the numbers are those of the disk; a fault may put them out of step
  std::vector<std::string> why{std::string()};  // the power failed, by recovery
  std::vector<std::string> said;                // by recovery since the last boot
  std::map<std::uint32_t, std::uint32_t> work;  // operations of a recovery before the work that followed it

  const Operation* find(std::uint32_t recovery, std::uint32_t number) const {
    if (!numbered || recovery >= operations.size() || number == 0 || number > operations[recovery].size()) return nullptr;
    return &operations[recovery][number - 1];
  }
};

// Notes the operations that count, with their calls, until the power fails (again).
class OperationSink final : public faultfs::TraceSink {
 public:
  OperationSink(std::vector<std::vector<Operation>>& all, std::size_t recovery) : all_(all), recovery_(recovery) {
    all_.resize(recovery_ + 1);
    all_[recovery_].clear();
  }
  void on_operation(const Operation& operation) override {
    // What a program does after the power failed never happened.
    if (operation.number != 0 && all_.size() == recovery_ + 1) all_[recovery_].push_back(operation);
  }
  bool wants_calls() const override { return true; }

 private:
  std::vector<std::vector<Operation>>& all_;
  std::size_t recovery_;
};

class Observer final : public CheckObserver {
 public:
  explicit Observer(IoHistory& history) : history_(history) {}

  std::map<Chain, Survivor> survivors;

  void on_boot(std::size_t depth, std::string_view why) override {
    recovery_ = static_cast<std::uint32_t>(depth) + 1;
    sinks_.emplace_back(history_.operations, depth + 1);
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
  void on_work() override { history_.work[recovery_] = static_cast<std::uint32_t>(history_.operations[recovery_].size()); }
  void on_checked(faultfs::SimDisk&) override {}
  faultfs::TraceSink& trace() override { return sinks_.back(); }

 private:
  std::uint32_t recovery_ = 1;
  IoHistory& history_;
  std::deque<OperationSink> sinks_;  // by boot
};

// The delta debugging, at the moment of the crash.
class Search {
 public:
  Search(Checker& checker, const CrashMoment& moment, const Case& failing)
      : checker_(checker), moment_(moment), failing_(failing) {}

  struct Fate {
    Chain chain;
    Survivor version;  // that was lost or kept; if it was lost, `garbage` says that garbage is there instead
  };
  std::vector<Fate> lost;
  std::vector<Fate> kept;
  IoHistory history;  // of the recoveries with `lost` lost and all else newest
  bool minimal = true;
  Oracle oracle = Oracle::kAlive;
  Violation first;  // as it happens with nothing changed

  // False if the case does not fail.
  bool run() {
    NotingChoices noting(failing_.failure.picks);
    const auto violation = checker_.check(moment_, noting);
    if (!violation) return false;
    oracle = violation->oracle;
    first = *violation;
    if (oracle == Oracle::kIsolated) return true;
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
    const auto violation = checker_.check(moment_, choices);
    if (asked != nullptr) *asked = choices.asked();
    return violation && violation->oracle == oracle;
  }

  std::map<Chain, Survivor> observe(const Answers& answers, IoHistory& told) {
    ChainChoices choices(plan_, answers);
    Observer observer(told);
    static_cast<void>(checker_.check(moment_, choices, &observer));
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
      IoHistory unused;
      auto version = observe(less, unused)[chain];
      const auto here = survivors.find(chain);
      if (here != survivors.end()) version.path = here->second.path;
      version.garbage = garbage;
      lost.push_back({chain, std::move(version)});
      // If older versions would do no harm, the one that is there does.
      if (garbage || here == survivors.end() || base_.given[chain] >= all.at(chain).oldest) continue;
      Answers more = base_;
      more.given[chain] = all.at(chain).oldest;
      if (!fails(more)) kept.push_back({chain, here->second});
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
    IoHistory unused;
    auto at_oldest = observe(answers, unused);
    IoHistory unused_too;
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
  Telling(const Case& failing, const Search& search, const IoHistory& history)
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
    // Where there is a fault and nothing was lost, that is to blame, and not what came too early.
    if (history_.numbered && !(failing_.setting.fault && blame_.lost.empty())) {
      tell_kind();
    } else {
      tell_without_numbers();
    }
    if (history_.numbered) add_context();
    if (blame_.kind != Blame::Kind::kRecovery && history_.why.size() > 1) {
      blame_.sentence += " Then the power failed again, " + history_.why.back() + ".";
    }
    if (failing_.setting.fault) blame_.sentence = "Under the fault " + fault_text() + ": " + blame_.sentence;
    if (!blame_.minimal) blame_.sentence += " (The search was cut short: less may be enough.)";
    return std::move(blame_);
  }

 private:
  void tell_kind() {
    switch (blame_.kind) {
      case Blame::Kind::kPowerOn:
      case Blame::Kind::kAnomaly:
        break;
      case Blame::Kind::kRecovery:
        tell_recovery();
        break;
      case Blame::Kind::kUnwritten:
        tell_unwritten();
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
  }

  std::string fault_text() const {
    const faultfs::Fault& fault = *failing_.setting.fault;
    return std::string(faultfs::info(fault.kind).name) + " (at operation " + std::to_string(fault.at) +
           " of those that it may hit" + (fault.in_recovery ? " in recovery)" : ")");
  }

  void tell_without_numbers() {
    const auto parts = [&](const std::vector<BlamedChange>& changes) {
      std::vector<std::string> texts;
      texts.reserve(changes.size());
      for (const BlamedChange& change : changes) texts.push_back(part(change));
      return joined(texts);
    };
    if (!blame_.kept.empty()) blame_.sentence = parts(blame_.kept) + " reached the disk";
    if (!blame_.lost.empty()) {
      blame_.sentence +=
          (blame_.sentence.empty() ? "" : "; ") + parts(blame_.lost) + (blame_.kept.empty() ? " was lost" : " did not");
    }
    if (blame_.sentence.empty()) blame_.sentence = "it fails although nothing more was lost than the fault lost";
    blame_.sentence += ".";
  }

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
    if (blame_.lost.empty() && !blame_.kept.empty()) return Blame::Kind::kTooEarly;
    if (blame_.lost.empty()) {
      const auto work = acknowledged_work();
      const bool written = work && std::any_of(work->operations.begin(), work->operations.end(), [](const Operation& operation) {
                             return operation.kind == FileOperation::kWrite || operation.kind == FileOperation::kSync;
                           });
      return work && !written ? Blame::Kind::kUnwritten : Blame::Kind::kRecovery;
    }
    if (blame_.kept.empty()) return Blame::Kind::kLost;
    const bool torn =
        std::all_of(blame_.kept.begin(), blame_.kept.end(), [&](const BlamedChange& kept) { return is_in(blame_.lost, kept); });
    return torn ? Blame::Kind::kTorn : Blame::Kind::kOrder;
  }

  static bool is_in(const std::vector<BlamedChange>& changes, const BlamedChange& wanted) {
    return std::any_of(changes.begin(), changes.end(), [&](const BlamedChange& one) { return place(one) == place(wanted); });
  }

  // The last work of which the user was told that it is durable, if that is what is missing.
  struct Work {
    std::string name;
    std::span<const Operation> operations;
  };
  std::optional<Work> acknowledged_work() const {
    if (search_.oracle != Oracle::kDurable) return std::nullopt;
    for (std::uint32_t recovery = static_cast<std::uint32_t>(history_.operations.size()) - 1; recovery > 0; --recovery) {
      const auto begun = history_.work.find(recovery);
      const bool answered = recovery < history_.why.size() && history_.why[recovery].starts_with("after a transaction");
      if (begun == history_.work.end() || !answered) continue;
      return Work{"the transaction that followed recovery", std::span(history_.operations[recovery]).subspan(begun->second)};
    }
    for (std::size_t at = history_.steps.size(); at > 0; --at) {
      const StepStart& start = history_.steps[at - 1];
      const Step& step = failing_.steps[start.step];
      const bool returned = start.step < history_.crash_step || history_.crash_where.starts_with("after");
      if (!returned || !step.commit || step.kind == StepKind::kCheckpoint || step.kind == StepKind::kReopen) continue;
      const std::size_t end = at < history_.steps.size() ? history_.steps[at].operations : history_.operations.front().size();
      return Work{"the commit of step " + std::to_string(start.step),
                  std::span(history_.operations.front()).subspan(start.operations, end - start.operations)};
    }
    return std::nullopt;
  }

  std::string number(const BlamedChange& change) const {
    return "#" + std::to_string(change.operation) + whose(change.recovery, change.operation);
  }

  std::string whose(std::uint32_t recovery, std::uint32_t operation) const {
    if (recovery == 0) return "";
    const std::string which = history_.operations.size() > 2 ? "the " + ordinal(recovery) + " recovery" : "recovery";
    const auto work = history_.work.find(recovery);
    const bool of_work = work != history_.work.end() && operation > work->second;
    return (of_work ? " of the work after " : " of ") + which;
  }

  static std::string innermost(const std::string& source) { return source.substr(0, source.find(" <- ")); }

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
    const bool goes =
        operation != nullptr && (operation->kind == FileOperation::kRemove || operation->kind == FileOperation::kRemoveDirectory ||
                                 (operation->kind == FileOperation::kRename && last_name(operation->other_path) != change.name));
    return (goes ? "the removal of the name " : "the name ") + quoted(change.name) + (goes ? " from " : " in ") + change.path;
  }

  std::string made_by(const BlamedChange& change) const {
    const Operation* const operation = history_.find(change.recovery, change.operation);
    if (operation == nullptr) return "what was there before";
    return std::string(to_string(operation->kind)) + " " + number(change) + ", " + innermost(change.source);
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
    const bool returned = *step < history_.crash_step || history_.crash_where.starts_with("after");
    if (!returned) return {};
    const Step& made = failing_.steps[*step];
    const std::string which = " of step " + std::to_string(*step);
    if (made.kind == StepKind::kCheckpoint) return "the checkpoint" + which + " had returned";
    if (made.kind == StepKind::kReopen) return "the reopening" + which + " had returned";
    return made.commit ? "the commit" + which + " had been acknowledged" : "the rollback" + which + " had returned";
  }

  void tell_recovery() {
    blame_.sentence = "recovery itself is at fault";
    const auto work = acknowledged_work();
    if (work) blame_.sentence += ", or " + work->name + " was acknowledged before all of it was written";
    blame_.sentence += ": it fails although nothing was lost";
    if (history_.why.size() > 1) blame_.sentence += ", when the power fails again " + history_.why.back();
    if (work) {
      std::vector<std::string> parts;
      const std::size_t from = work->operations.size() - std::min(work->operations.size(), kMostNamed);
      for (const Operation& operation : work->operations.subspan(from)) parts.push_back(short_text(operation));
      blame_.missing = "before the answer came " + joined(parts) + ", and nothing more";
      blame_.sentence += "; " + blame_.missing;
    }
    if (!history_.said.empty()) blame_.sentence += "; the last that recovery did: " + history_.said.back();
    blame_.sentence += ".";
  }

  void tell_unwritten() {
    const auto work = acknowledged_work();
    blame_.missing = "no write and no sync came between its beginning and the answer";
    blame_.sentence = work->name + " was acknowledged although nothing of it had been written: " + blame_.missing + ".";
  }

  // Either nothing else had to be on the disk for it, and recovery is at fault, or what had to be was not yet written.
  void tell_too_early() {
    blame_.sentence = list(blame_.kept) + " reached the disk, and that is enough: it fails although nothing was lost. ";
    const BlamedChange& first = blame_.kept.front();
    const Operation* other = nullptr;
    if (first.recovery < history_.operations.size()) {
      for (const Operation& operation : history_.operations[first.recovery]) {
        if (operation.number >= first.operation) break;
        if (operation.kind == FileOperation::kWrite && operation.path != first.path) other = &operation;
      }
    }
    blame_.missing = "what must be written before " + number(first) + " was not";
    if (other != nullptr) blame_.missing += ": the last write to another file before it is " + short_text(*other);
    blame_.sentence += "Either " + blame_.missing + "; or recovery itself is at fault.";
  }

  // "write #12 of db/data (engine/ledger/buffer_pool.cpp:212 BufferPool::write_back)".
  std::string short_text(const Operation& operation) {
    return std::string(to_string(operation.kind)) + " #" + std::to_string(operation.number) + " of " + operation.path + " (" +
           innermost(lines_.text(operation.calls)) + ")";
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
                       number(first) + " " + made + " (" + innermost(first.source) + ")";
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
                      ", " + innermost(lines_.text(operation.calls)) + ")");
    }
    std::reverse(parts.begin(), parts.end());
    return joined(parts);
  }

  void tell_torn() {
    blame_.sentence = torn_text() + "; recovery neither noticed nor repaired it.";
    blame_.missing = never_synced(blame_.lost.front(), 0, "the power failure");
  }

  // Of each operation that was lost in part and kept in part, what.
  std::string torn_text() const {
    std::vector<std::string> torn;
    for (std::size_t at = 0; at < blame_.lost.size(); ++at) {
      const BlamedChange& first = blame_.lost[at];
      if (!is_in(blame_.kept, first) || (at > 0 && place(blame_.lost[at - 1]) == place(first))) continue;
      std::vector<std::string> kept;
      std::vector<std::string> lost;
      bool garbage = false;
      for (const BlamedChange& change : blame_.kept) {
        if (place(change) == place(first)) kept.push_back(part_of(change, first));
      }
      for (const BlamedChange& change : blame_.lost) {
        if (place(change) != place(first)) continue;
        lost.push_back(part_of(change, first));
        garbage = garbage || change.garbage;
      }
      torn.push_back(operation_text(first) + " was torn: " + joined(kept) + " reached the disk, " + joined(lost) + " did not" +
                     (garbage ? " (garbage is there instead)" : ""));
    }
    return joined(torn);
  }

  // "write #12 of db/data (engine/…)".
  std::string operation_text(const BlamedChange& change) const {
    const Operation* const operation = history_.find(change.recovery, change.operation);
    if (operation == nullptr) return "what was there before";
    return std::string(to_string(operation->kind)) + " " + number(change) + " of " + operation->path + " (" +
           innermost(change.source) + ")";
  }

  std::string part_of(const BlamedChange& change, const BlamedChange& first) const {
    return change.kind == ChainKind::kAtom && change.path == first.path ? ranges_text(change) : part(change);
  }

  void tell_order() {
    std::vector<BlamedChange> kept;
    std::vector<BlamedChange> lost;
    for (const BlamedChange& change : blame_.kept) {
      if (!is_in(blame_.lost, change)) kept.push_back(change);
    }
    for (const BlamedChange& change : blame_.lost) {
      if (!is_in(blame_.kept, change)) lost.push_back(change);
    }
    const std::string torn = torn_text();
    if (!torn.empty()) blame_.sentence = torn + "; and ";
    blame_.sentence += list(kept) + " reached the disk";
    if (!lost.empty()) blame_.sentence += "; " + list(lost) + " did not";
    blame_.sentence += ". ";
    // The pair that shows it best: the last loss before a survivor, else a loss after one.
    const BlamedChange* early = nullptr;
    const BlamedChange* late = nullptr;
    for (const BlamedChange& survivor : kept) {
      for (const BlamedChange& loss : blame_.lost) {
        if (loss.recovery != survivor.recovery || loss.operation > survivor.operation) continue;
        early = &loss;
        late = &survivor;
      }
    }
    if (early != nullptr) {
      blame_.missing = never_synced(*early, late->operation, number(*late));
      blame_.sentence += "Nothing made " + number(*late) + " wait for " + number(*early) + ": " + blame_.missing + ".";
      return;
    }
    early = &blame_.lost.front();
    blame_.missing = never_synced(*early, 0, "the power failure");
    if (kept.front().recovery == early->recovery) blame_.sentence += number(kept.front()) + " came first. ";
    blame_.sentence += "Nothing made them survive together: " + blame_.missing + ".";
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
      blame_.context.push_back((mark == marks.end() ? "    " : mark->second) + "  " + describe(*operation) +
                               whose(here.first, here.second) + "  " + lines_.text(operation->calls));
    }
  }

  const Case& failing_;
  const Search& search_;
  const IoHistory& history_;
  SourceLines lines_;
  Blame blame_;
};

Blame anomaly(const Violation& violation, const std::vector<Exchange>& statements, const std::string& when) {
  Blame blame;
  blame.kind = Blame::Kind::kAnomaly;
  // Without the name and the arrows, which the violation gives.
  const std::size_t begin = violation.summary.find(": ");
  const std::size_t end = violation.summary.rfind(": ");
  const std::size_t from = begin == std::string::npos ? 0 : begin + 2;
  blame.sentence = violation.summary.substr(from, end > from ? end - from : std::string::npos) + ". " + when +
                   ": what the disk kept or lost is not the cause, what the transactions could see of each other is.";
  blame.statements = statements_about(violation, statements);
  return blame;
}

Blame with_the_power_on(const IoHistory& history, const Violation& violation, const std::vector<Exchange>& statements) {
  if (violation.oracle == Oracle::kIsolated) return anomaly(violation, statements, "It shows with the power on");
  Blame blame;
  blame.kind = Blame::Kind::kPowerOn;
  blame.sentence = "it fails with the power on: nothing was lost, and no recovery is needed.";
  if (!statements.empty()) {
    blame.statements = statements_about(violation, statements);
    return blame;
  }
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
  static constexpr std::string_view kNames[] = {"power on",  "anomaly", "recovery", "unwritten",
                                                "too early", "lost",    "torn",     "order"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<Blame> blame(const Case& failing) {
  POWERCUT_TRY(const auto engine, failing.setting.kind->make(failing.setting.options, failing.setting.defects));
  Checker checker(*engine, failing.setting);
  Timeline timeline;
  IoHistory history;
  OperationSink sink(history.operations, 0);
  std::vector<Exchange> statements;
  std::optional<Blame> found;
  const auto at_moment = [&](const CrashMoment& moment) {
    if (moment.point != failing.failure.crash_point) return true;
    history.crash_step = moment.step;
    history.crash_where = moment.where;
    history.numbered = moment.disk.operations() == history.operations.front().size();
    Search search(checker, moment, failing);
    if (!search.run()) return false;
    if (search.oracle == Oracle::kIsolated) {
      found = anomaly(search.first, statements, "It shows when the power fails " + std::string(moment.where));
      found->recoveries = checker.recoveries();
      return false;
    }
    search.history.operations.front() = history.operations.front();
    search.history.steps = history.steps;
    search.history.crash_step = history.crash_step;
    search.history.crash_where = history.crash_where;
    search.history.numbered = history.numbered;
    found = Telling(failing, search, search.history).tell();
    found->recoveries = checker.recoveries();
    return false;
  };
  const auto at_step = [&](std::size_t step) {
    history.steps.push_back({step, static_cast<std::uint32_t>(history.operations.front().size())});
  };
  const auto at_statement = [&](const Exchange& statement) {
    if (!found) statements.push_back(statement);
  };
  faultfs::RecordedChoices schedule(failing.failure.schedule);
  const auto powered_on =
      timeline.run(*engine, failing.setting, failing.steps, schedule, at_moment, {&sink, at_step, at_statement});
  if (!found && powered_on) found = with_the_power_on(history, *powered_on, statements);
  if (found) {
    found->turns = turns(statements);
    return std::move(*found);
  }
  return Error(ErrorCode::kInvalidArgument, "the case does not fail: there is nothing to blame");
}

}  // namespace powercut::properties
