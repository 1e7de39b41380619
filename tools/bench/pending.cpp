// What does it cost to look at every crash state? It grows with what recovery reads, not with what is pending. Two series,
// each of a transaction that the power interrupts before its commit is synced:
//
// - Pages: it changes rows in ever more pages and then reads the whole table, so that the buffer pool (8 frames) writes the
//   pages out to make room. Nothing syncs the data file: each page adds up to eight atoms of 512 bytes that may be lost or
//   not. Redo restores these pages from their images in the log, so recovery never reads them.
// - Log: it changes one page ever more often. All that is pending lies in the log, and recovery reads it, up to the first
//   record of which something is lost.
//
// Prints the table of docs/EXPLORATION.md, and with an argument writes the plot to that file. Counts, the same on every
// machine.
#include "faultfs/assert.h"
#include "properties/explore.h"
#include "properties/workloads.h"
#include "recovery/ledger_engine.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

namespace powercut {
namespace {

using properties::OperationKind;
using properties::Step;
using properties::StepKind;
using properties::Steps;

constexpr std::uint32_t kRows = 640;
constexpr std::uint32_t kRowsBetweenPages = 9;  // somewhat more than lie in a page
constexpr std::size_t kTransaction = 3;         // the step that changes rows
constexpr std::uint32_t kPages[] = {0, 1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 70};
constexpr std::uint32_t kChanges[] = {10, 20, 50, 100, 200, 400, 600, 800};

Steps steps_of(Step transaction) {
  Step set_up;
  set_up.kind = StepKind::kSetUp;
  set_up.count = kRows;
  Step checkpoint;
  checkpoint.kind = StepKind::kCheckpoint;
  return {set_up, checkpoint, checkpoint, std::move(transaction)};  // the first checkpoint leaves some pages to the next
}

properties::Operation update(std::uint32_t row, std::int64_t amount) { return {OperationKind::kUpdate, 1, row, 0, amount}; }

Steps pages(std::uint32_t count) {
  Step step;
  for (std::uint32_t row = 0; row < count * kRowsBetweenPages; row += kRowsBetweenPages) {
    step.operations.push_back(update(row, properties::kv().set_up_amount(row) + 1024));
  }
  step.operations.push_back({OperationKind::kScan, 1, 0, kRows, 0});
  step.operations.push_back(update(kRows - 1, 2048));
  return steps_of(std::move(step));
}

Steps changes(std::uint32_t count) {
  Step step;
  for (std::uint32_t at = 1; at <= count; ++at) step.operations.push_back(update(0, std::int64_t{1024} * at + 32));
  return steps_of(std::move(step));
}

struct Sample {
  std::uint32_t size = 0;  // pages, or changes
  double bits = 0;
  std::uint64_t recoveries = 0;
};

// The power fails before the sync of the commit, the last in the transaction.
Sample explore(const engine::EngineKind& kind, engine::Engine& engine, std::uint32_t size, const Steps& steps) {
  properties::Setting setting;
  setting.kind = &kind;
  setting.model = faultfs::preset("posix").value();
  setting.workload = &properties::kv();
  setting.nested = 0;
  std::uint32_t before_sync = 0;
  properties::Timeline timeline;
  faultfs::RecordedChoices nobody_else({});
  const auto violation = timeline.run(engine, setting, steps, nobody_else, [&](const auto& moment) {
    if (moment.step == kTransaction && moment.where == "before a sync") before_sync = moment.point;
    return true;
  });
  POWERCUT_ASSERT(!violation && before_sync > 0, "the workload runs to its end");
  properties::Explorer explorer(engine, setting);
  properties::ExplorePlan plan;
  plan.most_at_point = 1'000'000;
  Sample sample{size, 0, 0};
  bool exhaustive = false;
  const auto failure = explorer.explore(
      steps, plan, [&](std::uint32_t point) { return point == before_sync; },
      [&](const properties::PointReport& report) {
        sample.bits = report.bits;
        sample.recoveries = report.recoveries;
        exhaustive = report.coverage.exhaustive;
        return false;
      },
      nullptr, nullptr);
  POWERCUT_ASSERT(!failure && exhaustive, "every crash state is seen, and holds");
  return sample;
}

// A plot of recoveries against pending states, both logarithmic, with the cost of listing the states beside it.
class Plot {
 public:
  Plot(std::ostream& out, const std::vector<Sample>& pages, const std::vector<Sample>& changes)
      : out_(out), pages_(pages), changes_(changes) {
    double most_bits = 0;
    for (const auto* samples : {&pages, &changes}) {
      for (const Sample& sample : *samples) most_bits = std::max(most_bits, sample.bits);
    }
    most_bits_ = std::ceil(most_bits / kBitsPerMark) * kBitsPerMark;
  }

