#include "faultfs/host_backend.h"

#include "faultfs/posix_file_system.h"
#include "faultfs/uring_file_system.h"

#include <array>
#include <utility>

namespace powercut::faultfs {
namespace {

constexpr std::array<std::pair<std::string_view, HostBackend>, 3> kBackends{
    {{"posix", HostBackend::kPosix}, {"uring", HostBackend::kUring}, {"uring-direct", HostBackend::kUringDirect}}};

}  // namespace

std::string_view to_string(HostBackend backend) {
  for (const auto& [name, known] : kBackends) {
    if (known == backend) return name;
  }
  return "?";
}

Result<HostBackend> find_host_backend(std::string_view name) {
  std::string message = "no backend is called '" + std::string(name) + "'; there are:";
  for (const auto& [known, backend] : kBackends) {
    if (known == name) return backend;
    message.append(" ").append(known);
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

Result<std::unique_ptr<FileSystem>> open_host_backend(HostBackend backend, const std::string& root, Scheduler* scheduler) {
  if (backend == HostBackend::kPosix) {
    POWERCUT_TRY(auto files, PosixFileSystem::open(root));
    return std::unique_ptr<FileSystem>(std::move(files));
  }
  UringOptions options;
  options.direct = backend == HostBackend::kUringDirect;
  POWERCUT_TRY(auto files, UringFileSystem::open(root, options, scheduler));
  return std::unique_ptr<FileSystem>(std::move(files));
}

}  // namespace powercut::faultfs
