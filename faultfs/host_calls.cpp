#include "faultfs/host_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace powercut::faultfs {

Error system_error(std::string_view path, std::string_view call, int number) {
  ErrorCode code = ErrorCode::kIo;
  if (number == ENOENT) code = ErrorCode::kNotFound;
  if (number == EEXIST) code = ErrorCode::kAlreadyExists;
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) code = ErrorCode::kNoSpace;
  if (number == EINVAL || number == ENOTDIR || number == EISDIR || number == ENOTEMPTY || number == ENAMETOOLONG) {
    code = ErrorCode::kInvalidArgument;
  }
  return {code, std::string(path) + ": " + std::string(call) + ": " + std::strerror(number)};
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Result<void> check_root(const std::string& root) {
  struct stat status {};
  if (::stat(root.c_str(), &status) != 0) return system_error(root, "stat");
  if (!S_ISDIR(status.st_mode)) return Error(ErrorCode::kInvalidArgument, root + ": not a directory");
  return success();
}

Result<std::string> host_path(const std::string& root, std::string_view path) {
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.empty() || name == "." || name == "..") {
      return Error(ErrorCode::kInvalidArgument, std::string(path) + ": a path is names separated by single slashes");
    }
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  }
  return path.empty() ? root : root + "/" + std::string(path);
}

int open_flags(OpenMode mode) {
  int flags = O_CLOEXEC | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR);
  if (mode == OpenMode::kCreate) flags |= O_CREAT;
  if (mode == OpenMode::kCreateNew) flags |= O_CREAT | O_EXCL;
  return flags;
}

Result<std::vector<DirectoryEntry>> list_host_directory(const std::string& host) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(host.c_str()), &::closedir);
  if (directory == nullptr) return system_error(host, "opendir");
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    const bool is_directory = ::stat((host + "/" + name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    entries.push_back({name, is_directory});
  }
  if (errno != 0) return system_error(host, "readdir");
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

}  // namespace powercut::faultfs
