// powercut bench: ledger on a real disk, others beside it, in turns.
#include "bench_options.h"
#include "bench_plot.h"
#include "bench_report.h"
#include "command.h"
#include "faultfs/scratch_directory.h"
#include "terminal.h"
#include "tools/measure/device_counts.h"
#include "tools/measure/peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <set>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using faultfs::ScratchDirectory;
using measure::Backend;
using measure::Contender;
using measure::LedgerContender;
using measure::Load;
using Clock = std::chrono::steady_clock;

// Of each of the device's ways at each size, in each round.
constexpr double kDeviceSeconds = 0.2;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

// Who takes part, and with how many clients. Each round makes it anew, so that nothing of one run is left in another.
struct Entrant {
  std::string name;
  bool is_peer = false;
  std::vector<std::uint32_t> clients;
  std::function<Result<std::unique_ptr<Contender>>()> make;
  bool on_device = true;              // or in memory only
  std::set<std::size_t> cannot = {};  // workloads
};

class BenchCommand {
 public:
  BenchCommand(const Invocation& invocation, BenchPlan plan) : invocation_(invocation), plan_(std::move(plan)) {}

  int run() {
    for (const std::string& file : {plan_.html, plan_.svg}) {
      if (!file.empty() && !std::ofstream(file, std::ios::app)) return fail(kToolFailed, file + ": cannot be written");
    }
    auto scratch = ScratchDirectory::make(plan_.directory);
    if (scratch.has_error()) return fail(scratch.error().within("--dir"));
    scratch_ = &scratch.value();
    bench_.directory = scratch_->path();
    const auto done = measure_all();
    progress_.clear();
    if (plan_.keep) scratch_->keep();
    if (done.has_error()) {
      return done.error().code() == ErrorCode::kCorrupt ? fail(kViolationFound, done.error().message()) : fail(done.error());
    }
    print();
    return write_plots();
  }

 private:
  Result<void> measure_all() {
    bench_.rows = plan_.rows;
    bench_.seconds = plan_.seconds;
    bench_.warm_up_seconds = plan_.warm_up_seconds;
    bench_.rounds = plan_.rounds;
    bench_.workloads = plan_.workloads;
    POWERCUT_TRYV(enter());
    count_runs();
    began_ = Clock::now();
    for (round_ = 1; round_ <= plan_.rounds && !interrupted(); ++round_) {
      POWERCUT_TRYV(measure_round());
      if (!interrupted()) bench_.complete_rounds = round_;
    }
    bench_.interrupted = interrupted();
    return success();
  }

  bool interrupted() const { return invocation_.interrupted; }

  // Finds out who takes part. Without --backend, POSIX calls do where io_uring is refused.
  Result<void> enter() {
    if (!plan_.backend_given && plan_.backends.front() == Backend::kUring) {
      const auto tried = faultfs::UringFileSystem::open(scratch_->path(), plan_.uring);
      if (tried.has_error() && tried.error().code() == ErrorCode::kUnsupported) {
        note(tried.error().message() + "; measured with --backend posix");
        plan_.backends.front() = Backend::kPosix;
      }
    }
    for (const Backend backend : plan_.backends) {
      const measure::LedgerSetting setting{backend, plan_.uring, plan_.options};
      const engine::EngineKind& kind = *invocation_.engines.front();
      POWERCUT_TRY(const auto made, measure::make_ledger(kind, setting));
      add({std::string(made->name()), false, limited(plan_.clients, *made),
           [&kind, setting]() -> Result<std::unique_ptr<Contender>> {
             POWERCUT_TRY(auto ledger, measure::make_ledger(kind, setting));
             return std::unique_ptr<Contender>(std::move(ledger));
           },
           backend != Backend::kSim},
          *made);
    }
    for (const std::string& name : plan_.peers) {
      const auto make = [name]() -> Result<std::unique_ptr<Contender>> {
        POWERCUT_TRY(auto peers, measure::make_peers({&name, 1}));
        return std::move(peers.front());
      };
      POWERCUT_TRY(const auto made, make());
      add({std::string(made->name()), true, limited(plan_.peer_clients, *made), make}, *made);
    }
    return success();
  }

