#include "engine/lmdb/lmdb_signals.h"

#include "engine/lmdb/lmdb_process.h"

#include <array>
#include <csignal>

namespace powercut::engine {
namespace {

constexpr std::array<int, 3> kSignals{SIGSEGV, SIGBUS, SIGFPE};

// By the order of kSignals: who handled them before. Process-wide, as handlers are.
std::array<struct sigaction, 3> earlier;
thread_local bool passing_on = false;

void pass_on(int number, siginfo_t* info, void* context) {
  std::size_t at = 0;
  while (kSignals[at] != number) ++at;
  const struct sigaction& before = earlier[at];
  const bool has_handler = before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN;
  // Handlers that were put over ours and pass on to it would go in a circle.
  if (!has_handler || passing_on) {
    std::signal(number, SIG_DFL);  // and the instruction, run again, ends the process
    if (info->si_code <= 0) std::raise(number);
    return;
  }
  passing_on = true;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(number, info, context);
  } else {
    before.sa_handler(number);
  }
  passing_on = false;
}

void handle(int number, siginfo_t* info, void* context) {
  LmdbProcess* const process = LmdbProcess::running();
  // A code of 0 or less: another process sent it.
  if (process == nullptr || info->si_code <= 0) return pass_on(number, info, context);
  process->signal(number, reinterpret_cast<std::uint64_t>(info->si_addr));
}

}  // namespace

void catch_lmdb_signals() {
  for (std::size_t at = 0; at < kSignals.size(); ++at) {
    struct sigaction now {};
    sigaction(kSignals[at], nullptr, &now);
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == handle) continue;
    earlier[at] = now;
    struct sigaction ours {};
    ours.sa_sigaction = handle;
    // Not blocked while it runs: it may never return, and what it calls may touch pages of another process.
    ours.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&ours.sa_mask);
    sigaction(kSignals[at], &ours, nullptr);
  }
}

}  // namespace powercut::engine
