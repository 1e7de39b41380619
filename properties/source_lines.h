// Where in the engine's source an operation was issued: the return addresses that the trace kept, looked up in the debug
// information of this program. Slow at first use (it reads the debug information), so only what is printed is looked up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace powercut::properties {

// A call, or one that was inlined there.
struct SourceLine {
  std::string file;  // relative to powercut's own source or the working directory, if it lies there
  std::uint32_t line = 0;
  std::string function;  // "Log::write_out", without namespaces and arguments
};

class SourceLines {
 public:
  SourceLines();
  ~SourceLines();
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;

  // The innermost calls of the engine, three at most: those outside faultfs/, properties/, the tests and the system's headers.
  // Empty if the engine was built without debug information.
  std::vector<SourceLine> of_engine(std::span<const void* const> calls);

  // "engine/ledger/log.cpp:143 Log::write_out <- transaction.cpp:88 Transaction::commit", or why there is none.
  std::string text(std::span<const void* const> calls);

 private:
  class Debug;
  const std::vector<SourceLine>& at(const void* call);

  std::unique_ptr<Debug> debug_;
  std::map<const void*, std::vector<SourceLine>> known_;
};

}  // namespace powercut::properties
