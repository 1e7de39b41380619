#include "tools/measure/ledger_contender.h"

#include "engine/row.h"
#include "faultfs/counting_file_system.h"
#include "faultfs/posix_file_system.h"
#include "faultfs/scheduler.h"
#include "faultfs/sim_file_system.h"
#include "tools/measure/run_window.h"
#include "tools/measure/ycsb.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace powercut::measure {
namespace {

using engine::RowLock;
using faultfs::Scheduler;

constexpr std::string_view kDirectory = "ledger";
constexpr std::string_view kAccounts = "accounts";
constexpr std::string_view kMarkers = "markers";
constexpr std::string_view kRecords = "records";
constexpr std::uint32_t kMostTransferred = 100;
constexpr std::uint64_t kRowsPerTransaction = 1000;
// Who never waits lets the others go on after so many operations.
constexpr std::uint32_t kOperationsPerTurn = 16;

// Who yields goes behind those that are ready: before the log is written they all get to append to it. Nobody here sets a
// limit to a wait, so option 1 is the fiber that has been ready longest.
class InTurn final : public faultfs::Choices {
  std::uint32_t choose(std::uint32_t /*n*/, const faultfs::ChoiceLabel& label) override { return label.fair ? 0 : 1; }
};

// A number as a key: in the order of the numbers.
class NumberKey {
 public:
  explicit NumberKey(std::uint64_t number) : bytes_(__builtin_bswap64(number)) {}
  std::string_view view() const { return {reinterpret_cast<const char*>(&bytes_), sizeof(bytes_)}; }

 private:
  std::uint64_t bytes_;
};

// What a run's clients share.
struct Shared {
  Shared(const Load& load_of_run, std::uint64_t records, const faultfs::IoCounts& counts)
      : load(load_of_run), window(load_of_run, counts) {
    if (load.workload != Workload::kTransfer) mix.emplace(load.workload, records);
  }

  const Load& load;
  RunWindow window;
  std::optional<Mix> mix;
  std::uint64_t retries = 0;
  std::uint64_t transfers = 0;  // acknowledged, also outside the window
  std::uint64_t next_marker = 0;
  std::optional<Error> failed;
};

class Client {
 public:
  Client(Shared& shared, Scheduler& scheduler, std::unique_ptr<engine::Session> session, std::uint64_t seed)
      : shared_(shared), scheduler_(scheduler), session_(std::move(session)), random_(seed) {
    const std::string text(kRecordBytes, 'r');
    engine::encode_row({std::string_view(text)}, record_);
    visit_ = [this](std::string_view /*key*/, std::string_view row) {
      bytes_seen_ += row.size();
      return --rows_left_ > 0;
    };
  }

  void run() {
    scheduler_.works_on(Scheduler::Whose::kSpawner, this, sizeof(*this));
    const auto done = loop();
    if (done.has_value()) return;
    if (!shared_.failed) shared_.failed = done.error();
    shared_.window.close();
  }

 private:
  Result<void> loop() {
    std::uint64_t began = RunWindow::clock();
    for (std::uint32_t turn = 1; !shared_.window.is_closed(); ++turn) {
      POWERCUT_TRYV(shared_.mix ? operate(shared_.mix->next(random_)) : transfer());
      const std::uint64_t ended = RunWindow::clock();
      shared_.window.add(began, ended);
      began = ended;
      if (turn % kOperationsPerTurn != 0) continue;
      scheduler_.yield("between operations");
      began = RunWindow::clock();
    }
    return success();
  }

  Result<void> transfer() {
    const auto rows = static_cast<std::uint32_t>(shared_.load.rows);
    const std::uint32_t one = random_.below(rows);
    const std::uint32_t other = (one + 1 + random_.below(rows - 1)) % rows;
    const std::int64_t amount = std::int64_t{random_.below(2 * kMostTransferred + 1)} - kMostTransferred;
    const NumberKey low(std::min(one, other));
    const NumberKey high(std::max(one, other));
    const NumberKey marker(shared_.next_marker++);
    for (;;) {
      const auto done = try_transfer(low.view(), high.view(), amount, marker.view());
      if (done.has_value()) break;
      if (done.error().code() != ErrorCode::kDeadlock) return done;
      POWERCUT_TRYV(session_->rollback());
      ++shared_.retries;
    }
    ++shared_.transfers;
    return success();
  }

