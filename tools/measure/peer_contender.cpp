#include "tools/measure/peer_contender.h"

#include "faultfs/hash.h"
#include "tools/measure/ycsb.h"

#include <fmt/format.h>

namespace powercut::measure {
namespace {

constexpr std::uint32_t kMostMoved = 100;

std::uint64_t seed_of(const Load& load, std::uint32_t client, std::uint64_t done) {
  return combine(combine(load.seed, client), done);
}

}  // namespace

Result<void> PeerContender::prepare(const std::string& directory, const Load& load) {
  if (load.rows < 2) return Error(ErrorCode::kInvalidArgument, "a transfer needs two rows");
  POWERCUT_TRYV(engine_->open(directory));
  next_row_ = load.rows;
  return engine_->fill(load.rows, [&](std::uint64_t row) { return first_value(load.workload, row); });
}

Result<Measured> PeerContender::run(const Load& load) {
  return run_threads(load, [&](std::uint32_t client) {
    return load.workload == Workload::kTransfer ? transfers(load, client) : records(load, client);
  });
}

Result<Operation> PeerContender::transfers(const Load& load, std::uint32_t client) {
  POWERCUT_TRY(std::shared_ptr<PeerClient> peer, engine_->make_client());
  return Operation([this, peer, rows = load.rows, random = Random(seed_of(load, client, next_marker_)),
                    transfer = Transfer()](bool again) mutable -> Result<Outcome> {
    if (!again) {
      transfer.from = random.next() % rows;
      transfer.to = (transfer.from + 1 + random.next() % (rows - 1)) % rows;
      transfer.most = 1 + random.below(kMostMoved);
      transfer.marker = next_marker_.fetch_add(1, std::memory_order_relaxed);
    }
    POWERCUT_TRY(const Outcome outcome, peer->transfer(transfer));
    if (outcome == Outcome::kDone) transfers_.fetch_add(1, std::memory_order_relaxed);
    return outcome;
  });
}

Result<Operation> PeerContender::records(const Load& load, std::uint32_t client) {
  POWERCUT_TRY(std::shared_ptr<PeerClient> peer, engine_->make_client());
  return Operation([this, peer, chooser = Chooser(load.workload, load.rows), random = Random(seed_of(load, client, next_row_)),
                    next = RecordOperation(), value = std::string(), rows = load.rows](bool again) mutable -> Result<Outcome> {
    if (!again) {
      next = chooser.next(random, next_row_.load(std::memory_order_relaxed));
      if (next.access == Access::kInsert) next.record = next_row_.fetch_add(1, std::memory_order_relaxed);
    }
    if (next.access == Access::kScan) {
      std::uint64_t bytes = 0;
      POWERCUT_TRYV(peer->scan(next.record, next.rows, [&](std::uint64_t, std::string_view row) { bytes += row.size(); }));
      if (bytes < kRecordBytes) return Error(ErrorCode::kCorrupt, fmt::format("a scan from row {} found nothing", next.record));
      return Outcome::kDone;
    }
    if (next.access == Access::kRead || next.access == Access::kReadModifyWrite) {
      POWERCUT_TRY(const bool found, peer->get(next.record, value));
      // The newest may be on their way in.
      if (!found && next.record < rows) return Error(ErrorCode::kCorrupt, fmt::format("row {} is missing", next.record));
    }
    if (next.access == Access::kRead) return Outcome::kDone;
    if (next.access == Access::kReadModifyWrite) {
      value.front() = static_cast<char>(value.front() + 1);
    } else {
      value = first_value(Workload::kA, combine(next.record, next.access == Access::kUpdate ? 1 : 0));
    }
    return peer->put(next.record, value);
  });
}

Result<void> PeerContender::check(const Load& load) {
  POWERCUT_TRY(const auto client, engine_->make_client());
  std::uint64_t rows = 0;
  std::uint64_t total = 0;
  std::uint64_t misshapen = 0;
  const std::size_t bytes = load.workload == Workload::kTransfer ? sizeof(EightBytes) : kRecordBytes;
  POWERCUT_TRYV(client->scan(0, UINT64_MAX, [&](std::uint64_t row, std::string_view value) {
    if (row != rows || value.size() != bytes) ++misshapen;
    ++rows;
    const auto balance = to_number(value);
    if (balance.has_value()) total += balance.value();
  }));
  const auto expect = [&](std::string_view what, std::uint64_t expected, std::uint64_t found) -> Result<void> {
    if (expected == found) return success();
    return Error(ErrorCode::kCorrupt, fmt::format("{}: expected {} {}, found {}", name(), expected, what, found));
  };
  POWERCUT_TRYV(expect("rows of the wrong number or length", 0, misshapen));
  POWERCUT_TRYV(expect("rows", next_row_, rows));
  if (load.workload != Workload::kTransfer) return success();
  POWERCUT_TRYV(expect("in total", load.rows * static_cast<std::uint64_t>(kFirstBalance), total));
  POWERCUT_TRY(const std::uint64_t markers, client->count_markers());
  return expect("markers", transfers_, markers);
}

}  // namespace powercut::measure
