#include "engine/lmdb/lmdb_process.h"

#include "faultfs/assert.h"

#include <fcntl.h>
#include <lmdb.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace powercut::engine {
namespace {

constexpr int kDataDescriptor = 1000;
constexpr int kMetaDescriptor = 1001;
// LMDB reads the head of each before it maps the file.
constexpr std::uint32_t kMetaPages = 2;
// No code of LMDB's and no errno.
constexpr int kDied = -1;

int errno_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNoSpace:
      return ENOSPC;
    case ErrorCode::kNotFound:
      return ENOENT;
    default:
      return EIO;
  }
}

ErrorCode code_of(int code) {
  switch (code) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
      return ErrorCode::kNoSpace;
    case MDB_PANIC:
      return ErrorCode::kStopped;
    case MDB_BAD_VALSIZE:
      return ErrorCode::kInvalidArgument;
    case EIO:
      return ErrorCode::kIo;
    default:
      return ErrorCode::kCorrupt;
  }
}

// Where NEXT_LOOSE_PAGE of mdb.c puts the address of another page: behind two headers of 24 bytes.
constexpr std::size_t kLooseLink = 48;

}  // namespace

thread_local LmdbProcess* LmdbProcess::running_ = nullptr;

class LmdbProcess::InKernel {
 public:
  InKernel() : caller_(std::exchange(running_, nullptr)) {}
  ~InKernel() { running_ = caller_; }
  InKernel(const InKernel&) = delete;
  InKernel& operator=(const InKernel&) = delete;

 private:
  LmdbProcess* caller_;
};

void LmdbProcess::start(faultfs::FileSystem& files, std::string path) {
  files_ = &files;
  path_ = std::move(path);
}

void LmdbProcess::clear() {
  memory_.clear();
  pages_.clear();
  data_.reset();
  meta_.reset();
  files_ = nullptr;
  position_ = 0;
  mapped_ = false;
  writable_ = false;
  dead_ = false;
  failure_.reset();
  write_back_failure_.reset();
}

int LmdbProcess::enter(int (*body)(void*), void* of) {
  if (dead_) return kDied;
  failure_.reset();
  LmdbProcess* const caller = running_;
  int code = kDied;
  if (setjmp(death_) == 0) {
    running_ = this;
    code = body(of);
  }
  running_ = caller;
  return code;
}

Result<int> LmdbProcess::answer(std::string_view doing, int code) {
  if (code == MDB_SUCCESS || code == MDB_NOTFOUND) return code;
  const std::string what = "lmdb: " + std::string(doing);
  if (dead_ && code == kDied) {
    if (!failure_) return Error(ErrorCode::kStopped, what + ": the process has died");
    return std::exchange(failure_, std::nullopt)->within(what);
  }
  if (failure_) return failure_->within(what);
  return Error(code_of(code), what + ": " + mdb_strerror(code));
}

void LmdbProcess::touch(const void* from, std::size_t bytes) {
  const auto* const begin = static_cast<const volatile char*>(from);
  for (std::size_t at = 0; at < bytes; at += LmdbPages::kPageBytes) static_cast<void>(begin[at]);
  if (bytes > 0) static_cast<void>(begin[bytes - 1]);
}

// Nothing that needs a destructor may be alive in LMDB's callees here.
void LmdbProcess::die() {
  dead_ = true;
  running_ = this;
  std::longjmp(death_, 1);
}

void LmdbProcess::assertion_failed(std::string_view message) {
  failure_.emplace(ErrorCode::kCorrupt, "LMDB ended the process: " + std::string(message));
  die();
}

bool LmdbProcess::runs_out(const void* from, std::size_t bytes) const {
  const auto begin = reinterpret_cast<std::uint64_t>(from);
  if (memory_.holds(begin)) return bytes > memory_.begin() + memory_.bytes() - begin;
  return pages_.holds(begin) && bytes > pages_.begin() + pages_.bytes() - begin;
}

