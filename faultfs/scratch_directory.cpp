#include "faultfs/scratch_directory.h"

#include "faultfs/host_calls.h"

#include <cstdlib>
#include <filesystem>

namespace powercut::faultfs {

namespace fs = std::filesystem;

Result<ScratchDirectory> ScratchDirectory::make(const std::string& parent) {
  std::error_code error;
  if (!fs::is_directory(parent, error)) return Error(ErrorCode::kInvalidArgument, parent + ": there is no such directory");
  std::string path = (fs::absolute(parent, error) / "powercut-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return system_error(path, "mkdtemp");
  return ScratchDirectory(std::move(path));
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<std::string> ScratchDirectory::add(const std::string& name) const {
  const std::string path = path_ + "/" + name;
  std::error_code error;
  if (!fs::create_directory(path, error)) return Error(ErrorCode::kIo, path + ": " + error.message());
  return path;
}

Result<void> ScratchDirectory::remove(const std::string& path) const {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return Error(ErrorCode::kIo, path + ": " + error.message());
  return success();
}

}  // namespace powercut::faultfs