  void add(Entrant entrant, const Contender& made) {
    bench_.contenders.push_back({entrant.name, std::string(made.setting()), entrant.is_peer});
    entrants_.push_back(std::move(entrant));
  }

  std::vector<std::uint32_t> limited(std::vector<std::uint32_t> clients, const Contender& of) {
    const auto dropped = std::erase_if(clients, [&](std::uint32_t count) { return count > of.most_clients(); });
    if (dropped > 0) note(fmt::format("{}: measured with at most {} clients", of.name(), of.most_clients()));
    return clients;
  }

  void note(const std::string& line) {
    if (std::find(bench_.notes.begin(), bench_.notes.end(), line) == bench_.notes.end()) bench_.notes.push_back(line);
  }

  void count_runs() {
    runs_ = 0;
    for (const Entrant& entrant : entrants_) runs_ += entrant.clients.size();
    runs_ *= plan_.workloads.size() * plan_.rounds;
  }

  Result<void> measure_round() {
    if (plan_.device) POWERCUT_TRYV(measure_the_device());
    for (std::size_t workload = 0; workload < plan_.workloads.size(); ++workload) {
      for (std::size_t entrant = 0; entrant < entrants_.size() && !interrupted(); ++entrant) {
        if (entrants_[entrant].cannot.contains(workload)) continue;
        auto done = measure_entrant(workload, entrant);
        if (done.has_error() && done.error().code() == ErrorCode::kUnsupported && entrants_[entrant].is_peer) {
          note(fmt::format("{}: {}; not measured", entrants_[entrant].name, done.error().context()));
          entrants_[entrant].cannot.insert(workload);
          continue;
        }
        if (done.has_error()) return done.error().within(entrants_[entrant].name).within(plan_.workloads[workload]->name);
      }
    }
    return success();
  }

  // A database of its own, on which every number of clients runs once, and then what it holds is checked.
  Result<void> measure_entrant(std::size_t workload, std::size_t at) {
    const Entrant& entrant = entrants_[at];
    POWERCUT_TRY(const std::string directory, scratch_->add(fmt::format("{}-{}-{}", round_, plan_.workloads[workload]->name, at)));
    {
      POWERCUT_TRY(const auto contender, entrant.make());
      Load load;
      load.workload = plan_.workloads[workload]->workload;
      load.rows = plan_.rows;
      load.warm_up_seconds = plan_.warm_up_seconds;
      load.seconds = plan_.seconds;
      load.seed = round_;
      load.interrupted = &invocation_.interrupted;
      load.clients = entrant.clients.empty() ? 1 : entrant.clients.back();
      POWERCUT_TRYV(contender->prepare(directory, load));
      for (const std::uint32_t clients : entrant.clients) {
        if (interrupted()) break;
        load.clients = clients;
        progress_.show(progress_text(workload, entrant, clients));
        POWERCUT_TRYV(run_once(*contender, load, {round_, workload, at, clients, false, {}}, entrant.on_device));
      }
      if (const auto* const ledger = dynamic_cast<const LedgerContender*>(contender.get())) {
        for (const std::string& line : ledger->notes()) note(entrant.name + ": " + line);
      }
      if (!interrupted()) POWERCUT_TRYV(contender->check(load));
    }
    return plan_.keep ? success() : scratch_->remove(directory);
  }

  Result<void> run_once(Contender& contender, const Load& load, BenchRun run, bool on_device) {
    const auto before = measure::device_counts(scratch_->path());
    const auto began = Clock::now();
    POWERCUT_TRY(const measure::Measured measured, contender.run(load));
    const double took = seconds_since(began);
    const auto after = measure::device_counts(scratch_->path());
    run.figures = figures_of(measured);
    run.interrupted = interrupted();
    if (on_device && before && after) {
      run.figures.device_writes_a_second = static_cast<double>(after->writes - before->writes) / took;
      run.figures.device_flushes_a_second = static_cast<double>(after->flushes - before->flushes) / took;
    }
    ++runs_done_;
    if (measured.operations > 0 || !run.interrupted) bench_.runs.push_back(std::move(run));
    return success();
  }

