// Which operation comes next, and on which record: the core workloads A to F of YCSB, and scans alone. All contenders ask here,
// so that all get the same load.
#pragma once

#include "tools/measure/contender.h"
#include "tools/measure/work.h"
#include "tools/measure/zipfian.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace powercut::measure {

inline constexpr std::uint32_t kMostScanned = 100;
inline constexpr std::uint32_t kScanned = 100;  // by each operation of Workload::kScan

enum class Access : unsigned char { kRead, kUpdate, kInsert, kScan, kReadModifyWrite };

struct RecordOperation {
  Access access = Access::kRead;
  std::uint64_t record = 0;  // its number; of a scan the first one's
  std::uint32_t rows = 0;    // of a scan
};

// A record's key: its number, hashed so that neighbours lie apart, as big-endian bytes.
class RecordKey {
 public:
  explicit RecordKey(std::uint64_t record) {
    const std::uint64_t hash = ScrambledZipfian::fnv(record);
    for (std::size_t at = 0; at < bytes_.size(); ++at) bytes_[at] = static_cast<char>(hash >> (56 - 8 * at));
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, 8> bytes_{};
};

// Draws operations of a workload. Where YCSB draws by popularity among all records, here it is among those that there were at
// first.
class Chooser {
 public:
  // `records` at first. kTransfer is no mix of these.
  Chooser(Workload workload, std::uint64_t records);

  // `records`: there are by now. Which one an insert makes is for the caller to say.
  RecordOperation next(Random& random, std::uint64_t records);

 private:
  Workload workload_;
  ScrambledZipfian popular_;
  std::optional<Zipfian> latest_;  // of kD, for which it takes time in proportion to the records
};

// The records of a run, shared by its clients in one thread.
class Mix {
 public:
  Mix(Workload workload, std::uint64_t records) : chooser_(workload, records), records_(records), next_(records) {}

  RecordOperation next(Random& random);
  // The insert of that record was acknowledged: from now on it may be drawn, once those before it were too.
  void inserted(std::uint64_t record);

  // Records with numbers below this one are there.
  std::uint64_t records() const { return records_; }

 private:
  // Inserts under way at a time, at most; a power of two.
  static constexpr std::uint64_t kWindow = 1U << 16U;

  Chooser chooser_;
  std::uint64_t records_;
  std::uint64_t next_;                                                  // the number of the next new record
  std::vector<bool> acknowledged_ = std::vector<bool>(kWindow, false);  // by number modulo kWindow, of those from records_ on
};

}  // namespace powercut::measure
