#include "engine/sqlite/vfs.h"

#include "engine/sqlite/memory_file.h"
#include "engine/sqlite/vfs_file.h"
#include "faultfs/hash.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace powercut::engine::sqlite {
namespace {

constexpr int kLongestPath = 512;
// 2026-01-01 12:00, as a Julian day in milliseconds.
constexpr sqlite3_int64 kNow = 212'634'072'000'000;

Vfs& self(sqlite3_vfs* vfs) { return *static_cast<Vfs*>(vfs->pAppData); }

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* into, int flags, int* flags_out) {
  Vfs& owner = self(vfs);
  into->pMethods = nullptr;
  if (owner.is_dead()) return SQLITE_CANTOPEN;
  if (flags_out != nullptr) *flags_out = flags;
  if (path == nullptr) {
    new (into) VfsFile(owner, std::make_unique<MemoryFile>(), {}, false);
    return SQLITE_OK;
  }
  const bool creates = (flags & SQLITE_OPEN_CREATE) != 0;
  const auto mode = creates && (flags & SQLITE_OPEN_EXCLUSIVE) != 0 ? faultfs::OpenMode::kCreateNew
                    : creates                                       ? faultfs::OpenMode::kCreate
                    : (flags & SQLITE_OPEN_READONLY) != 0           ? faultfs::OpenMode::kRead
                                                                    : faultfs::OpenMode::kReadWrite;
  auto opened = owner.files().open(path, mode);
  if (opened.has_error()) return owner.failed(std::move(opened).error(), SQLITE_CANTOPEN);
  owner.note_change();
  constexpr int kJournals = SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  new (into) VfsFile(owner, std::move(opened).value(), path, creates && (flags & kJournals) != 0);
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  Vfs& owner = self(vfs);
  if (owner.is_dead()) return SQLITE_IOERR_DELETE;
  owner.note_change();
  auto removed = owner.files().remove(path);
  if (removed.has_error()) {
    if (removed.error().code() == ErrorCode::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
    return owner.failed(std::move(removed).error(), SQLITE_IOERR_DELETE);
  }
  if (sync_directory == 0) return SQLITE_OK;
  auto synced = owner.files().sync_directory(faultfs::parent_of(path));
  return synced.has_error() ? owner.failed(std::move(synced).error(), SQLITE_IOERR_DIR_FSYNC) : SQLITE_OK;
}

// As for Unix, a file without bytes is not there.
int access(sqlite3_vfs* vfs, const char* path, int /*what*/, int* result) {
  Vfs& owner = self(vfs);
  *result = 0;
  if (owner.is_dead()) return SQLITE_IOERR_ACCESS;
  auto exists = owner.files().exists(path);
  if (exists.has_error()) return owner.failed(std::move(exists).error(), SQLITE_IOERR_ACCESS);
  if (!exists.value()) return SQLITE_OK;
  auto file = owner.files().open(path, faultfs::OpenMode::kRead);
  if (file.has_error()) return owner.failed(std::move(file).error(), SQLITE_IOERR_ACCESS);
  auto size = file.value()->size();
  if (size.has_error()) return owner.failed(std::move(size).error(), SQLITE_IOERR_ACCESS);
  *result = size.value() > 0 ? 1 : 0;
  return SQLITE_OK;
}

int full_pathname(sqlite3_vfs* /*vfs*/, const char* path, int room, char* out) {
  const std::size_t bytes = std::strlen(path) + 1;
  if (bytes > static_cast<std::size_t>(room)) return SQLITE_CANTOPEN;
  std::memcpy(out, path, bytes);
  return SQLITE_OK;
}

// Of the default VFS only is SQLite's own generator seeded (Connection does that); this is for who asks by name.
int randomness(sqlite3_vfs* vfs, int bytes, char* out) {
  std::uint64_t state = self(vfs).seed();
  for (int i = 0; i < bytes; ++i) out[i] = static_cast<char>(state = mix64(state + 1));
  return bytes;
}

int sleep(sqlite3_vfs* /*vfs*/, int microseconds) { return microseconds; }

int current_time(sqlite3_vfs* /*vfs*/, double* days) {
  constexpr double kMillisecondsPerDay = 86'400'000;
  *days = static_cast<double>(kNow) / kMillisecondsPerDay;
  return SQLITE_OK;
}

int current_time_int64(sqlite3_vfs* /*vfs*/, sqlite3_int64* milliseconds) {
  *milliseconds = kNow;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs* /*vfs*/, int /*room*/, char* /*out*/) { return 0; }

}  // namespace

Vfs::Vfs(faultfs::FileSystem& files, bool powersafe_overwrite)
    : files_(files), powersafe_overwrite_(powersafe_overwrite), name_("powercut-" + std::to_string(std::uintptr_t(this))) {
  vfs_.iVersion = 2;
  vfs_.szOsFile = sizeof(VfsFile);
  vfs_.mxPathname = kLongestPath;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = open;
  vfs_.xDelete = remove;
  vfs_.xAccess = access;
  vfs_.xFullPathname = full_pathname;
  vfs_.xRandomness = randomness;
  vfs_.xSleep = sleep;
  vfs_.xCurrentTime = current_time;
  vfs_.xGetLastError = last_error;
  vfs_.xCurrentTimeInt64 = current_time_int64;
  sqlite3_vfs_register(&vfs_, 0);
}

Vfs::~Vfs() { sqlite3_vfs_unregister(&vfs_); }

std::optional<Error> Vfs::take_error() { return std::exchange(error_, std::nullopt); }

int Vfs::failed(Error error, int code) {
  if (!error_) error_ = std::move(error);
  return code;
}

void Vfs::note_read(std::span<const byte> bytes) { seen_ = combine(seen_, hash64(bytes)); }

void Vfs::note_change() { seen_ = combine(seen_, 1); }

}  // namespace powercut::engine::sqlite
