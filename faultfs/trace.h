// A record of what was asked of a file system: one Operation a call, numbered as the simulated disk numbers them, hashed
// into one number, or put into words.
#pragma once

#include "faultfs/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::faultfs {

enum class OperationKind : unsigned char {
  kOpen,
  kCreate,
  kRead,
  kWrite,
  kSync,
  kResize,
  kAllocate,
  kRename,
  kRemove,
  kMakeDirectory,
  kRemoveDirectory,
  kSyncDirectory,
};

struct Operation {
  // Counts from 1 what changes or syncs something and succeeded; 0 for anything else.
  std::uint32_t number = 0;
  OperationKind kind = OperationKind::kRead;
  std::string path;
  std::string other_path;     // of a rename: the new name
  std::uint64_t offset = 0;   // bytes
  std::uint64_t length = 0;   // bytes; of a resize: the new size
  std::uint64_t content = 0;  // hash64 of the bytes written or read
  std::optional<ErrorCode> error;
  // The return addresses of the calls that led to it, innermost first, if the sink wants them. No part of the trace: two
  // builds of one program have different ones.
  std::vector<const void*> calls;
};

// "write", "sync directory", ….
std::string_view to_string(OperationKind kind);

// "#12 write db/data [4096, 8192)".
std::string describe(const Operation& operation);

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void on_operation(const Operation& operation) = 0;
  // Whether operations come with the calls that led to them, which takes a few microseconds each.
  virtual bool wants_calls() const { return false; }
};

// Combines every field of every operation but its calls, in order, into one number that is the same on every machine.
class TraceHash final : public TraceSink {
 public:
  void on_operation(const Operation& operation) override;
  // Anything else that belongs to the trace.
  void add(std::uint64_t value);
  void add(std::string_view text);
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0;
};

}  // namespace powercut::faultfs
