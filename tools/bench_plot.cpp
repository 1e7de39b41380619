#include "bench_plot.h"

#include "bench_report.h"
#include "html.h"
#include "terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace powercut::tools {
namespace {

constexpr double kPanelWidth = 400;
constexpr double kPanelHeight = 240;
constexpr double kLeft = 86;
constexpr double kBetween = 90;
constexpr double kTop = 76;     // of a row, above its panels: the workload, the contenders
constexpr double kBottom = 56;  // below them: clients
constexpr double kRight = 34;
constexpr double kLegendStep = 150;
constexpr std::size_t kLegendsInLine = 6;
constexpr double kWidth = kLeft + 2 * kPanelWidth + kBetween + kRight;

// Colours apart for the colour-blind too (Okabe and Ito), lighter on dark.
constexpr std::array<std::array<std::string_view, 2>, 7> kColours{{{"#0072b2", "#56b4e9"},
                                                                   {"#d55e00", "#ff8c42"},
                                                                   {"#00805e", "#2fcf9f"},
                                                                   {"#a8437e", "#e59ac4"},
                                                                   {"#8a6d00", "#f0e442"},
                                                                   {"#5b4bb5", "#b0a3ff"},
                                                                   {"#555555", "#bbbbbb"}}};

std::string style() {
  std::string light;
  std::string dark;
  for (std::size_t at = 0; at < kColours.size(); ++at) {
    light += fmt::format(".s{0}{{stroke:{1}}}.f{0}{{fill:{1}}}", at, kColours[at][0]);
    dark += fmt::format(".s{0}{{stroke:{1}}}.f{0}{{fill:{1}}}", at, kColours[at][1]);
  }
  return "<style>.bg{fill:#fdfdfb}.grid{stroke:#e2e2de}.axis{stroke:#555}.text{fill:#222}.dim{fill:#555}" + light +
         "@media(prefers-color-scheme:dark){.bg{fill:#16181c}.grid{stroke:#33363c}.axis{stroke:#9aa0a6}.text{fill:#ececec}"
         ".dim{fill:#b4b8bd}" +
         dark + "}</style>\n";
}

// Of a round number: "10 us", not "10.0 us".
std::string whole_duration(double nanoseconds) {
  std::string text = duration_text(nanoseconds);
  for (const std::string_view zeros : {".00 ", ".0 "}) {
    const auto at = text.find(zeros);
    if (at != std::string::npos) text.replace(at, zeros.size(), " ");
  }
  return text;
}

// A logarithmic axis over what it must show.
class Axis {
 public:
  void add(double value) {
    if (!(value > 0)) return;
    least_ = least_ == 0 ? value : std::min(least_, value);
    most_ = std::max(most_, value);
  }
  // From one power of ten to another.
  void widen_to_decades() {
    if (least_ == 0) least_ = most_ = 1;
    least_ = std::pow(10, std::floor(std::log10(least_) + 1e-9));
    most_ = std::pow(10, std::ceil(std::log10(most_) - 1e-9));
    if (least_ == most_) most_ *= 10;
  }
  void widen_a_point() {
    if (least_ == 0) least_ = most_ = 1;
    if (least_ == most_) {
      least_ /= 2;
      most_ *= 2;
    }
  }
  double least() const { return least_; }
  double most() const { return most_; }
  // 0 at the least, 1 at the most.
  double part(double value) const { return std::log(value / least_) / std::log(most_ / least_); }

 private:
  double least_ = 0;
  double most_ = 0;
};

struct Curve {
  double BenchFigures::*value;
  bool dashed = false;
  std::string_view name;
};

struct Panel {
  std::string_view title;
  std::vector<Curve> curves;
  std::string (*label)(double value);
};

class Picture {
 public:
  explicit Picture(const Bench& bench) : bench_(bench), summaries_(bench.summaries()) {
    for (const BenchSummary& summary : summaries_) {
      if (std::find(shown_.begin(), shown_.end(), summary.contender) == shown_.end()) shown_.push_back(summary.contender);
      if (std::find(rows_.begin(), rows_.end(), summary.workload) == rows_.end()) rows_.push_back(summary.workload);
    }
    std::sort(shown_.begin(), shown_.end());
    legend_lines_ = std::max<std::size_t>(1, (shown_.size() + kLegendsInLine - 1) / kLegendsInLine);
    row_height_ = kTop + 18.0 * static_cast<double>(legend_lines_ - 1) + kPanelHeight + kBottom;
  }