void LmdbProcess::check_copy(const void* to, const void* from, std::size_t bytes) {
  if (!runs_out(to, bytes) && !runs_out(from, bytes)) return;
  failure_.emplace(ErrorCode::kCorrupt, "LMDB died of SIGSEGV: it copied " + std::to_string(bytes) + " bytes, more than it holds");
  die();
}

void LmdbProcess::signal(int number, std::uint64_t address) {
  if (!resolve(number, address)) die();
}

// False if LMDB dies, of failure_.
bool LmdbProcess::resolve(int number, std::uint64_t address) {
  const InKernel kernel;
  if (number == SIGSEGV && mapped_ && data_ && pages_.holds(address)) {
    const std::string page = path_ + ", page " + std::to_string((address - pages_.begin()) / LmdbPages::kPageBytes);
    const auto touch = pages_.fault(*data_, address, writable_);
    if (touch.has_error()) {
      failure_ = touch.error().within("LMDB died of SIGBUS: " + page + " of the mapping cannot be read");
      return false;
    }
    if (touch.value() == LmdbPages::Touch::kGoOn) return true;
    failure_.emplace(ErrorCode::kCorrupt, touch.value() == LmdbPages::Touch::kBeyondEnd
                                              ? "LMDB died of SIGBUS: " + page + " of the mapping lies beyond the end of the file"
                                              : "LMDB died of SIGSEGV: it wrote to " + page + " of a mapping for reading");
    return false;
  }
  failure_.emplace(ErrorCode::kCorrupt, std::string("LMDB died of ") + (number == SIGFPE ? "SIGFPE" : "SIGSEGV") +
                                            ": it followed something damaged out of the mapping");
  return false;
}

int LmdbProcess::fail(Error error) {
  errno = errno_of(error.code());
  if (!failure_) failure_ = std::move(error);
  return -1;
}

bool LmdbProcess::failed(const Result<void>& result) {
  if (result.has_value()) return false;
  fail(result.error());
  return true;
}

int LmdbProcess::open(int flags) {
  const InKernel kernel;
  const bool meta = (flags & O_DSYNC) != 0;
  POWERCUT_ASSERT(!(meta ? meta_ : data_), "LMDB opens the data file once to write and once to write meta pages");
  auto file = files_->open(path_, (flags & O_CREAT) != 0 ? faultfs::OpenMode::kCreate : faultfs::OpenMode::kReadWrite);
  if (file.has_error()) return fail(file.error());
  (meta ? meta_ : data_) = std::move(file).value();
  return meta ? kMetaDescriptor : kDataDescriptor;
}

int LmdbProcess::close(int descriptor) {
  const InKernel kernel;
  (descriptor == kMetaDescriptor ? meta_ : data_).reset();
  return 0;
}

ssize_t LmdbProcess::read(std::uint64_t offset, std::span<std::byte> into) {
  const InKernel kernel;
  const auto count = faultfs::read_full(*data_, offset, into);
  if (count.has_error()) return fail(count.error());
  return static_cast<ssize_t>(count.value());
}

ssize_t LmdbProcess::write(int descriptor, std::uint64_t offset, std::span<const std::byte> from) {
  const InKernel kernel;
  if (offset % LmdbPages::kPageBytes == 0 && from.size() % LmdbPages::kPageBytes == 0) {
    // The pages are LMDB's own, and it frees them next.
    const std::span<std::byte> pages(const_cast<std::byte*>(from.data()), from.size());
    for (std::size_t at = 0; at < pages.size(); at += LmdbPages::kPageBytes) hide_address(pages.subspan(at));
  }
  if (descriptor == kMetaDescriptor) {
    const auto written = meta_->write_durably(offset, from);
    if (written.has_error()) pages_.forget_clean();
    if (failed(written)) return -1;
    pages_.show(offset, from);
    return static_cast<ssize_t>(from.size());
  }
  const auto taken = data_->write(offset, from);
  if (taken.has_error()) {
    pages_.forget_clean();
    return fail(taken.error());
  }
  pages_.show(offset, from.first(taken.value()));
  return static_cast<ssize_t>(taken.value());
}

