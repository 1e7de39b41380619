// The powercut program: every engine that this build has, and the benchmarks of our own.
#include "command.h"
#include "engines.h"
#include "program.h"

int main(int count, char** arguments) {
  using namespace powercut::tools;
  static constexpr Command kBench{"bench", "measure throughput, latency and recovery on a real disk", bench_command};
  return program_main(count, arguments, engines(), {&kBench, 1});
}
