#include "bench_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace powercut::tools {
namespace {

namespace po = boost::program_options;
using measure::Backend;
using Texts = std::vector<std::string>;

constexpr std::uint32_t kMostClients = 16384;
constexpr std::uint64_t kMostRows = 1'000'000'000;

Error wrong(std::string what) { return {ErrorCode::kInvalidArgument, std::move(what)}; }

// The words between commas; none may be empty or come twice.
Result<Texts> words(const std::string& option, const std::string& list) {
  Texts all;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    if (word.empty()) return wrong(fmt::format("--{} '{}': an empty name", option, list));
    if (std::find(all.begin(), all.end(), word) != all.end())
      return wrong(fmt::format("--{} {}: {} comes twice", option, list, word));
    all.push_back(word);
    begin = end + 1;
  }
  return all;
}

// The index of each word of a list among those there are.
Result<std::vector<std::size_t>> choose(const std::string& option, const std::string& list, const Texts& there_are) {
  POWERCUT_TRY(const Texts named, words(option, list));
  std::vector<std::size_t> chosen;
  for (const std::string& name : named) {
    const auto found = std::find(there_are.begin(), there_are.end(), name);
    if (found == there_are.end()) return wrong(fmt::format("--{} {}: there are: {}", option, name, fmt::join(there_are, " ")));
    chosen.push_back(static_cast<std::size_t>(found - there_are.begin()));
  }
  return chosen;
}

Result<std::vector<std::uint32_t>> client_counts(const std::string& option, const std::string& list) {
  POWERCUT_TRY(const Texts named, words(option, list));
  std::vector<std::uint32_t> counts;
  for (const std::string& word : named) {
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc() || end != word.data() + word.size() || count == 0 || count > kMostClients) {
      return wrong(fmt::format("--{} {}: each must be a number from 1 to {}", option, list, kMostClients));
    }
    counts.push_back(count);
  }
  std::sort(counts.begin(), counts.end());
  return counts;
}

template <class T>
Result<T> number(const po::variables_map& values, const char* option, T least, T most) {
  const T value = values[option].as<T>();
  if (value >= least && value <= most) return value;
  return wrong(fmt::format("--{} {}: must be from {} to {}", option, value, least, most));
}

Result<faultfs::UringOptions> uring_options(const po::variables_map& values) {
  faultfs::UringOptions options;
  POWERCUT_TRY(const auto direct, choose("direct", values["direct"].as<std::string>(), {"yes", "no"}));
  POWERCUT_TRY(const auto durable, choose("durable", values["durable"].as<std::string>(), {"one-write", "linked"}));
  POWERCUT_TRY(options.depth, number<std::uint32_t>(values, "depth", 2, 4096));
  if (direct.size() > 1 || durable.size() > 1) return wrong("--direct and --durable take one word each");
  options.direct = direct[0] == 0;
  options.durable = durable[0] == 0 ? faultfs::UringOptions::Durable::kOneWrite : faultfs::UringOptions::Durable::kLinked;
  options.submission_thread = values["sqpoll"].as<bool>();
  options.polled = values["iopoll"].as<bool>();
  options.registered_memory = true;
  options.registered_files = 64;
  return options;
}

}  // namespace