ssize_t LmdbProcess::write_many(int descriptor, const iovec* buffers, int count) {
  ssize_t total = 0;
  for (int at = 0; at < count; ++at) {
    const std::span<const std::byte> from(static_cast<const std::byte*>(buffers[at].iov_base), buffers[at].iov_len);
    const ssize_t taken = write(descriptor, position_, from);
    if (taken < 0) return total > 0 ? total : -1;
    position_ += static_cast<std::uint64_t>(taken);
    total += taken;
    if (static_cast<std::size_t>(taken) < from.size()) break;
  }
  return total;
}

off_t LmdbProcess::seek(off_t offset) {
  position_ = static_cast<std::uint64_t>(offset);
  return offset;
}

int LmdbProcess::sync(faultfs::SyncKind kind) {
  const InKernel kernel;
  const auto synced = data_->sync(kind);
  if (!failed(synced)) return 0;
  // What the file shows now may be older.
  pages_.forget_clean();
  return -1;
}

int LmdbProcess::resize(std::uint64_t bytes) {
  const InKernel kernel;
  return failed(data_->resize(bytes)) ? -1 : 0;
}

off_t LmdbProcess::size() {
  const InKernel kernel;
  const auto bytes = data_->size();
  return bytes.has_error() ? fail(bytes.error()) : static_cast<off_t>(bytes.value());
}

void* LmdbProcess::map(std::size_t bytes, bool writable) {
  if (bytes > pages_.bytes()) {
    fail(Error(ErrorCode::kCorrupt, path_ + ": a meta page asks for a mapping of " + std::to_string(bytes) + " bytes"));
    return reinterpret_cast<void*>(-1);
  }
  mapped_ = true;
  writable_ = writable;
  const InKernel kernel;
  pages_.map_first(*data_, kMetaPages);
  return pages_.memory();
}

int LmdbProcess::unmap() {
  write_back_all();
  mapped_ = false;
  return 0;
}

int LmdbProcess::sync_map(void* address, std::size_t bytes, bool wait) {
  const auto from = static_cast<std::uint64_t>(static_cast<std::byte*>(address) - pages_.memory());
  write_back(from, from + bytes);
  if (!wait) return 0;
  if (write_back_failure_) return fail(*std::exchange(write_back_failure_, std::nullopt));
  return sync(faultfs::SyncKind::kData);
}

void LmdbProcess::write_back(std::uint64_t from, std::uint64_t to) {
  if (!writable_ || !mapped_ || dead_ || !data_) return;
  const InKernel kernel;
  const auto dirty = pages_.take_dirty(from, to);
  if (dirty.empty()) return;
  const auto written = [&]() -> Result<void> {
    POWERCUT_TRY(const std::uint64_t end, data_->size());
    std::vector<std::byte> copy(LmdbPages::kPageBytes);
    for (const std::uint32_t number : dirty) {
      const std::uint64_t offset = std::uint64_t{number} * LmdbPages::kPageBytes;
      if (offset >= end) continue;
      const auto page = pages_.page(number);
      copy.assign(page.begin(), page.end());
      hide_address(copy);
      const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(copy.size(), end - offset));
      POWERCUT_TRYV(faultfs::write_full(*data_, offset, std::span(copy).first(length)));
    }
    return success();
  }();
  if (written.has_error()) write_back_failure_ = written.error();
}

void LmdbProcess::hide_address(std::span<std::byte> page) const {
  const auto link = load<std::uint64_t>(page.data() + kLooseLink);
  if (memory_.holds(link)) store(page.data() + kLooseLink, link - memory_.begin());
  if (pages_.holds(link)) store(page.data() + kLooseLink, link - pages_.begin());
}

}  // namespace powercut::engine
