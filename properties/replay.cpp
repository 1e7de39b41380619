#include "properties/replay.h"

#include "faultfs/assert.h"
#include "faultfs/sim_file_system.h"
#include "faultfs/trace.h"
#include "properties/search.h"
#include "properties/source_lines.h"

#include <algorithm>

namespace powercut::properties {
namespace {

using faultfs::ChainKind;
using faultfs::Operation;

// A run of neighbouring atoms that met the same fate, told in one line.
struct Fate {
  std::string path;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint32_t newest = 0;
  std::string text;
};

std::string in_doubt_text(const Model& model) {
  if (model.sessions() == 1) return model.promise() == Promise::kInDoubt ? ": its commit was called and has not returned" : "";
  std::string text;
  for (const std::size_t session : model.in_doubt())
    text += (text.empty() ? "; commits have not returned of session " : ", ") + std::to_string(session);
  return text;
}

// Collects the trace into a hash and, if asked, into words.
class Witness final : public CheckObserver {
 public:
  Witness(const Setting& setting, const Steps& steps, bool narrate) : setting_(setting), steps_(steps), narrate_(narrate) {}

  // Told of the timeline's operations until it crashes: what the program does after that never happened.
  faultfs::TraceSink& timeline_trace() { return timeline_sink_; }
  faultfs::TraceSink& trace() override { return recovery_sink_; }

  void on_step(std::size_t step) {
    if (narrate_) narrative_.history.push_back("step " + std::to_string(step) + ": " + describe(*setting_.workload, steps_[step]));
  }

  void on_crash(const CrashMoment& moment) {
    crashed_ = true;
    if (!narrate_) return;
    narrative_.history.push_back("the power fails " + std::string(moment.where) + ", in step " + std::to_string(moment.step) +
                                 in_doubt_text(moment.model));
    moment.disk.for_each_pending([&](const faultfs::PendingChange& change) {
      Fate fate;
      fate.path = moment.disk.path_of(change.inode);
      fate.first = fate.last = change.index;
      fate.newest = change.operation;
      if (change.kind == ChainKind::kName) fate.text = fate.path + ": the name '" + std::string(change.name) + "'";
      if (change.kind == ChainKind::kSize) fate.text = fate.path + ": its size";
      add(fate, change.kind, narrative_.pending, "by #" + std::to_string(change.operation));
    });
    flush(narrative_.pending);
    if (narrative_.pending.empty()) narrative_.pending.push_back("nothing: every change was durable");
  }

  void on_statement(std::size_t session, std::string_view statement, std::string_view answer) {
    hash_.add(session);
    hash_.add(statement);
    hash_.add(answer);
    if (crashed_ || !narrate_) return;
    narrative_.history.push_back("  session " + std::to_string(session) + ": " + std::string(statement) + ": " +
                                 std::string(answer));
  }

  void on_boot(std::size_t depth, std::string_view why) override {
    hash_.add(depth);
    if (!narrate_) return;
    flush_fates();
    narrative_.recovery.push_back(depth == 0
                                      ? "the power is back: recovery reads the disk"
                                      : "the power fails again, " + std::string(why) + ", and is back: recovery reads the disk");
  }

  void on_resolution(const faultfs::SimDisk& disk, const faultfs::Resolution& resolution) override {
    hash_.add(resolution.index);
    hash_.add(resolution.survivor);
    hash_.add(resolution.options);
    if (!narrate_) return;
    Fate fate;
    fate.path = disk.path_of(resolution.inode);
    fate.first = fate.last = resolution.index;
    std::string kept;
    if (resolution.garbage) {
      kept = "garbage";
    } else if (resolution.survivor == resolution.newest && resolution.survivor != 0) {
      kept = "kept what #" + std::to_string(resolution.newest) + " wrote";
    } else {
      kept = "lost #" + std::to_string(resolution.newest) + ", holds " +
             (resolution.survivor == 0 ? std::string("what was there before")
                                       : "what #" + std::to_string(resolution.survivor) + " wrote");
    }
    if (resolution.kind == ChainKind::kName) {
      kept += resolution.value == 0 ? " (no file)" : "";
      fate.text = fate.path + ": the name '" + std::string(resolution.name) + "'";
    }
    if (resolution.kind == ChainKind::kSize) fate.text = fate.path + ": its size, " + std::to_string(resolution.value) + " bytes";
    add(fate, resolution.kind, narrative_.recovery, kept);
  }