  // Of a transfer that the balances do not allow, nothing is moved.
  Result<void> try_transfer(std::string_view low, std::string_view high, std::int64_t amount, std::string_view marker) {
    POWERCUT_TRYV(session_->begin());
    POWERCUT_TRY(const std::int64_t low_balance, balance(low));
    POWERCUT_TRY(const std::int64_t high_balance, balance(high));
    if (low_balance < amount || high_balance < -amount) amount = 0;
    POWERCUT_TRYV(set_balance(low, low_balance - amount));
    POWERCUT_TRYV(set_balance(high, high_balance + amount));
    POWERCUT_TRYV(session_->insert(kMarkers, marker, {}));
    return session_->commit();
  }

  Result<std::int64_t> balance(std::string_view account) {
    POWERCUT_TRY(const bool found, session_->get(kAccounts, account, row_, RowLock::kUpdate));
    const auto value = found ? engine::integer_column(row_, 0) : std::nullopt;
    if (!value) return Error(ErrorCode::kCorrupt, "an account is missing");
    return *value;
  }

  Result<void> set_balance(std::string_view account, std::int64_t value) {
    engine::encode_row({value}, row_);
    return session_->update(kAccounts, account, row_);
  }

  Result<void> operate(const RecordOperation& operation) {
    for (;;) {
      auto done = try_operate(operation);
      if (done.has_value() && operation.access == Access::kInsert) shared_.mix->inserted(operation.record);
      if (done.has_value() || done.error().code() != ErrorCode::kDeadlock) return done;
      ++shared_.retries;
    }
  }

  Result<void> try_operate(const RecordOperation& operation) {
    const RecordKey key(operation.record);
    switch (operation.access) {
      case Access::kRead:
        return read(key.view());
      case Access::kUpdate:
        return session_->update(kRecords, key.view(), new_record());
      case Access::kInsert:
        return session_->insert(kRecords, key.view(), new_record());
      case Access::kScan:
        rows_left_ = operation.rows;
        return session_->scan(kRecords, key.view(), {}, visit_);
      case Access::kReadModifyWrite:
        POWERCUT_TRYV(read(key.view()));
        return session_->update(kRecords, key.view(), new_record());
    }
    return success();
  }

  Result<void> read(std::string_view key) {
    POWERCUT_TRY(const bool found, session_->get(kRecords, key, row_));
    if (!found) return Error(ErrorCode::kCorrupt, "a record is missing");
    return success();
  }

  // The end of the text is drawn anew, so that it is a change.
  std::string_view new_record() {
    const std::uint64_t drawn = random_.next();
    std::memcpy(record_.data() + record_.size() - sizeof(drawn), &drawn, sizeof(drawn));
    return record_;
  }

