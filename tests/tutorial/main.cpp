#include "store.h"
#include "tools/program.h"

int main(int count, char** arguments) {
  std::vector<std::unique_ptr<powercut::engine::EngineKind>> engines;
  engines.push_back(kv::kind());
  return powercut::tools::program_main(count, arguments, engines);
}
