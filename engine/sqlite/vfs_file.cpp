#include "engine/sqlite/vfs_file.h"

#include <algorithm>
#include <utility>

namespace powercut::engine::sqlite {
namespace {

// What os_unix.c says of every disk.
constexpr int kSectorBytes = 4096;

VfsFile& self(sqlite3_file* file) { return *static_cast<VfsFile*>(file); }

int close(sqlite3_file* file) {
  self(file).~VfsFile();
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int bytes, sqlite3_int64 offset) {
  VfsFile& from = self(file);
  if (from.vfs.is_dead()) return SQLITE_IOERR_READ;
  const std::span<byte> wanted(static_cast<byte*>(into), static_cast<std::size_t>(bytes));
  auto count = faultfs::read_full(*from.file, static_cast<std::uint64_t>(offset), wanted);
  if (count.has_error()) return from.vfs.failed(std::move(count).error(), SQLITE_IOERR_READ);
  from.vfs.note_read(wanted.first(count.value()));
  if (count.value() == wanted.size()) return SQLITE_OK;
  std::fill(wanted.begin() + static_cast<std::ptrdiff_t>(count.value()), wanted.end(), byte{0});
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
  VfsFile& to = self(file);
  if (to.vfs.is_dead()) return SQLITE_IOERR_WRITE;
  to.vfs.note_change();
  auto written = faultfs::write_full(*to.file, static_cast<std::uint64_t>(offset),
                                     {static_cast<const byte*>(from), static_cast<std::size_t>(bytes)});
  if (written.has_value()) return SQLITE_OK;
  const int code = written.error().code() == ErrorCode::kNoSpace ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  return to.vfs.failed(std::move(written).error(), code);
}

int truncate(sqlite3_file* file, sqlite3_int64 bytes) {
  VfsFile& of = self(file);
  if (of.vfs.is_dead()) return SQLITE_IOERR_TRUNCATE;
  of.vfs.note_change();
  auto resized = of.file->resize(static_cast<std::uint64_t>(bytes));
  return resized.has_error() ? of.vfs.failed(std::move(resized).error(), SQLITE_IOERR_TRUNCATE) : SQLITE_OK;
}

// As for Unix: fdatasync, whatever the flags, and that the sync of the directory failed is not said.
int sync(sqlite3_file* file, int /*flags*/) {
  VfsFile& of = self(file);
  if (of.vfs.is_dead()) return SQLITE_IOERR_FSYNC;
  auto synced = of.file->sync(faultfs::SyncKind::kData);
  if (synced.has_error()) return of.vfs.failed(std::move(synced).error(), SQLITE_IOERR_FSYNC);
  if (std::exchange(of.name_unsynced, false)) static_cast<void>(of.vfs.files().sync_directory(of.directory).has_error());
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* bytes) {
  VfsFile& of = self(file);
  if (of.vfs.is_dead()) return SQLITE_IOERR_FSTAT;
  auto size = of.file->size();
  if (size.has_error()) return of.vfs.failed(std::move(size).error(), SQLITE_IOERR_FSTAT);
  *bytes = static_cast<sqlite3_int64>(size.value());
  return SQLITE_OK;
}

int lock(sqlite3_file* file, int level) {
  VfsFile& of = self(file);
  if (of.vfs.is_dead()) return SQLITE_IOERR_LOCK;
  of.lock = std::max(of.lock, level);
  return SQLITE_OK;
}

int unlock(sqlite3_file* file, int level) {
  VfsFile& of = self(file);
  of.lock = std::min(of.lock, level);
  return SQLITE_OK;
}

int check_reserved_lock(sqlite3_file* file, int* result) {
  *result = self(file).lock >= SQLITE_LOCK_RESERVED ? 1 : 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file* /*file*/, int /*what*/, void* /*argument*/) { return SQLITE_NOTFOUND; }

int sector_size(sqlite3_file* /*file*/) { return kSectorBytes; }

int device_characteristics(sqlite3_file* file) {
  return self(file).vfs.powersafe_overwrite() ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

int map_shared_memory(sqlite3_file* file, int piece, int bytes, int extend, void volatile** out) {
  auto& pieces = self(file).shared_memory;
  const auto wanted = static_cast<std::size_t>(piece);
  *out = nullptr;
  while (extend != 0 && pieces.size() <= wanted) pieces.push_back(std::make_unique<byte[]>(static_cast<std::size_t>(bytes)));
  if (wanted < pieces.size()) *out = pieces[wanted].get();
  return SQLITE_OK;
}

int lock_shared_memory(sqlite3_file* /*file*/, int /*first*/, int /*count*/, int /*flags*/) { return SQLITE_OK; }

void order_shared_memory(sqlite3_file* /*file*/) {}

int unmap_shared_memory(sqlite3_file* file, int /*remove*/) {
  self(file).shared_memory.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {2,
                                         close,
                                         read,
                                         write,
                                         truncate,
                                         sync,
                                         file_size,
                                         lock,
                                         unlock,
                                         check_reserved_lock,
                                         file_control,
                                         sector_size,
                                         device_characteristics,
                                         map_shared_memory,
                                         lock_shared_memory,
                                         order_shared_memory,
                                         unmap_shared_memory,
                                         nullptr,
                                         nullptr};

}  // namespace

VfsFile::VfsFile(Vfs& of, std::unique_ptr<faultfs::File> opened, std::string_view path, bool name_is_unsynced)
    : sqlite3_file{&kMethods},
      vfs(of),
      file(std::move(opened)),
      directory(faultfs::parent_of(path)),
      name_unsynced(name_is_unsynced) {}

}  // namespace powercut::engine::sqlite
