#include "engine/leveldb/leveldb_status.h"

namespace powercut::engine {
namespace {

constexpr std::string_view kNoSpaceText = "No space left on device";

}  // namespace

leveldb::Status to_status(const std::string& path, const Error& error) {
  if (error.code() == ErrorCode::kNotFound) return leveldb::Status::NotFound(path, "No such file or directory");
  if (error.code() == ErrorCode::kNoSpace) return leveldb::Status::IOError(path, std::string(kNoSpaceText));
  return leveldb::Status::IOError(path, error.message());
}

Error to_error(const leveldb::Status& status, std::string_view what) {
  const std::string text = status.ToString();
  ErrorCode code = ErrorCode::kIo;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsIOError() && text.find(kNoSpaceText) != std::string::npos) code = ErrorCode::kNoSpace;
  return {code, std::string(what) + ": LevelDB says " + text};
}

}  // namespace powercut::engine
