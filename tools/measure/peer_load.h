// What the core workloads of YCSB do next (Cooper et al., "Benchmarking cloud serving systems with YCSB", SoCC 2010, table 2),
// and the workload of scans alone.
//
// Records are chosen by a scrambled Zipfian distribution with the constant 0.99, computed as in Gray et al., "Quickly generating
// billion-record synthetic databases", SIGMOD 1994, figure 5; in workload D by one over the newest records.
#pragma once

#include "faultfs/random.h"
#include "tools/measure/contender.h"

namespace powercut::measure {

class Ycsb {
 public:
  // kModify reads a record, then writes it.
  enum class Operation : unsigned char { kRead, kUpdate, kInsert, kScan, kModify };
  struct Choice {
    Operation operation = Operation::kRead;
    std::uint64_t row = 0;    // not of an insert
    std::uint32_t count = 1;  // of a scan
  };

  // `rows` at the beginning. Not for transfers.
  Ycsb(Workload workload, std::uint64_t rows, std::uint64_t seed);
  // `rows`: there are by now, those of inserts included.
  Choice next(std::uint64_t rows);

 private:
  Operation operation();
  std::uint64_t zipfian();

  Workload workload_;
  std::uint64_t rows_;
  double zeta_;
  double eta_;
  Random random_;
};

}  // namespace powercut::measure
