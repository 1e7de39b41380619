// The progress line, and numbers as people read them.
#pragma once

#include "properties/numbers.h"

#include <string>

namespace powercut::tools {

using properties::grouped;

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
