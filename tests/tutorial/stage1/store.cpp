#include "store.h"

#include "faultfs/bytes.h"
#include "faultfs/hash.h"

#include <map>

namespace kv {
namespace {

using namespace powercut;

// The log is a list of records:
//
//   length of the key, length of the value, kind, key, value, checksum of all these
//
// A batch is a record for each of its keys, and one more that says that it is whole.
enum class Kind : unsigned char { kPut = 1, kErase = 2, kCommit = 3 };

struct Record {
  Kind kind = Kind::kCommit;
  std::string_view key;
  std::string_view value;
  std::size_t bytes = 0;  // of all of it
};

std::uint32_t checksum(std::string_view bytes) { return crc32c(1, as_bytes(bytes)); }

void append(std::string& log, Kind kind, std::string_view key, std::string_view value) {
  const std::size_t begin = log.size();
  ByteWriter out(log);
  out.put(static_cast<std::uint32_t>(key.size()));
  out.put(static_cast<std::uint32_t>(value.size()));
  out.put(kind);
  out.put_text(key);
  out.put_text(value);
  out.put(checksum(std::string_view(log).substr(begin)));
}

// The record that the log begins with, if it is whole.
std::optional<Record> first_record(std::string_view log) {
  ByteReader in(as_bytes(log));
  const auto key_bytes = in.get<std::uint32_t>();
  const auto value_bytes = in.get<std::uint32_t>();
  Record record;
  record.kind = in.get<Kind>();
  record.key = in.take_text(key_bytes);
  record.value = in.take_text(value_bytes);
  const std::size_t checked = log.size() - in.remaining();
  const auto sum = in.get<std::uint32_t>();
  if (!in.ok() || sum != checksum(log.substr(0, checked))) return std::nullopt;
  record.bytes = log.size() - in.remaining();
  return record;
}

class Store final : public engine::KeyValueStore {
 public:
  Result<void> open(faultfs::FileSystem& files, std::string_view directory) {
    POWERCUT_TRY(log_, files.open(std::string(directory) + "/log", faultfs::OpenMode::kCreate));
    return recover();
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    const auto found = rows_.find(key);
    if (found != rows_.end()) value = found->second;
    return found != rows_.end();
  }

  Result<void> scan(std::string_view from, std::string_view to, const engine::RowVisitor& visit) override {
    for (auto row = rows_.lower_bound(from); row != rows_.end() && (to.empty() || row->first < to); ++row) {
      if (!visit(row->first, row->second)) break;
    }
    return success();
  }

  Result<void> write(std::span<const engine::KeyWrite> batch) override {
    std::string text;
    for (const auto& [key, value] : batch) append(text, value ? Kind::kPut : Kind::kErase, key, value.value_or(""));
    append(text, Kind::kCommit, "", "");
    POWERCUT_TRYV(write_full(*log_, end_, as_bytes(text)));
    POWERCUT_TRYV(log_->sync(faultfs::SyncKind::kData));
    end_ += text.size();
    for (const auto& [key, value] : batch) change(key, value);
    return success();
  }

  Result<void> close() override { return success(); }

 private:
  // Reads the batches that are whole. What comes after them was being written when the power failed.
  Result<void> recover() {
    POWERCUT_TRY(const std::uint64_t size, log_->size());
    std::string log(size, '\0');
    POWERCUT_TRYV(read_full(*log_, 0, {reinterpret_cast<byte*>(log.data()), log.size()}));
    std::vector<Record> batch;
    std::size_t at = 0;
    while (const auto record = first_record(std::string_view(log).substr(at))) {
      at += record->bytes;
      batch.push_back(*record);
      if (record->kind != Kind::kCommit) continue;
      for (const Record& each : batch) {
        if (each.kind == Kind::kPut) change(each.key, each.value);
        if (each.kind == Kind::kErase) change(each.key, std::nullopt);
      }
      batch.clear();
      end_ = at;
    }
    return success();
  }

  void change(std::string_view key, std::optional<std::string_view> value) {
    if (value) {
      rows_[std::string(key)] = std::string(*value);
    } else {
      rows_.erase(std::string(key));
    }
  }

  std::unique_ptr<faultfs::File> log_;
  std::map<std::string, std::string, std::less<>> rows_;
  std::uint64_t end_ = 0;  // of the last whole batch in the log
};

}  // namespace

std::unique_ptr<engine::EngineKind> kind() {
  return engine::key_value_kind("store", "a log, and a map of it", [](faultfs::FileSystem& files, std::string_view directory) {
    auto store = std::make_unique<Store>();
    const auto opened = store->open(files, directory);
    return opened.has_error() ? Result<std::unique_ptr<engine::KeyValueStore>>(opened.error()) : std::move(store);
  });
}

}  // namespace kv