  Result<void> measure_the_device() {
    progress_.show(fmt::format("round {} of {} · the device itself", round_, plan_.rounds));
    const auto rates = measure::measure_device({scratch_->path(), kDeviceSeconds, &invocation_.interrupted});
    if (rates.has_error() && rates.error().code() == ErrorCode::kUnsupported) {
      note("device: " + rates.error().context() + "; not measured");
      plan_.device = false;
      return success();
    }
    if (rates.has_error()) return rates.error().within("device");
    for (const auto& rate : rates.value()) bench_.device_runs.push_back({round_, rate});
    return success();
  }

  std::string progress_text(std::size_t workload, const Entrant& entrant, std::uint32_t clients) const {
    std::string text = fmt::format("round {} of {} · {} · {} · {} {}", round_, plan_.rounds, plan_.workloads[workload]->name,
                                   entrant.name, grouped(clients), clients == 1 ? "client" : "clients");
    if (runs_done_ == 0) return text;
    const double a_run = seconds_since(began_) / static_cast<double>(runs_done_);
    const auto left = static_cast<std::uint64_t>(a_run * static_cast<double>(runs_ - runs_done_));
    return text + fmt::format(" · {}:{:02} left", left / 60, left % 60);
  }

  void print() const {
    if (plan_.format == BenchFormat::kJson) {
      fmt::print("{}", bench_json(bench_));
    } else if (plan_.format == BenchFormat::kCsv) {
      fmt::print("{}", bench_csv(bench_));
      for (const std::string& line : bench_.notes) fmt::print(stderr, "note: {}\n", line);
    } else {
      fmt::print("{}", heading());
      fmt::print("{}", bench_text(bench_));
    }
    std::fflush(stdout);
  }

  std::string heading() const {
    std::string text = fmt::format("{} rows · medians of {}{} {} of {} s after {} s · in {}\n", grouped(plan_.rows),
                                   bench_.interrupted ? fmt::format("{} of ", bench_.complete_rounds) : "", plan_.rounds,
                                   plan_.rounds == 1 ? "round" : "rounds", plan_.seconds, plan_.warm_up_seconds, plan_.directory);
    if (plan_.keep) text += "files kept in " + bench_.directory + "\n";
    return text;
  }

  int write_plots() const {
    const auto write = [](const std::string& path, const std::string& text) {
      std::ofstream file(path);
      file << text;
      return static_cast<bool>(file.flush());
    };
    if (!plan_.svg.empty() && !write(plan_.svg, bench_svg(bench_))) return fail(kToolFailed, plan_.svg + ": cannot be written");
    if (!plan_.html.empty() && !write(plan_.html, bench_html(bench_))) return fail(kToolFailed, plan_.html + ": cannot be written");
    return kNothingFound;
  }

  const Invocation& invocation_;
  BenchPlan plan_;
  Bench bench_;
  ScratchDirectory* scratch_ = nullptr;
  std::vector<Entrant> entrants_;
  ProgressLine progress_;
  Clock::time_point began_;
  std::uint32_t round_ = 1;
  std::size_t runs_ = 0;
  std::size_t runs_done_ = 0;
};

}  // namespace

int bench_command(const Invocation& invocation) {
  if (!invocation.arguments.empty() && invocation.arguments.front() == "recovery") {
    const std::vector<std::string> rest(invocation.arguments.begin() + 1, invocation.arguments.end());
    return bench_recovery_command({invocation.program, rest, invocation.engines, invocation.interrupted});
  }
  const Parsed parsed =
      parse(invocation, "bench [recovery] [OPTIONS]",
            "powercut bench --dir /mnt/disk --clients 1,64,1024 --peers sqlite,rocksdb --device", bench_options());
  if (parsed.exit_status) return *parsed.exit_status;
  auto plan = bench_plan(parsed.values);
  if (plan.has_error()) return fail(plan.error());
  return BenchCommand(invocation, std::move(plan).value()).run();
}

}  // namespace powercut::tools
