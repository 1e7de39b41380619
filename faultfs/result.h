// Results and errors, shared by every folder.
//
// A fault is data: a function that can fail for a reason outside the program returns Result<T> and says why. A broken
// invariant is not a fault: it aborts (see assert.h). Ignoring a Result does not compile.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace powercut {

// What kind of thing went wrong; callers branch on these, people read the context.
enum class ErrorCode : unsigned char {
  kNotFound,         // no such file, table or key
  kAlreadyExists,    // a file, table or key that must be new is not
  kInvalidArgument,  // the caller asked for something that cannot be
  kIo,               // the device or the operating system refused (EIO and its kin)
  kNoSpace,          // the disk is full (ENOSPC)
  kCorrupt,          // stored bytes are not what was written
  kConstraint,       // a CHECK, UNIQUE, NOT NULL or FOREIGN KEY was violated; the statement had no effect
  kStopped,          // the engine no longer accepts work, for a reason that it gave before
  kUnsupported,      // this engine or platform does not have it
  kDeadlock,         // some wait for one another; the transaction that this is told was rolled back for the others' sake
  kTimeout,          // a wait took longer than its limit; the statement had no effect
};

// The name of a code as people see it, for example "not found".
std::string_view to_string(ErrorCode code);

// An error: a code and a sentence. Both live behind one pointer so that a successful Result stays small: results are returned
// on the path of every statement and of every simulated read.
class [[nodiscard]] Error {
 public:
  Error() = default;  // only for the storage of results
  Error(ErrorCode code, std::string context) : said_(new Said(code, std::move(context))) {}

  ErrorCode code() const { return said_->code; }
  const std::string& context() const { return said_->context; }

  // "corrupt: data page 3: checksum 12 does not match".
  std::string message() const;

  // The same error with "where: " put before its context.
  Error within(std::string_view where) const;

 private:
  // Counted by threads, too: jobs hand their errors to who started them.
  struct Said : boost::intrusive_ref_counter<Said, boost::thread_safe_counter> {
    Said(ErrorCode code_said, std::string context_said) : code(code_said), context(std::move(context_said)) {}
    const ErrorCode code;
    const std::string context;
  };

  boost::intrusive_ptr<const Said> said_;
};

template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::terminate>;

using boost::outcome_v2::success;

}  // namespace powercut

#define POWERCUT_CONCAT_IMPL(a, b) a##b
#define POWERCUT_CONCAT(a, b) POWERCUT_CONCAT_IMPL(a, b)
#define POWERCUT_TRY_IMPL(result, declaration, ...) \
  auto result = (__VA_ARGS__);                      \
  if (!result.has_value()) [[unlikely]]             \
    return std::move(result).assume_error();        \
  declaration = std::move(result).assume_value()

// POWERCUT_TRY(auto n, f()): n is the value of f(), or the enclosing function returns f()'s error.
#define POWERCUT_TRY(declaration, ...) POWERCUT_TRY_IMPL(POWERCUT_CONCAT(powercut_result_, __COUNTER__), declaration, __VA_ARGS__)

// POWERCUT_TRYV(f()): the same for a Result<void>.
#define POWERCUT_TRYV(...)                              \
  do {                                                  \
    auto powercut_result = (__VA_ARGS__);               \
    if (!powercut_result.has_value()) [[unlikely]]      \
      return std::move(powercut_result).assume_error(); \
  } while (false)