  void draw() {
    fmt::print(out_,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
               "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fdfdfb\"/>\n",
               kWidth, kHeight);
    text(kLeft, 24, "start", "#222", "Recoveries to see every crash state of one crash point");
    for (double bits = 0; bits <= most_bits_; bits += kBitsPerMark) {
      line(x(bits), kTop, x(bits), kBottom, "#e4e4e0");
      text(x(bits), kBottom + 18, "middle", "#444", fmt::format("{:.0f}", bits));
    }
    for (int decade = 0; decade <= kDecades; ++decade) {
      line(kLeft, y(decade), kRight, y(decade), "#e4e4e0");
      text(kLeft - 8, y(decade) + 4, "end", "#444", kLabels[static_cast<std::size_t>(decade)]);
    }
    line(kLeft, kBottom, kRight, kBottom, "#444");
    line(kLeft, kTop, kLeft, kBottom, "#444");
    text((kLeft + kRight) / 2, kBottom + 40, "middle", "#222", "log2 of the crash states that are pending");
    fmt::print(out_,
               "<text transform=\"translate(20 {:.0f}) rotate(-90)\" text-anchor=\"middle\" fill=\"#222\">recoveries</text>\n",
               (kTop + kBottom) / 2);
    // Listing: 2^bits recoveries.
    const double top_bits = kDecades / std::log10(2.0);
    fmt::print(out_, "<path d=\"M{:.1f} {:.1f} L{:.1f} {:.1f}\" stroke=\"#b5482f\" stroke-width=\"2\" stroke-dasharray=\"6 4\"/>\n",
               x(0), y(0), x(top_bits), y(kDecades));
    text(x(top_bits) + 8, kTop + 14, "start", "#b5482f", "listing the states: 2^n");
    curve(pages_, "#2a6496", "pages that recovery does not read", 24);
    curve(changes_, "#5b7f2b", "a log that recovery reads", -12);
    fmt::print(out_, "</svg>\n");
  }

 private:
  void curve(const std::vector<Sample>& samples, std::string_view colour, std::string_view what, double label_offset) {
    std::string path;
    for (const Sample& sample : samples) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", x(sample.bits), y_of(sample));
    }
    fmt::print(out_, "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", path, colour);
    for (const Sample& sample : samples) {
      fmt::print(out_, "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", x(sample.bits), y_of(sample), colour);
    }
    const Sample& last = samples.back();
    text(x(last.bits), y_of(last) + label_offset, "end", colour,
         fmt::format("{}: {} recoveries for 2^{:.0f}", what, last.recoveries, last.bits));
  }
  void line(double x1, double y1, double x2, double y2, std::string_view colour) {
    fmt::print(out_, "<path d=\"M{:.1f} {:.1f} L{:.1f} {:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2, y2, colour);
  }
  void text(double at_x, double at_y, std::string_view anchor, std::string_view colour, std::string_view what) {
    fmt::print(out_, "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"{}\">{}</text>\n", at_x, at_y, anchor, colour,
               what);
  }
  double x(double bits) const { return kLeft + (kRight - kLeft) * bits / most_bits_; }
  static double y(double decades) { return kBottom - (kBottom - kTop) * decades / kDecades; }
  static double y_of(const Sample& sample) { return y(std::log10(static_cast<double>(sample.recoveries))); }

  static constexpr double kWidth = 720;
  static constexpr double kHeight = 420;
  static constexpr double kLeft = 90;
  static constexpr double kRight = 690;
  static constexpr double kTop = 44;
  static constexpr double kBottom = 350;
  static constexpr double kBitsPerMark = 40;
  static constexpr int kDecades = 6;
  static constexpr std::string_view kLabels[kDecades + 1] = {"1", "10", "100", "1,000", "10,000", "100,000", "1,000,000"};

  std::ostream& out_;
  const std::vector<Sample>& pages_;
  const std::vector<Sample>& changes_;
  double most_bits_ = 0;
};

using Samples = std::vector<Sample>;

Samples series(const engine::EngineKind& kind, engine::Engine& engine, std::string_view what, std::span<const std::uint32_t> sizes,
               Steps (*steps)(std::uint32_t)) {
  Samples samples;
  fmt::print("| {} | crash states pending | recoveries to see them all |\n| --- | --- | --- |\n", what);
  for (const std::uint32_t size : sizes) {
    samples.push_back(explore(kind, engine, size, steps(size)));
    fmt::print("| {} | 2^{:.1f} | {} |\n", size, samples.back().bits, samples.back().recoveries);
    std::fflush(stdout);
  }
  fmt::print("\n");
  return samples;
}

int run(int count, char** arguments) {
  const auto kind = recovery::make_ledger_kind();
  const std::vector<engine::Option> options{{"frames", "8"}, {"segment", "1048576"}, {"check-log-end", "no"}};
  const auto engine = std::move(kind->make(options, {})).value();
  const Samples by_pages = series(*kind, *engine, "pages changed", kPages, pages);
  const Samples by_changes = series(*kind, *engine, "changes of one page", kChanges, changes);
  if (count < 2) return 0;
  std::ofstream file(arguments[1]);
  Plot(file, by_pages, by_changes).draw();
  if (!file.flush()) {
    fmt::print(stderr, "bench_pending: {} cannot be written\n", arguments[1]);
    return 3;
  }
  return 0;
}

}  // namespace
}  // namespace powercut

int main(int count, char** arguments) { return powercut::run(count, arguments); }