  Shared& shared_;
  Scheduler& scheduler_;
  std::unique_ptr<engine::Session> session_;
  Random random_;
  std::string row_;     // scratch
  std::string record_;  // as last written
  engine::RowVisitor visit_;
  std::uint32_t rows_left_ = 0;
  std::uint64_t bytes_seen_ = 0;
};

Result<std::uint64_t> count_rows(engine::Session& session, std::string_view table) {
  std::uint64_t rows = 0;
  POWERCUT_TRYV(session.scan(table, {}, {}, [&](std::string_view, std::string_view) {
    ++rows;
    return true;
  }));
  return rows;
}

Result<void> expect(std::string_view what, std::uint64_t expected, std::uint64_t found) {
  if (found == expected) return success();
  return Error(ErrorCode::kCorrupt,
               std::string(what) + ": expected " + std::to_string(expected) + ", found " + std::to_string(found));
}

// Its only mode is durable at every commit (docs/ARCHITECTURE.md, Invariants).
std::string described(const LedgerSetting& setting) {
  std::string text = "durable at every commit, its only mode";
  for (const engine::Option& option : setting.options) text.append("; ").append(option.name).append("=").append(option.value);
  if (setting.backend != Backend::kUring) return text;
  text += setting.uring.direct ? "; direct" : "; buffered";
  text += setting.uring.durable == faultfs::UringOptions::Durable::kLinked ? "; linked" : "; one-write";
  text += "; depth=" + std::to_string(setting.uring.depth);
  if (setting.uring.submission_thread) text += "; submission thread";
  if (setting.uring.polled) text += "; polled";
  return text;
}

class Ledger final : public LedgerContender {
 public:
  Ledger(LedgerSetting setting, std::unique_ptr<engine::Engine> engine)
      : setting_(std::move(setting)),
        name_("ledger (" + std::string(to_string(setting_.backend)) + ")"),
        described_(described(setting_)),
        engine_(std::move(engine)) {}

  std::string_view name() const override { return name_; }
  std::string_view setting() const override { return described_; }
  std::uint32_t most_clients() const override { return 16384; }

  std::vector<std::string> notes() const override { return uring_ == nullptr ? std::vector<std::string>() : uring_->notes(); }

  Result<void> prepare(const std::string& directory, const Load& load) override {
    database_.reset();
    counting_.reset();
    POWERCUT_TRYV(open_backend(directory));
    counting_ = std::make_unique<faultfs::CountingFileSystem>(*base_);
    POWERCUT_TRY(database_, engine_->open(*counting_, kDirectory, {nullptr, &scheduler_}));
    records_ = load.rows;
    transfers_ = 0;
    next_marker_ = 0;
    POWERCUT_TRY(const auto session, database_->new_session());
    POWERCUT_TRYV(load.workload == Workload::kTransfer ? fill_accounts(*session, load) : fill_records(*session, load));
    return database_->checkpoint();
  }

  Result<Measured> run(const Load& load) override {
    Shared shared(load, records_, counting_->counts());
    shared.next_marker = next_marker_;
    std::vector<std::unique_ptr<Client>> clients;
    for (std::uint32_t number = 0; number < load.clients; ++number) {
      POWERCUT_TRY(auto session, database_->new_session());
      clients.push_back(std::make_unique<Client>(shared, scheduler_, std::move(session), mix64(load.seed) + ++seeds_));
    }
    for (const auto& client : clients) scheduler_.spawn("client", [one = client.get()] { one->run(); });
    shared.window.open();
    InTurn in_turn;
    const auto ended = scheduler_.run(in_turn);
    transfers_ += shared.transfers;
    next_marker_ = shared.next_marker;
    if (shared.mix) records_ = shared.mix->records();
    if (shared.failed) return *shared.failed;
    if (ended.has_error()) return ended.error();
    Measured measured = shared.window.measured();
    measured.retries = shared.retries;
    return measured;
  }

  Result<void> check(const Load& load) override {
    POWERCUT_TRY(const auto session, database_->new_session());
    if (load.workload != Workload::kTransfer) {
      POWERCUT_TRY(const std::uint64_t records, count_rows(*session, kRecords));
      return expect("records", records_, records);
    }
    std::int64_t total = 0;
    POWERCUT_TRYV(session->scan(kAccounts, {}, {}, [&](std::string_view, std::string_view row) {
      total += engine::integer_column(row, 0).value_or(0);
      return true;
    }));
    POWERCUT_TRYV(expect("the total of all accounts", load.rows * std::uint64_t{kFirstBalance}, static_cast<std::uint64_t>(total)));
    POWERCUT_TRY(const std::uint64_t markers, count_rows(*session, kMarkers));
    return expect("markers of transfers", transfers_, markers);
  }