po::options_description bench_options() {
  po::options_description what("what is measured");
  what.add_options()("workload", po::value<std::string>()->default_value("transfer"),
                     "transfer, the YCSB core workloads a b c d e f, scan; several with commas between");
  what.add_options()("clients", po::value<std::string>()->default_value("1,64,1024"), "of ledger: how many at a time");
  what.add_options()("backend", po::value<std::string>()->default_value("uring"), "of ledger: uring, posix or sim (memory only)");
  what.add_options()("rows", po::value<std::uint64_t>()->default_value(10000), "accounts, or records of 100 bytes");
  what.add_options()("set", po::value<Texts>()->value_name("NAME=VALUE"),
                     "an option of ledger, may be repeated (see: powercut list options)");
  what.add_options()("peers", po::value<std::string>(), "others to measure beside it: sqlite, leveldb, rocksdb, lmdb");
  what.add_options()("peer-clients", po::value<std::string>()->default_value("1,4,16,64"), "of the peers: how many threads");
  what.add_options()("device", po::bool_switch(), "also measure the ways to make a write durable on the device itself");
  po::options_description how("how");
  how.add_options()("dir", po::value<std::string>()->default_value("."),
                    "a directory on the device to measure; files are made in a fresh directory in it, and removed at the end");
  how.add_options()("seconds", po::value<double>()->default_value(2, "2"), "that a run counts");
  how.add_options()("warm-up", po::value<double>()->default_value(0.5, "0.5"), "seconds before, not counted");
  how.add_options()("rounds", po::value<std::uint32_t>()->default_value(5),
                    "in each every contender runs once, in turn; medians over them are reported");
  how.add_options()("direct", po::value<std::string>()->default_value("yes"), "uring: past the page cache where it can be");
  how.add_options()("durable", po::value<std::string>()->default_value("one-write"),
                    "uring: a durable write is one-write (RWF_DSYNC) or linked (a write and an fdatasync)");
  how.add_options()("depth", po::value<std::uint32_t>()->default_value(64), "uring: requests that are queued");
  how.add_options()("sqpoll", po::bool_switch(), "uring: a thread of the kernel submits");
  how.add_options()("iopoll", po::bool_switch(), "uring: completions are polled for");
  how.add_options()("keep", po::bool_switch(), "leave the files");
  po::options_description shown("what is shown");
  shown.add_options()("format", po::value<std::string>()->default_value("text"),
                      "text; json: one document on standard output; csv: a row a run");
  shown.add_options()("html", po::value<std::string>()->value_name("FILE"), "also a page with plots over the number of clients");
  shown.add_options()("svg", po::value<std::string>()->value_name("FILE"), "also the plots alone");
  po::options_description options;
  options.add(what).add(how).add(shown);
  return options;
}

Result<BenchPlan> bench_plan(const po::variables_map& values) {
  const auto text = [&](const char* option) { return values[option].as<std::string>(); };
  BenchPlan plan;

  Texts workload_names;
  for (const BenchWorkload& workload : bench_workloads()) workload_names.emplace_back(workload.name);
  POWERCUT_TRY(const auto workloads, choose("workload", text("workload"), workload_names));
  for (const std::size_t at : workloads) plan.workloads.push_back(&bench_workloads()[at]);

  POWERCUT_TRY(const auto backends, choose("backend", text("backend"), {"uring", "posix", "sim"}));
  for (const std::size_t at : backends) plan.backends.push_back(static_cast<Backend>(at));
  plan.backend_given = !values["backend"].defaulted();
  POWERCUT_TRY(plan.uring, uring_options(values));
  if (std::find(plan.backends.begin(), plan.backends.end(), Backend::kUring) == plan.backends.end()) {
    for (const char* const option : {"direct", "durable", "depth", "sqpoll", "iopoll"}) {
      if (!values[option].defaulted()) return wrong(fmt::format("--{}: is for --backend uring", option));
    }
  }
  POWERCUT_TRY(plan.clients, client_counts("clients", text("clients")));
  if (values.count("set") > 0) {
    for (const std::string& setting : values["set"].as<Texts>()) {
      const auto equals = setting.find('=');
      if (equals == std::string::npos) return wrong("--set " + setting + ": must be NAME=VALUE");
      plan.options.push_back({setting.substr(0, equals), setting.substr(equals + 1)});
    }
  }

  if (values.count("peers") > 0) {
    const Texts there_are{"sqlite", "leveldb", "rocksdb", "lmdb"};
    POWERCUT_TRY(const auto peers, choose("peers", text("peers"), there_are));
    for (const std::size_t at : peers) plan.peers.push_back(there_are[at]);
  } else if (!values["peer-clients"].defaulted()) {
    return wrong("--peer-clients: there are none without --peers");
  }
  POWERCUT_TRY(plan.peer_clients, client_counts("peer-clients", text("peer-clients")));

  plan.device = values["device"].as<bool>();
  plan.directory = text("dir");
  POWERCUT_TRY(plan.rows, number<std::uint64_t>(values, "rows", 2, kMostRows));
  POWERCUT_TRY(plan.seconds, number<double>(values, "seconds", 0.01, 3600));
  POWERCUT_TRY(plan.warm_up_seconds, number<double>(values, "warm-up", 0, 3600));
  POWERCUT_TRY(plan.rounds, number<std::uint32_t>(values, "rounds", 1, 1000));
  POWERCUT_TRY(const auto formats, choose("format", text("format"), {"text", "json", "csv"}));
  if (formats.size() > 1) return wrong("--format takes one word");
  plan.format = static_cast<BenchFormat>(formats[0]);
  if (values.count("html") > 0) plan.html = text("html");
  if (values.count("svg") > 0) plan.svg = text("svg");
  plan.keep = values["keep"].as<bool>();
  return plan;
}

}  // namespace powercut::tools
