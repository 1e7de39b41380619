#include "faultfs/result.h"

namespace powercut {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kAlreadyExists:
      return "already exists";
    case ErrorCode::kInvalidArgument:
      return "invalid argument";
    case ErrorCode::kIo:
      return "I/O error";
    case ErrorCode::kNoSpace:
      return "no space left";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kConstraint:
      return "constraint violated";
    case ErrorCode::kStopped:
      return "stopped";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kDeadlock:
      return "deadlock";
    case ErrorCode::kTimeout:
      return "timeout";
  }
  return "unknown error";
}

std::string Error::message() const {
  std::string text(to_string(code()));
  text += ": ";
  text += context();
  return text;
}

Error Error::within(std::string_view where) const {
  std::string text(where);
  text += ": ";
  text += context();
  return {code(), std::move(text)};
}

}  // namespace powercut
