// Numbers as people read them, and the progress line.
#pragma once

#include <cstdint>
#include <string>

namespace powercut::tools {

// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number);

// A line on standard error that overwrites itself; nothing at all when that is not a terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& line);
  void clear();

 private:
  bool on_terminal_;
  bool shown_ = false;
};

}  // namespace powercut::tools
