// A peer of the benchmark: an engine as a library, a client of it, and the contender that runs the workloads on them.
#pragma once

#include "tools/measure/threads.h"
#include "tools/measure/work.h"

#include <functional>

namespace powercut::measure {

using RowSink = std::function<void(std::uint64_t row, std::string_view value)>;

// Of one thread. What writes is durable when it returns success.
class PeerClient {
 public:
  virtual ~PeerClient() = default;

  // One serializable transaction: reads both accounts, writes both and the marker.
  virtual Result<Outcome> transfer(const Transfer& transfer) = 0;
  // False if there is no such row.
  virtual Result<bool> get(std::uint64_t row, std::string& value) = 0;
  virtual Result<Outcome> put(std::uint64_t row, std::string_view value) = 0;
  // At most so many rows in order, from the first that is not before `row`.
  virtual Result<void> scan(std::uint64_t row, std::uint64_t count, const RowSink& sink) = 0;
  virtual Result<std::uint64_t> count_markers() = 0;
};

class PeerEngine {
 public:
  virtual ~PeerEngine() = default;

  virtual std::string_view name() const = 0;
  virtual std::string_view setting() const = 0;
  // Makes an empty database in an empty directory.
  virtual Result<void> open(const std::string& directory) = 0;
  // Called in the thread that uses and destroys it; the engine outlives it.
  virtual Result<std::unique_ptr<PeerClient>> make_client() = 0;
  // Rows 0 to `rows`, all or none.
  virtual Result<void> fill(std::uint64_t rows, const std::function<std::string(std::uint64_t row)>& value_of) = 0;
};

class PeerContender final : public Contender {
 public:
  explicit PeerContender(std::unique_ptr<PeerEngine> engine) : engine_(std::move(engine)) {}

  std::string_view name() const override { return engine_->name(); }
  std::string_view setting() const override { return engine_->setting(); }
  std::uint32_t most_clients() const override { return 64; }
  // Once. kInvalidArgument with fewer than two rows.
  Result<void> prepare(const std::string& directory, const Load& load) override;
  Result<Measured> run(const Load& load) override;
  // Of transfers also that there is a marker for each that was acknowledged since prepare(), and no other; of records that none
  // is missing and none too many.
  Result<void> check(const Load& load) override;

 private:
  Result<Operation> transfers(const Load& load, std::uint32_t client);
  Result<Operation> records(const Load& load, std::uint32_t client);

  std::unique_ptr<PeerEngine> engine_;
  std::atomic<std::uint64_t> next_marker_ = 0;
  std::atomic<std::uint64_t> transfers_ = 0;  // acknowledged
  std::atomic<std::uint64_t> next_row_ = 0;
};

}  // namespace powercut::measure
