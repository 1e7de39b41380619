#include "tools/measure/device_counts.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace powercut::measure {

// The fields are those of Documentation/block/stat.rst: 5 writes, 16 flushes.
std::optional<DeviceCounts> device_counts(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return std::nullopt;
  std::string device = fmt::format("/sys/dev/block/{}:{}", major(status.st_dev), minor(status.st_dev));
  std::error_code ignored;
  if (std::filesystem::exists(device + "/partition", ignored)) device += "/..";
  std::ifstream file(device + "/stat");
  std::vector<std::uint64_t> fields;
  for (std::uint64_t field = 0; file >> field;) fields.push_back(field);
  if (fields.size() < 16) return std::nullopt;
  return DeviceCounts{fields[4], fields[15]};
}

}  // namespace powercut::measure