 private:
  Result<void> open_backend(const std::string& directory) {
    uring_ = nullptr;
    base_.reset();
    if (setting_.backend == Backend::kSim) {
      disk_.format(faultfs::PersistenceModel{});
      base_ = std::make_unique<faultfs::SimFileSystem>(disk_);
      return success();
    }
    if (setting_.backend == Backend::kPosix) {
      POWERCUT_TRY(base_, faultfs::PosixFileSystem::open(directory));
      return success();
    }
    POWERCUT_TRY(auto opened, faultfs::UringFileSystem::open(directory, setting_.uring, &scheduler_));
    uring_ = opened.get();
    base_ = std::move(opened);
    return success();
  }

  // Rows of numbers 0 to load.rows, many in a transaction. Ctrl-C ends it early, as it will end the run.
  template <class Insert>
  static Result<void> fill(engine::Session& session, const Load& load, const Insert& insert) {
    for (std::uint64_t row = 0; row < load.rows; ++row) {
      if (row % kRowsPerTransaction == 0) {
        if (load.interrupted != nullptr && *load.interrupted) return success();
        POWERCUT_TRYV(session.begin());
      }
      POWERCUT_TRYV(insert(row));
      if ((row + 1) % kRowsPerTransaction == 0 || row + 1 == load.rows) POWERCUT_TRYV(session.commit());
    }
    return success();
  }

  static Result<void> fill_accounts(engine::Session& session, const Load& load) {
    POWERCUT_TRYV(session.create_table({std::string(kAccounts), {{"balance", engine::ColumnType::kInteger, true}}}));
    POWERCUT_TRYV(session.create_table({std::string(kMarkers), {}}));
    std::string row;
    engine::encode_row({kFirstBalance}, row);
    return fill(session, load, [&](std::uint64_t number) { return session.insert(kAccounts, NumberKey(number).view(), row); });
  }

  static Result<void> fill_records(engine::Session& session, const Load& load) {
    POWERCUT_TRYV(session.create_table({std::string(kRecords), {{"fields", engine::ColumnType::kText, true}}}));
    const std::string text(kRecordBytes, 'f');
    std::string row;
    engine::encode_row({std::string_view(text)}, row);
    return fill(session, load, [&](std::uint64_t number) { return session.insert(kRecords, RecordKey(number).view(), row); });
  }

  LedgerSetting setting_;
  std::string name_;
  std::string described_;
  Scheduler scheduler_;
  faultfs::SimDisk disk_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<faultfs::FileSystem> base_;
  faultfs::UringFileSystem* uring_ = nullptr;  // base_, if it is that
  std::unique_ptr<faultfs::CountingFileSystem> counting_;
  std::unique_ptr<engine::Database> database_;
  std::uint64_t records_ = 0;
  std::uint64_t transfers_ = 0;  // acknowledged
  std::uint64_t next_marker_ = 0;
  std::uint64_t seeds_ = 0;
};

}  // namespace

std::string_view to_string(Backend backend) {
  switch (backend) {
    case Backend::kUring:
      return "uring";
    case Backend::kPosix:
      return "posix";
    case Backend::kSim:
      return "sim";
  }
  return "?";
}

std::vector<engine::Option> ledger_defaults() {
  return {{"frames", "65536"}, {"segment", "67108864"}, {"zero-segments", "yes"}, {"early-release", "yes"}};
}

Result<std::unique_ptr<LedgerContender>> make_ledger(const engine::EngineKind& kind, LedgerSetting setting) {
  for (const engine::Option& preset : ledger_defaults()) {
    const auto same = [&](const engine::Option& given) { return given.name == preset.name; };
    if (std::none_of(setting.options.begin(), setting.options.end(), same)) setting.options.push_back(preset);
  }
  POWERCUT_TRY(auto engine, kind.make(setting.options, {}));
  return std::unique_ptr<LedgerContender>(std::make_unique<Ledger>(std::move(setting), std::move(engine)));
}

}  // namespace powercut::measure