  std::string draw() {
    const double height = std::max(60.0, row_height_ * static_cast<double>(rows_.size()));
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "font-family=\"sans-serif\" font-size=\"13\">\n",
        kWidth, height);
    out_ += style();
    out_ += fmt::format("<rect class=\"bg\" width=\"{:.0f}\" height=\"{:.0f}\"/>\n", kWidth, height);
    if (rows_.empty()) text(kLeft, 34, "start", "text", "nothing was measured");
    for (std::size_t row = 0; row < rows_.size(); ++row) draw_row(rows_[row], row_height_ * static_cast<double>(row));
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  void draw_row(std::size_t workload, double top) {
    const BenchWorkload& of = *bench_.workloads[workload];
    text(kLeft, top + 26, "start", "text", fmt::format("{}: {}", of.name, of.summary), "font-weight=\"bold\"");
    for (std::size_t at = 0; at < shown_.size(); ++at) {
      const double x = kLeft + kLegendStep * static_cast<double>(at % kLegendsInLine);
      const double y = top + 48 + 18.0 * static_cast<double>(at / kLegendsInLine);
      out_ += fmt::format("<path class=\"s{}\" d=\"M{:.1f} {:.1f}h18\" stroke-width=\"3\"/>\n", at % kColours.size(), x, y - 4);
      text(x + 24, y, "start", "text", bench_.contenders[shown_[at]].name);
    }
    static const Panel kRate{"operations a second", {{&BenchFigures::operations_a_second, false, ""}}, [](double value) {
                               return value >= 1 ? grouped(static_cast<std::uint64_t>(value)) : fmt::format("{}", value);
                             }};
    static const Panel kLatency{"latency: p50, and p99 dashed",
                                {{&BenchFigures::p50_ns, false, "p50"}, {&BenchFigures::p99_ns, true, "p99"}},
                                whole_duration};
    const double panels = top + row_height_ - kBottom - kPanelHeight;
    draw_panel(kRate, workload, kLeft, panels);
    draw_panel(kLatency, workload, kLeft + kPanelWidth + kBetween, panels);
  }

  void draw_panel(const Panel& panel, std::size_t workload, double left, double top) {
    Axis across;
    Axis up;
    for (const BenchSummary& summary : summaries_) {
      if (summary.workload != workload) continue;
      across.add(summary.clients);
      for (const Curve& curve : panel.curves) up.add(summary.median.*curve.value);
    }
    across.widen_a_point();
    up.widen_to_decades();
    const auto x = [&](double value) { return left + kPanelWidth * across.part(value); };
    const auto y = [&](double value) { return top + kPanelHeight * (1 - up.part(value)); };

    text(left, top - 8, "start", "dim", panel.title);
    const bool narrow = up.most() / up.least() < 101;
    for (double decade = up.least(); decade <= up.most() * 1.001; decade *= 10) {
      for (const double step : {1.0, 2.0, 5.0}) {
        const double value = decade * step;
        if ((step > 1 && !narrow) || value > up.most() * 1.001) break;
        line("grid", left, y(value), left + kPanelWidth, y(value));
        text(left - 7, y(value) + 4, "end", "dim", panel.label(value));
      }
    }
    for (double clients = 1; clients <= across.most() * 1.001; clients *= 4) {
      if (clients < across.least() * 0.999) continue;
      line("grid", x(clients), top, x(clients), top + kPanelHeight);
      text(x(clients), top + kPanelHeight + 18, "middle", "dim", grouped(static_cast<std::uint64_t>(clients)));
    }
    line("axis", left, top + kPanelHeight, left + kPanelWidth, top + kPanelHeight);
    line("axis", left, top, left, top + kPanelHeight);
    text(left + kPanelWidth / 2, top + kPanelHeight + 38, "middle", "dim", "clients");
    for (const Curve& curve : panel.curves) {
      for (std::size_t at = 0; at < shown_.size(); ++at) draw_curve(curve, workload, at, x, y);
    }
  }

  void draw_curve(const Curve& curve, std::size_t workload, std::size_t at, const std::function<double(double)>& x,
                  const std::function<double(double)>& y) {
    std::string path;
    std::string points;
    for (const BenchSummary& summary : summaries_) {
      const double value = summary.median.*curve.value;
      if (summary.workload != workload || summary.contender != shown_[at] || !(value > 0)) continue;
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", x(summary.clients), y(value));
      points +=
          fmt::format("<circle class=\"f{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}, {} clients: {}{}</title></circle>\n",
                      at % kColours.size(), x(summary.clients), y(value), html_text(bench_.contenders[shown_[at]].name),
                      summary.clients, curve.name.empty() ? number(value) : duration_text(value),
                      curve.name.empty() ? " a second" : " " + std::string(curve.name));
    }
    if (path.empty()) return;
    out_ += fmt::format("<path class=\"s{}\" d=\"{}\" fill=\"none\" stroke-width=\"2\"{}/>\n{}", at % kColours.size(), path,
                        curve.dashed ? " stroke-dasharray=\"5 4\"" : "", points);
  }

  static std::string number(double value) { return grouped(static_cast<std::uint64_t>(std::llround(value))); }
  void line(std::string_view style_class, double x1, double y1, double x2, double y2) {
    out_ += fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", style_class, x1, y1, x2, y2);
  }
  void text(double x, double y, std::string_view anchor, std::string_view style_class, std::string_view what,
            std::string_view more = "") {
    out_ += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", style_class, x, y, anchor,
                        more, html_text(what));
  }

  const Bench& bench_;
  std::vector<BenchSummary> summaries_;
  std::vector<std::size_t> shown_;  // contenders
  std::vector<std::size_t> rows_;   // workloads
  std::size_t legend_lines_ = 1;
  double row_height_ = 0;
  std::string out_;
};

}  // namespace

std::string bench_svg(const Bench& bench) { return Picture(bench).draw(); }

std::string bench_html(const Bench& bench) {
  return "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\n"
         "<title>powercut bench</title>\n"
         "<style>body{margin:1.5rem;background:#fdfdfb;color:#222}svg{max-width:100%;height:auto}pre{overflow-x:auto}"
         "@media(prefers-color-scheme:dark){body{background:#16181c;color:#ececec}}</style>\n" +
         bench_svg(bench) + "<pre>" + html_text(bench_text(bench)) + "</pre>\n</html>\n";
}

}  // namespace powercut::tools
