// Spreads numbered items of work over processes. Each worker is a process of its own, so an engine that crashes or hangs
// takes nobody with it and is itself a finding. The lowest failing item is reported whatever the number of jobs.
#pragma once

#include "faultfs/result.h"
#include "properties/promises.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>

namespace powercut::properties {

inline constexpr std::uint32_t kMostJobs = 256;

// How many crash states were looked at.
struct SearchCount {
  std::uint64_t states = 0;      // crash states booted from the timeline
  std::uint64_t recoveries = 0;  // these and the ones nested in them
  BreachCounts breaches{};       // promises that were broken and not held to

  void add(const SearchCount& other);
};

struct WorkPlan {
  std::uint64_t first_item = 0;
  std::uint64_t items = std::numeric_limits<std::uint64_t>::max();
  std::uint32_t jobs = 1;  // from 1 to kMostJobs
};

struct WorkFigures {
  std::uint64_t items = 0;  // that are done
  SearchCount count;
  std::uint64_t distinct_outcomes = 0;
  bool outcomes_at_least = false;  // the table of outcomes was full: there are more
  double processor_seconds = 0;    // of all workers
  double wall_seconds = 0;

  void add(const WorkFigures& other);
};

struct WorkReport {
  WorkFigures figures;
  std::optional<std::uint64_t> failing_item;
  std::string worker_death;  // how the worker ended that had failing_item, if it did not return: "signal 6 (Aborted)"
  bool interrupted = false;
};

struct SharedWork;
struct WorkerFigures;

// What a worker process sees of the work.
class Worker {
 public:
  Worker(SharedWork& shared, WorkerFigures& figures, std::uint64_t end);

  // The next item, if there is one and nothing below it has failed. Items that one worker claims rise.
  std::optional<std::uint64_t> claim();
  void failed(std::uint64_t item);
  // The item is done; the figures of this worker since it began, so far.
  void done();
  // A sign of life: what was counted since the last.
  void count(const SearchCount& since);
  // The hash of a recovered state.
  void outcome(std::uint64_t hash);

 private:
  SharedWork& shared_;
  WorkerFigures& figures_;
  std::uint64_t end_;
  std::uint64_t began_;
};

// Told the figures so far, a few times a second. False ends the work, as `stop` does.
using Progress = std::function<bool(const WorkFigures&)>;

// Runs `body` in each worker process. kInvalidArgument for the plan; kIo when processes or memory cannot be had. Ends early
// when `stop` becomes true.
Result<WorkReport> run_workers(const WorkPlan& plan, const std::function<void(Worker&)>& body, const std::atomic<bool>& stop,
                               const Progress& progress);

// Memory that a process and those that it forks share, zeroed. kIo when it cannot be had.
class SharedMemory {
 public:
  static Result<SharedMemory> make(std::size_t bytes);
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  void* get() const { return memory_; }

 private:
  SharedMemory(void* memory, std::size_t bytes) : memory_(memory), bytes_(bytes) {}
  void* memory_;
  std::size_t bytes_;
};

// For who has just been forked: lives no longer than its parent, ends as the engine makes it end, and leaves Ctrl-C to the
// parent.
void become_child();
// What waitpid() says of a process: "signal 6 (Aborted)".
std::string how_it_ended(int status);

// Runs `work` in a process of its own and gives what it returns. Its error, if that process dies (kStopped, with how), or
// if `stop` becomes true first (kStopped, "interrupted").
Result<std::string> in_child(const std::function<std::string()>& work, const std::atomic<bool>& stop);

}  // namespace powercut::properties
