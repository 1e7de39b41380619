// LMDB as it comes: every commit is synced, first the pages and then the page that names them.
//
// The flags that weaken that are not set: "MDB_NOSYNC: Don't flush system buffers to disk when committing a transaction",
// "MDB_NOMETASYNC: Flush system buffers to disk only once per transaction, omit the metadata flush", which "preserves the ACI
// (atomicity, consistency, isolation) but not D (durability) database property". (lmdb.h, mdb_env_open)
//
// There is one writer at a time, behind a lock of LMDB's; readers wait for nobody.
#include "tools/measure/peer_engines.h"

#include <lmdb.h>

#include <cerrno>

namespace powercut::measure {
namespace {

constexpr std::size_t kMapBytes = std::size_t{64} << 30U;  // of address space; the file is as long as what it holds
constexpr unsigned kMostReaders = 1024;

Result<void> check(int code, std::string_view doing) {
  if (code == MDB_SUCCESS) return success();
  const ErrorCode kind = code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND ? ErrorCode::kCorrupt
                         : code == MDB_MAP_FULL || code == ENOSPC           ? ErrorCode::kNoSpace
                                                                            : ErrorCode::kIo;
  return Error(kind, "lmdb: " + std::string(doing) + ": " + mdb_strerror(code));
}

struct CloseEnvironment {
  void operator()(MDB_env* environment) const { mdb_env_close(environment); }
};
struct AbortTransaction {
  void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
};
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Transaction = std::unique_ptr<MDB_txn, AbortTransaction>;
using Cursor = std::unique_ptr<MDB_cursor, CloseCursor>;

MDB_val value_of(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view view_of(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

struct Lmdb {
  std::unique_ptr<MDB_env, CloseEnvironment> environment;
  MDB_dbi rows = 0;
  MDB_dbi markers = 0;
};

Result<Transaction> begin(const Lmdb& lmdb, unsigned flags) {
  MDB_txn* begun = nullptr;
  POWERCUT_TRYV(check(mdb_txn_begin(lmdb.environment.get(), nullptr, flags, &begun), "mdb_txn_begin"));
  return Transaction(begun);
}

Result<void> commit(Transaction transaction) { return check(mdb_txn_commit(transaction.release()), "mdb_txn_commit"); }

// False if there is none. The bytes are the transaction's.
Result<bool> get(MDB_txn* transaction, MDB_dbi table, std::uint64_t number, std::string_view& bytes) {
  const EightBytes key_bytes = to_bytes(number);
  MDB_val key = value_of(view(key_bytes));
  MDB_val value{};
  const int code = mdb_get(transaction, table, &key, &value);
  if (code == MDB_NOTFOUND) return false;
  POWERCUT_TRYV(check(code, "mdb_get"));
  bytes = view_of(value);
  return true;
}

Result<void> put(MDB_txn* transaction, MDB_dbi table, std::uint64_t number, std::string_view bytes, unsigned flags = 0) {
  const EightBytes key_bytes = to_bytes(number);
  MDB_val key = value_of(view(key_bytes));
  MDB_val value = value_of(bytes);
  return check(mdb_put(transaction, table, &key, &value, flags), "mdb_put");
}

class LmdbClient final : public PeerClient {
 public:
  explicit LmdbClient(const Lmdb& lmdb) : lmdb_(lmdb) {}

  Result<Outcome> transfer(const Transfer& transfer) override {
    POWERCUT_TRY(Transaction writing, begin(lmdb_, 0));
    std::string_view from;
    std::string_view to;
    POWERCUT_TRY(const bool has_from, measure::get(writing.get(), lmdb_.rows, transfer.from, from));
    POWERCUT_TRY(const bool has_to, measure::get(writing.get(), lmdb_.rows, transfer.to, to));
    if (!has_from || !has_to) return Error(ErrorCode::kCorrupt, "lmdb: an account is missing");
    POWERCUT_TRY(const Balances after, balances_after(transfer, from, to));
    POWERCUT_TRYV(measure::put(writing.get(), lmdb_.rows, transfer.from, view(after.from)));
    POWERCUT_TRYV(measure::put(writing.get(), lmdb_.rows, transfer.to, view(after.to)));
    POWERCUT_TRYV(measure::put(writing.get(), lmdb_.markers, transfer.marker, view(to_bytes(transfer.marker))));
    POWERCUT_TRYV(commit(std::move(writing)));
    return Outcome::kDone;
  }

  Result<bool> get(std::uint64_t row, std::string& value) override {
    std::string_view bytes;
    const Reading reading(*this);
    POWERCUT_TRY(MDB_txn* const transaction, reading.transaction());
    POWERCUT_TRY(const bool found, measure::get(transaction, lmdb_.rows, row, bytes));
    if (found) value = bytes;
    return found;
  }

  Result<Outcome> put(std::uint64_t row, std::string_view value) override {
    POWERCUT_TRY(Transaction writing, begin(lmdb_, 0));
    POWERCUT_TRYV(measure::put(writing.get(), lmdb_.rows, row, value));
    POWERCUT_TRYV(commit(std::move(writing)));
    return Outcome::kDone;
  }

  Result<void> scan(std::uint64_t row, std::uint64_t count, const RowSink& sink) override {
    const Reading reading(*this);
    POWERCUT_TRY(MDB_txn* const transaction, reading.transaction());
    MDB_cursor* opened = nullptr;
    POWERCUT_TRYV(check(mdb_cursor_open(transaction, lmdb_.rows, &opened), "mdb_cursor_open"));
    const Cursor cursor(opened);
    const EightBytes first = to_bytes(row);
    MDB_val key = value_of(view(first));
    MDB_val value{};
    int code = mdb_cursor_get(opened, &key, &value, MDB_SET_RANGE);
    for (; code == MDB_SUCCESS && count > 0; --count, code = mdb_cursor_get(opened, &key, &value, MDB_NEXT)) {
      POWERCUT_TRY(const std::uint64_t number, to_number(view_of(key)));
      sink(number, view_of(value));
    }
    return code == MDB_NOTFOUND ? success() : check(code, "mdb_cursor_get");
  }

  Result<std::uint64_t> count_markers() override {
    const Reading reading(*this);
    POWERCUT_TRY(MDB_txn* const transaction, reading.transaction());
    MDB_stat status{};
    POWERCUT_TRYV(check(mdb_stat(transaction, lmdb_.markers, &status), "mdb_stat"));
    return status.ms_entries;
  }

 private:
  // A look at what is committed. One transaction is renewed for all of a client: making one costs more.
  class Reading {
   public:
    explicit Reading(LmdbClient& client) : client_(client) {}
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() {
      if (client_.reading_ != nullptr) mdb_txn_reset(client_.reading_.get());
    }
    Result<MDB_txn*> transaction() const {
      if (client_.reading_ == nullptr) {
        POWERCUT_TRY(client_.reading_, begin(client_.lmdb_, MDB_RDONLY));
      } else {
        POWERCUT_TRYV(check(mdb_txn_renew(client_.reading_.get()), "mdb_txn_renew"));
      }
      return client_.reading_.get();
    }

   private:
    LmdbClient& client_;
  };

  const Lmdb& lmdb_;
  Transaction reading_;
};

class LmdbEngine final : public PeerEngine {
 public:
  std::string_view name() const override { return "lmdb"; }
  std::string_view setting() const override { return "no flags: neither MDB_NOSYNC nor MDB_NOMETASYNC (lmdb.h, mdb_env_open)"; }
  Result<void> open(const std::string& directory) override {
    MDB_env* made = nullptr;
    POWERCUT_TRYV(check(mdb_env_create(&made), "mdb_env_create"));
    lmdb_.environment.reset(made);
    POWERCUT_TRYV(check(mdb_env_set_mapsize(made, kMapBytes), "mdb_env_set_mapsize"));
    POWERCUT_TRYV(check(mdb_env_set_maxdbs(made, 2), "mdb_env_set_maxdbs"));
    POWERCUT_TRYV(check(mdb_env_set_maxreaders(made, kMostReaders), "mdb_env_set_maxreaders"));
    POWERCUT_TRYV(check(mdb_env_open(made, directory.c_str(), 0, 0666), directory));
    POWERCUT_TRY(Transaction making, begin(lmdb_, 0));
    POWERCUT_TRYV(check(mdb_dbi_open(making.get(), "rows", MDB_CREATE, &lmdb_.rows), "mdb_dbi_open"));
    POWERCUT_TRYV(check(mdb_dbi_open(making.get(), "markers", MDB_CREATE, &lmdb_.markers), "mdb_dbi_open"));
    return commit(std::move(making));
  }
  Result<std::unique_ptr<PeerClient>> make_client() override { return std::unique_ptr<PeerClient>(new LmdbClient(lmdb_)); }
  Result<void> fill(std::uint64_t rows, const std::function<std::string(std::uint64_t row)>& first_value_of) override {
    POWERCUT_TRY(Transaction filling, begin(lmdb_, 0));
    for (std::uint64_t row = 0; row < rows; ++row) {
      POWERCUT_TRYV(put(filling.get(), lmdb_.rows, row, first_value_of(row), MDB_APPEND));
    }
    return commit(std::move(filling));
  }

 private:
  Lmdb lmdb_;
};

}  // namespace

std::unique_ptr<PeerEngine> make_lmdb() { return std::make_unique<LmdbEngine>(); }

}  // namespace powercut::measure
