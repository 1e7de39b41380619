#include "faultfs/sim_file_system.h"

namespace powercut::faultfs {
namespace {

Error error(ErrorCode code, std::string_view path, std::string_view why) {
  return {code, std::string(path.empty() ? "/" : path) + ": " + std::string(why)};
}

class SimFile final : public File {
 public:
  SimFile(SimDisk& disk, InodeId inode, bool writable) : disk_(disk), inode_(inode), writable_(writable) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override { return disk_.read(inode_, offset, into); }

  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override { return write_many(offset, {&from, 1}); }

  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    POWERCUT_TRYV(check_writable());
    disk_.write(inode_, offset, buffers);
    std::size_t total = 0;
    for (const auto& buffer : buffers) total += buffer.size();
    return total;
  }

  Result<void> sync(SyncKind /*kind*/) override {
    disk_.sync_file(inode_);
    return success();
  }

  Result<void> resize(std::uint64_t bytes) override {
    POWERCUT_TRYV(check_writable());
    disk_.resize(inode_, bytes);
    return success();
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    POWERCUT_TRYV(check_writable());
    disk_.allocate(inode_, offset, bytes);
    return success();
  }

  Result<std::uint64_t> size() override { return disk_.size(inode_); }

  std::size_t preferred_read_bytes() const override { return disk_.model().atom_bytes; }

 private:
  Result<void> check_writable() const {
    if (writable_) return success();
    return error(ErrorCode::kInvalidArgument, disk_.path_of(inode_), "opened for reading only");
  }

  SimDisk& disk_;
  InodeId inode_;
  bool writable_;
};

}  // namespace

Result<SimFileSystem::Place> SimFileSystem::find(std::string_view path) {
  if (path.empty()) return Place{0, {}, kRootInode};
  Place place{kRootInode, {}, 0};
  for (std::string_view rest = path;;) {
    const auto slash = rest.find('/');
    place.name = rest.substr(0, slash);
    if (place.name.empty() || place.name == "." || place.name == "..") {
      return error(ErrorCode::kInvalidArgument, path, "a path is names separated by single slashes");
    }
    place.inode = disk_.lookup(place.directory, place.name);
    if (slash == std::string_view::npos) return place;
    if (place.inode == 0) return error(ErrorCode::kNotFound, path, "a directory on the way does not exist");
    if (!disk_.is_directory(place.inode)) return error(ErrorCode::kInvalidArgument, path, "a file stands where a directory should");
    place.directory = place.inode;
    rest.remove_prefix(slash + 1);
  }
}

Result<InodeId> SimFileSystem::inode_of(std::string_view path) {
  POWERCUT_TRY(const Place place, find(path));
  if (place.inode == 0) return error(ErrorCode::kNotFound, path, "no such file");
  return place.inode;
}

Result<InodeId> SimFileSystem::find_directory(std::string_view path) {
  POWERCUT_TRY(const Place place, find(path));
  if (place.inode == 0) return error(ErrorCode::kNotFound, path, "no such directory");
  if (!disk_.is_directory(place.inode)) return error(ErrorCode::kInvalidArgument, path, "not a directory");
  return place.inode;
}

Result<std::unique_ptr<File>> SimFileSystem::open(std::string_view path, OpenMode mode) {
  POWERCUT_TRY(const Place place, find(path));
  InodeId inode = place.inode;
  if (inode == 0) {
    if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return error(ErrorCode::kNotFound, path, "no such file");
    inode = disk_.create(place.directory, place.name, false);
  } else if (disk_.is_directory(inode)) {
    return error(ErrorCode::kInvalidArgument, path, "a directory, not a file");
  } else if (mode == OpenMode::kCreateNew) {
    return error(ErrorCode::kAlreadyExists, path, "the file exists");
  }
  return std::make_unique<SimFile>(disk_, inode, mode != OpenMode::kRead);
}

Result<void> SimFileSystem::rename(std::string_view from, std::string_view to) {
  POWERCUT_TRY(const Place source, find(from));
  POWERCUT_TRY(const Place target, find(to));
  if (source.inode == 0) return error(ErrorCode::kNotFound, from, "no such file");
  if (source.directory == 0 || target.directory == 0) return error(ErrorCode::kInvalidArgument, from, "the root cannot be renamed");
  if (target.inode != 0 && disk_.is_directory(target.inode)) {
    return error(ErrorCode::kInvalidArgument, to, "a directory, which rename does not replace");
  }
  if (target.inode != 0 && disk_.is_directory(source.inode)) {
    return error(ErrorCode::kInvalidArgument, to, "a file, which a directory does not replace");
  }
  if (disk_.is_directory(source.inode) && to.starts_with(from) && to.size() > from.size() && to[from.size()] == '/') {
    return error(ErrorCode::kInvalidArgument, to, "inside the directory that is renamed");
  }
  disk_.rename(source.directory, source.name, target.directory, target.name);
  return success();
}

Result<void> SimFileSystem::remove(std::string_view path) {
  POWERCUT_TRY(const Place place, find(path));
  if (place.inode == 0) return error(ErrorCode::kNotFound, path, "no such file");
  if (disk_.is_directory(place.inode)) return error(ErrorCode::kInvalidArgument, path, "a directory, not a file");
  disk_.unlink(place.directory, place.name);
  return success();
}

Result<bool> SimFileSystem::exists(std::string_view path) {
  const auto place = find(path);
  if (place.has_error()) {
    if (place.error().code() == ErrorCode::kNotFound) return false;
    return place.error();
  }
  return place.value().inode != 0;
}

Result<void> SimFileSystem::make_directory(std::string_view path) {
  POWERCUT_TRY(const Place place, find(path));
  if (place.inode != 0) return error(ErrorCode::kAlreadyExists, path, "the name is taken");
  disk_.create(place.directory, place.name, true);
  return success();
}

Result<void> SimFileSystem::remove_directory(std::string_view path) {
  POWERCUT_TRY(const Place place, find(path));
  POWERCUT_TRY(const InodeId directory, find_directory(path));
  if (place.directory == 0) return error(ErrorCode::kInvalidArgument, path, "the root cannot be removed");
  if (!disk_.names(directory).empty()) return error(ErrorCode::kInvalidArgument, path, "the directory is not empty");
  disk_.unlink(place.directory, place.name);
  return success();
}

Result<std::vector<DirectoryEntry>> SimFileSystem::list(std::string_view path) {
  POWERCUT_TRY(const InodeId directory, find_directory(path));
  std::vector<DirectoryEntry> entries;
  for (std::string& name : disk_.names(directory)) {
    const bool is_directory = disk_.is_directory(disk_.lookup(directory, name));
    entries.push_back({std::move(name), is_directory});
  }
  return entries;
}

Result<void> SimFileSystem::sync_directory(std::string_view path) {
  POWERCUT_TRY(const InodeId directory, find_directory(path));
  disk_.sync_directory(directory);
  return success();
}

}  // namespace powercut::faultfs
