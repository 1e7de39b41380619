// LevelDB, and RocksDB, which came of it and kept its names: a log that is synced for a group of writers at once, and a batch of
// writes that is applied whole. Neither has transactions without more, so that what a transfer reads is kept from others by
// locks of ours, until its batch is durable.
#pragma once

#include "tools/measure/byte_keys.h"
#include "tools/measure/key_locks.h"
#include "tools/measure/peer_contender.h"

namespace powercut::measure {

// `Api` names the types of one of the two: Database, Batch, Slice, Status, ReadOptions, WriteOptions, Iterator; and
// write(Database&, const WriteOptions&, Batch&).
template <class Api>
Error batch_error(std::string_view engine, const typename Api::Status& status) {
  return Error(status.IsCorruption() ? ErrorCode::kCorrupt : ErrorCode::kIo, std::string(engine) + ": " + status.ToString());
}

template <class Api>
class WriteBatchClient final : public PeerClient {
 public:
  WriteBatchClient(std::string_view engine, typename Api::Database& database, KeyLocks& locks)
      : engine_(engine), database_(database), locks_(locks) {
    durable_.sync = true;
  }

  Result<Outcome> transfer(const Transfer& transfer) override {
    const KeyLocks::Two locked(locks_, transfer.from, transfer.to);
    POWERCUT_TRY(const bool has_from, get(transfer.from, from_));
    POWERCUT_TRY(const bool has_to, get(transfer.to, to_));
    if (!has_from || !has_to) return Error(ErrorCode::kCorrupt, std::string(engine_) + ": an account is missing");
    POWERCUT_TRY(const Balances after, balances_after(transfer, from_, to_));
    batch_.Clear();
    add(kRowTable, transfer.from, view(after.from));
    add(kRowTable, transfer.to, view(after.to));
    add(kMarkerTable, transfer.marker, view(to_bytes(transfer.marker)));
    return outcome(Api::write(database_, durable_, batch_));
  }

  Result<bool> get(std::uint64_t row, std::string& value) override {
    const ByteKey key = key_in(kRowTable, row);
    const auto status = database_.Get(reading_, slice(key), &value);
    if (status.IsNotFound()) return false;
    if (!status.ok()) return batch_error<Api>(engine_, status);
    return true;
  }

  Result<Outcome> put(std::uint64_t row, std::string_view value) override {
    batch_.Clear();
    add(kRowTable, row, value);
    return outcome(Api::write(database_, durable_, batch_));
  }

  Result<void> scan(std::uint64_t row, std::uint64_t count, const RowSink& sink) override {
    return walk(kRowTable, row, count, [&](typename Api::Iterator& at) -> Result<void> {
      POWERCUT_TRY(const std::uint64_t number, to_number({at.key().data() + 1, at.key().size() - 1}));
      sink(number, {at.value().data(), at.value().size()});
      return success();
    });
  }

  Result<std::uint64_t> count_markers() override {
    std::uint64_t count = 0;
    POWERCUT_TRYV(walk(kMarkerTable, 0, UINT64_MAX, [&](typename Api::Iterator&) -> Result<void> {
      ++count;
      return success();
    }));
    return count;
  }

 private:
  static typename Api::Slice slice(const ByteKey& key) { return {key.data(), key.size()}; }
  void add(char table, std::uint64_t number, std::string_view value) {
    const ByteKey key = key_in(table, number);
    batch_.Put(slice(key), typename Api::Slice(value.data(), value.size()));
  }
  Result<Outcome> outcome(const typename Api::Status& status) const {
    if (!status.ok()) return batch_error<Api>(engine_, status);
    return Outcome::kDone;
  }
  template <class OnEntry>
  Result<void> walk(char table, std::uint64_t first, std::uint64_t count, const OnEntry& on_entry) {
    const std::unique_ptr<typename Api::Iterator> at(database_.NewIterator(reading_));
    const ByteKey key = key_in(table, first);
    for (at->Seek(slice(key)); count > 0 && at->Valid() && at->key()[0] == table; at->Next(), --count) {
      POWERCUT_TRYV(on_entry(*at));
    }
    if (!at->status().ok()) return batch_error<Api>(engine_, at->status());
    return success();
  }

  std::string_view engine_;
  typename Api::Database& database_;
  KeyLocks& locks_;
  typename Api::ReadOptions reading_;
  typename Api::WriteOptions durable_;
  typename Api::Batch batch_;
  std::string from_;
  std::string to_;
};

template <class Api>
class WriteBatchEngine final : public PeerEngine {
 public:
  std::string_view name() const override { return Api::kName; }
  std::string_view setting() const override { return Api::kSetting; }
  Result<void> open(const std::string& directory) override {
    typename Api::Database* opened = nullptr;
    const auto status = Api::open(directory + "/database", &opened);
    database_.reset(opened);
    if (!status.ok()) return batch_error<Api>(name(), status);
    return success();
  }
  Result<std::unique_ptr<PeerClient>> make_client() override {
    return std::unique_ptr<PeerClient>(new WriteBatchClient<Api>(name(), *database_, locks_));
  }
  Result<void> fill(std::uint64_t rows, const std::function<std::string(std::uint64_t row)>& value_of) override {
    typename Api::Batch batch;
    for (std::uint64_t row = 0; row < rows; ++row) {
      const ByteKey key = key_in(kRowTable, row);
      batch.Put(typename Api::Slice(key.data(), key.size()), value_of(row));
    }
    typename Api::WriteOptions durable;
    durable.sync = true;
    const auto status = Api::write(*database_, durable, batch);
    if (!status.ok()) return batch_error<Api>(name(), status);
    return success();
  }

 private:
  std::unique_ptr<typename Api::Database> database_;
  KeyLocks locks_;
};

}  // namespace powercut::measure
