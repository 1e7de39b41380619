#include "tools/measure/run_window.h"

#include <sys/resource.h>

namespace powercut::measure {
namespace {

std::uint64_t nanoseconds(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

}  // namespace

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void RunWindow::open() {
  closed_ = false;
  next_moment_ = clock() + nanoseconds(load_.warm_up_seconds);
}

void RunWindow::reach(std::uint64_t now) {
  if (closed_) return;
  if (began_ == 0) {
    begin_counting(now);
  } else {
    end_counting(now);
    closed_ = true;
  }
}

void RunWindow::begin_counting(std::uint64_t now) {
  began_ = now;
  next_moment_ = now + nanoseconds(load_.seconds);
  processor_began_ = processor_seconds();
  counts_began_ = counts_;
  counting_ = true;
}

void RunWindow::end_counting(std::uint64_t now) {
  counting_ = false;
  measured_.seconds = static_cast<double>(now - began_) * 1e-9;
  measured_.cpu_seconds = processor_seconds() - processor_began_;
  const faultfs::IoCounts counts = counts_ - counts_began_;
  measured_.bytes_written = counts.bytes_written;
  measured_.syncs = counts.syncs + counts.durable_writes;
}

Measured RunWindow::measured() {
  if (counting_) end_counting(clock());
  measured_.latency = latency_;
  measured_.operations = latency_.count();
  return measured_;
}

}  // namespace powercut::measure