  void on_recovery(std::string_view phase, std::string_view line) override {
    hash_.add(line);
    if (!narrate_) return;
    flush_fates();
    narrative_.recovery.push_back("    " + std::string(phase) + ": " + std::string(line));
  }

  void on_checked(faultfs::SimDisk& last_disk) override {
    if (!narrate_) return;
    flush_fates();
    last_disk.set_resolution_observer(nullptr);
    faultfs::SimFileSystem files(last_disk);
    const auto told =
        setting_.kind->describe_log(files, kDatabaseDirectory, [&](std::string_view line) { narrative_.log.emplace_back(line); });
    if (told.has_error()) {
      const bool unsupported = told.error().code() == ErrorCode::kUnsupported;
      narrative_.log.push_back(unsupported ? told.error().context() : told.error().message());
    }
  }

  void add_to_hash(std::string_view text) { hash_.add(text); }
  std::uint64_t hash() const { return hash_.value(); }
  Narrative& narrative() { return narrative_; }

 private:
  struct Sink final : faultfs::TraceSink {
    Sink(Witness& witness, bool recovers) : owner(witness), of_recovery(recovers) {}
    void on_operation(const Operation& operation) override { owner.on_operation(operation, of_recovery); }
    bool wants_calls() const override { return owner.narrate_; }
    Witness& owner;
    bool of_recovery;
  };

  void on_operation(const Operation& operation, bool of_recovery) {
    if (crashed_ && !of_recovery) return;
    hash_.on_operation(operation);
    if (!narrate_) return;
    if (of_recovery) flush_fates();
    if (operation.number == 0 && !operation.error) return;
    (of_recovery ? narrative_.recovery : narrative_.history)
        .push_back("    " + describe(operation) + "  " + source_lines_.text(operation.calls));
  }

  // Atoms next to each other with the same fate make one line.
  void add(Fate fate, ChainKind kind, std::vector<std::string>& lines, const std::string& kept) {
    if (kind != ChainKind::kAtom) {
      flush(lines);
      lines.push_back("    " + fate.text + ": " + kept);
      return;
    }
    fate.text = kept;
    if (run_ && run_->path == fate.path && run_->text == fate.text && run_->last + 1 == fate.first) {
      run_->last = fate.last;
      return;
    }
    flush(lines);
    run_ = std::move(fate);
  }

  void flush(std::vector<std::string>& lines) {
    if (!run_) return;
    const std::uint64_t atom = setting_.model.atom_bytes;
    lines.push_back("    " + run_->path + " [" + std::to_string(run_->first * atom) + ", " +
                    std::to_string((run_->last + 1) * atom) + "): " + run_->text);
    run_.reset();
  }

  void flush_fates() { flush(narrative_.recovery); }

  const Setting& setting_;
  const Steps& steps_;
  bool narrate_;
  bool crashed_ = false;
  Sink timeline_sink_{*this, false};
  Sink recovery_sink_{*this, true};
  faultfs::TraceHash hash_;
  SourceLines source_lines_;
  Narrative narrative_;
  std::optional<Fate> run_;
};

}  // namespace

Result<Replayed> replay(const Case& failing, bool narrate) {
  POWERCUT_TRY(const auto engine, failing.setting.kind->make(failing.setting.options, failing.setting.defects));
  Searcher searcher(*engine, failing.setting);
  Witness witness(failing.setting, failing.steps, narrate);
  Replayed result;
  Timeline::Watch watch;
  watch.trace = &witness.timeline_trace();
  watch.step = [&](std::size_t step) { witness.on_step(step); };
  watch.statement = [&](const Exchange& statement) { witness.on_statement(statement.session, statement.text, statement.answer); };
  result.violation = searcher.execute(failing.steps, failing.failure, &witness, watch,
                                      [&](const CrashMoment& moment) { witness.on_crash(moment); });
  if (result.violation) {
    witness.add_to_hash(to_string(result.violation->oracle));
    witness.add_to_hash(result.violation->summary);
    for (const std::string& line : result.violation->differences) witness.add_to_hash(line);
  }
  result.trace_hash = witness.hash();
  result.narrative = std::move(witness.narrative());
  return result;
}

void complete(Case& failing) {
  const auto replayed = replay(failing, false);
  POWERCUT_ASSERT(replayed.has_value() && replayed.value().violation.has_value(), "a failure that was just seen is seen again");
  failing.trace_hash = replayed.value().trace_hash;
  failing.failure.violation = *replayed.value().violation;
}

}  // namespace powercut::properties
