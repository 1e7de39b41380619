// What `powercut bench` is asked for.
#pragma once

#include "bench_figures.h"
#include "command.h"
#include "tools/measure/ledger_contender.h"

#include <boost/program_options.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace powercut::tools {

enum class BenchFormat : unsigned char { kText, kJson, kCsv };

struct BenchPlan {
  std::vector<const BenchWorkload*> workloads;
  std::vector<std::uint32_t> clients;
  std::vector<measure::Backend> backends;
  bool backend_given = false;  // or the default, which gives way where io_uring is refused
  faultfs::UringOptions uring;
  std::vector<engine::Option> options;  // of ledger
  std::vector<std::string> peers;
  std::vector<std::uint32_t> peer_clients;
  bool device = false;
  std::string directory;
  std::uint64_t rows = 0;
  double seconds = 0;
  double warm_up_seconds = 0;
  std::uint32_t rounds = 0;
  BenchFormat format = BenchFormat::kText;
  std::string html;  // a file to write; empty for none
  std::string svg;
  bool keep = false;
};

boost::program_options::options_description bench_options();

// kInvalidArgument, with what there is, for what cannot be.
Result<BenchPlan> bench_plan(const boost::program_options::variables_map& values);

}  // namespace powercut::tools
