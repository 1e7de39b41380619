#include "tools/measure/peer_load.h"

#include "faultfs/hash.h"

#include <algorithm>
#include <cmath>

namespace powercut::measure {
namespace {

constexpr double kConstant = 0.99;
constexpr std::uint32_t kLongestScan = 100;

double zeta(std::uint64_t rows) {
  double sum = 0;
  for (std::uint64_t rank = 1; rank <= rows; ++rank) sum += 1 / std::pow(static_cast<double>(rank), kConstant);
  return sum;
}

}  // namespace

Ycsb::Ycsb(Workload workload, std::uint64_t rows, std::uint64_t seed)
    : workload_(workload),
      rows_(rows),
      zeta_(zeta(rows)),
      eta_((1 - std::pow(2 / static_cast<double>(rows), 1 - kConstant)) / (1 - zeta(2) / zeta_)),
      random_(seed) {}

std::uint64_t Ycsb::zipfian() {
  const double uniform = static_cast<double>(random_.next() >> 11U) * 0x1p-53;
  const double scaled = uniform * zeta_;
  if (scaled < 1) return 0;
  if (scaled < 1 + std::pow(0.5, kConstant)) return std::min<std::uint64_t>(1, rows_ - 1);
  const double rank = static_cast<double>(rows_) * std::pow(eta_ * uniform - eta_ + 1, 1 / (1 - kConstant));
  return std::min(static_cast<std::uint64_t>(rank), rows_ - 1);
}

Ycsb::Operation Ycsb::operation() {
  const std::uint32_t percent = random_.below(100);
  switch (workload_) {
    case Workload::kA:
      return percent < 50 ? Operation::kRead : Operation::kUpdate;
    case Workload::kB:
      return percent < 95 ? Operation::kRead : Operation::kUpdate;
    case Workload::kD:
      return percent < 95 ? Operation::kRead : Operation::kInsert;
    case Workload::kE:
      return percent < 95 ? Operation::kScan : Operation::kInsert;
    case Workload::kF:
      return percent < 50 ? Operation::kRead : Operation::kModify;
    case Workload::kScan:
      return Operation::kScan;
    case Workload::kC:
    case Workload::kTransfer:
      break;
  }
  return Operation::kRead;
}

Ycsb::Choice Ycsb::next(std::uint64_t rows) {
  Choice choice;
  choice.operation = operation();
  if (workload_ == Workload::kScan) {
    choice.row = random_.next() % rows;
    choice.count = kLongestScan;
  } else if (workload_ == Workload::kD) {
    choice.row = rows - 1 - zipfian();
  } else {
    choice.row = mix64(zipfian()) % rows_;
    if (choice.operation == Operation::kScan) choice.count = 1 + random_.below(kLongestScan);
  }
  return choice;
}

}  // namespace powercut::measure
